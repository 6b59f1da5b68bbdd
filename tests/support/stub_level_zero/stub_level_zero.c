/* A real shared library in place of Intel's Level-Zero loader: the calls of sysman that Snug makes, for one or two cards.
 *
 * STUB_ZE_CARDS  "BUS:SIZE:FREE:LOCATION,..." (bytes; LOCATION 1 is the card's own memory, 0 main memory)
 * STUB_ZE_FAULT  init: zesInit fails; memory: zesMemoryGetState fails
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, UNINITIALIZED = 0x78000001, DEVICE_LOST = 0x70000001, MOST = 4 };

typedef struct { uint32_t bus; uint64_t size, free; int location; } card;
typedef struct { int stype; void *next; uint32_t domain, bus, device, function; int32_t gen, width; int64_t speed; uint8_t flags[3]; } pci;
typedef struct { int stype; void *next; int type; uint8_t sub; uint32_t sub_id; int location; uint64_t size; int32_t width, channels; } properties;
typedef struct { int stype; void *next; int health; uint64_t free, size; } state;
typedef struct { uint64_t read, written, most, time; } bandwidth;

static card cards[MOST];
static uint32_t count;
static int driver;

static int fault_is(const char *name) {
    const char *fault = getenv("STUB_ZE_FAULT");
    return fault && !strcmp(fault, name);
}

int zesInit(uint32_t flags) {
    char text[512], *next = NULL;
    (void)flags;
    if (fault_is("init")) return UNINITIALIZED;
    snprintf(text, sizeof text, "%s", getenv("STUB_ZE_CARDS") ? getenv("STUB_ZE_CARDS") : "");
    count = 0;
    for (char *one = strtok_r(text, ",", &next); one && count < MOST; one = strtok_r(NULL, ",", &next)) {
        card *c = &cards[count++];
        c->bus = (uint32_t)strtoul(one, &one, 0);
        c->size = strtoull(one + 1, &one, 0);
        c->free = strtoull(one + 1, &one, 0);
        c->location = (int)strtol(one + 1, &one, 0);
    }
    return SUCCESS;
}

static int list(uint32_t *n, void **out, uint32_t has, void *first, size_t step) {
    if (!out) { *n = has; return SUCCESS; }
    for (uint32_t i = 0; i < has && i < *n; i++) out[i] = (char *)first + i * step;
    return SUCCESS;
}
int zesDriverGet(uint32_t *n, void **out) { return list(n, out, 1, &driver, 0); }
int zesDeviceGet(void *d, uint32_t *n, void **out) { (void)d; return list(n, out, count, cards, sizeof *cards); }
int zesDeviceEnumMemoryModules(card *c, uint32_t *n, void **out) { return list(n, out, 1, c, 0); }
int zesDevicePciGetProperties(card *c, pci *out) {
    out->domain = 0;
    out->bus = c->bus;
    out->device = out->function = 0;
    out->gen = 4;
    out->width = 16;
    return SUCCESS;
}
int zesMemoryGetProperties(card *c, properties *out) {
    out->location = c->location;
    out->size = c->size;
    out->width = 256;
    return SUCCESS;
}
int zesMemoryGetState(card *c, state *out) {
    if (fault_is("memory")) return DEVICE_LOST;
    out->free = c->free;
    out->size = c->size;
    return SUCCESS;
}
int zesMemoryGetBandwidth(card *c, bandwidth *out) {
    (void)c;
    out->most = 560000000000ull;
    return SUCCESS;
}
