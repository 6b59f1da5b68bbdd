/* A real shared library in place of NVIDIA's NVML, for tests and pictures on machines without a card.
 *
 * STUB_NVML_CARDS   "NAME:TOTAL_GIB:USED_GIB[:OURS_GIB],..."   the cards; OURS is held by the process STUB_NVML_PID
 * STUB_NVML_PID     process that holds OURS
 * STUB_NVML_DRIVER  driver version, default 550.54.14
 * STUB_NVML_BAR1_MIB  the CPU's window into every card; default: the power of two that holds the card's memory
 * STUB_NVML_FAULT   hang: nvmlInit never returns; error: it fails; no_driver: it says the driver is not loaded;
 *                   crash: it aborts the process; lost: the last card fell off the bus; garbage: names that are not
 *                   text and sizes that cannot be; lying: more is free than there is; terse: only the memory is told
 * STUB_NVML_HANG_WHEN  while a file of this path exists, every question about memory hangs
 *
 * Compile with -DWITHOUT_MEMORY_V2 or -DWITHOUT_DETAILS for an old driver, where these symbols do not exist.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15, UNKNOWN = 999
};
enum { MOST_CARDS = 8, NAME_SIZE = 96, CLOCK_MEM = 2 };

typedef unsigned long long bytes;
typedef struct { char name[NAME_SIZE]; bytes total, used, ours; unsigned bus, bus_width, clock_mhz; } card;
typedef struct { bytes total, free, used; } memory_v1;
typedef struct { unsigned version; bytes total, reserved, free, used; } memory_v2;
typedef struct { bytes total, free, used; } bar1_memory;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; bytes used; unsigned gpu_instance, compute_instance; } process;
typedef struct {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
} pci_info;

static card cards[MOST_CARDS];
static unsigned count;

static int fault_is(const char *name) {
    const char *fault = getenv("STUB_NVML_FAULT");
    return fault && !strcmp(fault, name);
}

static void hang(void) { for (;;) sleep(3600); }

static void hang_when_told(void) {
    const char *file = getenv("STUB_NVML_HANG_WHEN");
    while (file && !access(file, F_OK)) usleep(50000);
}

static int is_lost(const card *c) { return fault_is("lost") && c == &cards[count - 1]; }

static void read_cards(void) {
    char text[1024], *next = NULL;
    snprintf(text, sizeof text, "%s", getenv("STUB_NVML_CARDS") ? getenv("STUB_NVML_CARDS") : "");
    count = 0;
    for (char *one = strtok_r(text, ",", &next); one && count < MOST_CARDS; one = strtok_r(NULL, ",", &next)) {
        card *c = &cards[count];
        double total = 0, used = 0, ours = 0;
        if (sscanf(one, "%95[^:]:%lf:%lf:%lf", c->name, &total, &used, &ours) < 3) continue;
        c->total = (bytes)(total * (1ull << 30));
        c->used = (bytes)(used * (1ull << 30));
        c->ours = (bytes)(ours * (1ull << 30));
        c->bus = 0xC1 + 0x10 * count++;
        c->bus_width = strstr(c->name, "4090") ? 384 : strstr(c->name, "4070") ? 192 : strstr(c->name, "3060") ? 128 : 256;
        c->clock_mhz = strstr(c->name, "3060") ? 7501 : 10501;
    }
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (fault_is("hang")) hang();
    if (fault_is("crash")) abort();
    if (fault_is("error")) return UNKNOWN;
    if (fault_is("no_driver")) return DRIVER_NOT_LOADED;
    read_cards();
    puts("stub NVML prints to stdout, as native libraries do");
    fflush(stdout);
    return SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int result) { return result == UNKNOWN ? "Unknown Error" : "Stub Error"; }

int nvmlDeviceGetCount_v2(unsigned *out) { *out = count; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, card **out) {
    if (index >= count) return INVALID_ARGUMENT;
    *out = &cards[index];
    return SUCCESS;
}
int nvmlDeviceGetName(card *c, char *out, unsigned size) {
    snprintf(out, size, "%s", fault_is("garbage") ? "\xff\xfe\x80" : c->name);
    return SUCCESS;
}
int nvmlDeviceGetPciInfo_v3(card *c, pci_info *out) {
    memset(out, 0, sizeof *out);
    out->bus = c->bus;
    snprintf(out->legacy_id, sizeof out->legacy_id, "0000:%02X:00.0", c->bus);
    snprintf(out->id, sizeof out->id, "00000000:%02X:00.0", c->bus);
    return SUCCESS;
}

static bytes told_total(const card *c) { return fault_is("garbage") ? 1ull << 60 : c->total; }
static bytes told_free(const card *c) { return fault_is("lying") ? c->total * 3 : c->total - c->used; }

int nvmlDeviceGetMemoryInfo(card *c, memory_v1 *out) {
    hang_when_told();
    if (is_lost(c)) return GPU_IS_LOST;
    *out = (memory_v1){told_total(c), told_free(c), c->used};
    return SUCCESS;
}
#ifndef WITHOUT_MEMORY_V2
int nvmlDeviceGetMemoryInfo_v2(card *c, memory_v2 *out) {
    hang_when_told();
    if (is_lost(c)) return GPU_IS_LOST;
    *out = (memory_v2){out->version, told_total(c), 0, told_free(c), c->used};
    return SUCCESS;
}
#endif

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    snprintf(out, size, "%s", getenv("STUB_NVML_DRIVER") ? getenv("STUB_NVML_DRIVER") : "550.54.14");
    return SUCCESS;
}
int nvmlSystemGetCudaDriverVersion_v2(int *out) { *out = 12040; return SUCCESS; }

#ifndef WITHOUT_DETAILS
#define TELL(statement) do { if (fault_is("terse")) return NOT_SUPPORTED; statement; return SUCCESS; } while (0)

int nvmlDeviceGetCudaComputeCapability(card *c, int *major, int *minor) {
    (void)c;
    TELL(*major = 8; *minor = 9);
}
int nvmlDeviceGetUtilizationRates(card *c, utilization *out) { (void)c; TELL(out->gpu = 37; out->memory = 21); }
int nvmlDeviceGetTemperature(card *c, int sensor, unsigned *out) { (void)c; (void)sensor; TELL(*out = 61); }
int nvmlDeviceGetPowerUsage(card *c, unsigned *out) { (void)c; TELL(*out = 142500); }
int nvmlDeviceGetCurrPcieLinkGeneration(card *c, unsigned *out) { (void)c; TELL(*out = 1); }
int nvmlDeviceGetMaxPcieLinkGeneration(card *c, unsigned *out) { (void)c; TELL(*out = 4); }
int nvmlDeviceGetCurrPcieLinkWidth(card *c, unsigned *out) { (void)c; TELL(*out = c == cards ? 16 : 4); }
int nvmlDeviceGetMaxPcieLinkWidth(card *c, unsigned *out) { (void)c; TELL(*out = 16); }
int nvmlDeviceGetMemoryBusWidth(card *c, unsigned *out) { TELL(*out = c->bus_width); }
int nvmlDeviceGetMaxClockInfo(card *c, int clock, unsigned *out) { TELL(*out = clock == CLOCK_MEM ? c->clock_mhz : 2475); }
int nvmlDeviceGetBAR1MemoryInfo(card *c, bar1_memory *out) {
    bytes window = 256ull << 20;
    while (window < c->total) window *= 2;
    if (getenv("STUB_NVML_BAR1_MIB")) window = strtoull(getenv("STUB_NVML_BAR1_MIB"), NULL, 10) << 20;
    TELL(out->total = window; out->used = 0; out->free = window);
}
int nvmlDeviceGetComputeRunningProcesses_v3(card *c, unsigned *size, process *out) {
    if (fault_is("terse")) return NOT_SUPPORTED;
    unsigned room = *size, has = c->ours && getenv("STUB_NVML_PID");
    *size = has;
    if (!has) return SUCCESS;
    if (room < 1 || !out) return INSUFFICIENT_SIZE;
    out[0] = (process){(unsigned)atoi(getenv("STUB_NVML_PID")), c->ours, 0xFFFFFFFF, 0xFFFFFFFF};
    return SUCCESS;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(card *c, unsigned *size, process *out) {
    return nvmlDeviceGetComputeRunningProcesses_v3(c, size, out);
}
#endif
