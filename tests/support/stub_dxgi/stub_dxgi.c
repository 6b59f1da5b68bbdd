/* A stand-in for Windows' DXGI, built for the system of the tests: objects with tables of functions, as COM has them.
 *
 * STUB_DXGI_CARDS  "NAME:VENDOR:DEDICATED:SHARED:BUDGET:USAGE:FLAGS,..." (VENDOR in hexadecimal, sizes in bytes)
 * STUB_DXGI_FAULT  factory: CreateDXGIFactory1 fails; old: there is no IDXGIAdapter3; endless: adapters never end;
 *                  describe: GetDesc1 fails
 * stub_dxgi_alive() counts the objects that were not released.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

typedef int32_t result;
enum { OK = 0, MOST = 4 };
#define NOT_FOUND ((result)0x887A0002)
#define NO_INTERFACE ((result)0x80004002)
#define FAILED ((result)0x80004005)

typedef struct { const void **table; int references, number; } object;
typedef struct { wchar_t name[128]; unsigned vendor, device, subsystem, revision; size_t dedicated, system, shared; uint32_t low; int32_t high; unsigned flags; } description;
typedef struct { uint64_t budget, usage, available, reserved; } memory;
typedef struct { char name[64]; unsigned vendor, flags; uint64_t dedicated, shared, budget, usage; } card;

static card cards[MOST];
static unsigned count;
static int alive;

static int fault_is(const char *name) {
    const char *fault = getenv("STUB_DXGI_FAULT");
    return fault && !strcmp(fault, name);
}
int stub_dxgi_alive(void) { return alive; }

static object *create(const void **table, int number) {
    object *o = malloc(sizeof *o);
    *o = (object){table, 1, number};
    alive++;
    return o;
}
static result release(object *o) {
    if (--o->references) return o->references;
    free(o);
    alive--;
    return 0;
}
static result query(object *o, const uint32_t *id, object **out) {
    if (fault_is("old") || id[0] != 0x645967A4) return NO_INTERFACE;
    o->references++;
    *out = o;
    return OK;
}
static result support(object *o, const uint32_t *id, uint64_t *out) {
    (void)o;
    if (id[0] != 0x54EC77FA) return NO_INTERFACE;
    *out = (uint64_t)32 << 48 | (uint64_t)15 << 16 | 6094;
    return OK;
}
static result describe(object *o, description *out) {
    const card *c = &cards[o->number];
    if (fault_is("describe")) return FAILED;
    memset(out, 0, sizeof *out);
    swprintf(out->name, 128, L"%s", c->name);
    out->vendor = c->vendor;
    out->dedicated = c->dedicated;
    out->shared = c->shared;
    out->flags = c->flags;
    out->low = (uint32_t)o->number + 1;
    return OK;
}
static result ask_memory(object *o, unsigned node, unsigned group, memory *out) {
    if (node || group) return FAILED;
    *out = (memory){cards[o->number].budget, cards[o->number].usage, 0, 0};
    return OK;
}
static result trap(void) { abort(); }

static const void *adapter_table[18] = {
    query, trap, release, trap, trap, trap, trap, trap, trap, support, describe, trap, trap, trap, ask_memory, trap, trap, trap
};
static result enumerate(object *o, unsigned index, object **out) {
    (void)o;
    if (index >= count && !(fault_is("endless") && count)) return NOT_FOUND;
    *out = create(adapter_table, (int)(index % count));
    return OK;
}
static const void *factory_table[14] = {
    trap, trap, release, trap, trap, trap, trap, trap, trap, trap, trap, trap, enumerate, trap
};

result CreateDXGIFactory1(const uint32_t *id, object **out) {
    char text[512], *next = NULL;
    if (fault_is("factory") || id[0] != 0x770AAE78) return NO_INTERFACE;
    snprintf(text, sizeof text, "%s", getenv("STUB_DXGI_CARDS") ? getenv("STUB_DXGI_CARDS") : "");
    count = 0;
    for (char *one = strtok_r(text, ",", &next); one && count < MOST; one = strtok_r(NULL, ",", &next)) {
        card *c = &cards[count++];
        sscanf(one, "%63[^:]:%x:%lu:%lu:%lu:%lu:%u", c->name, &c->vendor, &c->dedicated, &c->shared, &c->budget,
               &c->usage, &c->flags);
    }
    *out = create(factory_table, 0);
    return OK;
}
