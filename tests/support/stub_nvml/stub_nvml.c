/* A real shared library in place of NVIDIA's NVML, for tests and pictures on machines without a card.
 *
 * STUB_NVML_SCENARIO  a file of lines "key = value"; "[card]" begins a card, "[part]" a MIG part of the card before it.
 *   Before the first card: driver, cuda, version_error; counts = 2,1,... (what each question for the count answers);
 *   of a card or part: name, uuid, domain, bus, device, total, free, used, reserved, total_v1 (bytes; free and used follow
 *   from each other), bar1, bus_width, memory_clock, cores, capability_major, capability_minor, generation, generation_max,
 *   width, width_max, utilization, temperature, power, power_limit (milliwatts), throttle (bits), recovery,
 *   compute and graphics = PID:BYTES,..., process_count, ecc, corrected, uncorrected, uncorrected_life, remapped,
 *   remap_pending, remap_failed, retired, mig, nvlinks (how many), nvlink_up (how many of them), nvlink_peer (a bus),
 *   p2p_read, p2p_write, p2p_nvlink, topology.
 *   error.FUNCTION = NUMBER makes that function answer so, hang.FUNCTION = 1 makes it never return; before the first card
 *   for all cards. What is not given has a plain value, or is "not supported" (ecc, mig, nvlinks, recovery).
 *
 * Without a scenario:
 * STUB_NVML_CARDS   "NAME:TOTAL_GIB:USED_GIB[:OURS_GIB],..."   the cards; OURS is held by the process STUB_NVML_PID
 * STUB_NVML_PID     process that holds OURS
 * STUB_NVML_DRIVER  driver version, default 550.54.14
 * STUB_NVML_BAR1_MIB  the CPU's window into every card; default: the power of two that holds the card's memory
 * STUB_NVML_FAULT   hang: nvmlInit never returns; error: it fails; no_driver: it says the driver is not loaded;
 *                   crash: it aborts the process; lost: the last card fell off the bus; garbage: names that are not
 *                   text and sizes that cannot be; lying: more is free than there is; terse: only the memory is told
 * Always:
 * STUB_NVML_HANG_WHEN  while a file of this path exists, every question about memory hangs
 *
 * Compile with -DWITHOUT_MEMORY_V2, -DWITHOUT_DETAILS or -DWITHOUT_V2 (no second or third version of a call): old drivers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15, UNKNOWN = 999
};
enum { MOST_CARDS = 16, MOST_KEYS = 48, MOST_PROCESSES = 16, KEY_SIZE = 64, VALUE_SIZE = 128, CLOCK_MEM = 2, MOST_RETIRED = 1 << 18 };

typedef unsigned long long bytes;
typedef struct { char key[KEY_SIZE], value[VALUE_SIZE]; } setting;
typedef struct section { struct section *card; int is_part; unsigned n; setting settings[MOST_KEYS]; } section;
typedef struct { bytes total, free, used; } memory_v1;
typedef struct { unsigned version; bytes total, reserved, free, used; } memory_v2;
typedef struct { bytes total, free, used; } bar1_memory;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; bytes used; } process_v1;
typedef struct { unsigned pid; bytes used; unsigned gpu_instance, compute_instance; } process;
typedef struct { char legacy_id[16]; unsigned domain, bus, device, device_id, subsystem_id, reserved[4]; } pci_info_v2;
typedef struct { char legacy_id[16]; unsigned domain, bus, device, device_id, subsystem_id; char id[32]; } pci_info;
typedef struct { unsigned id, scope; long long time, latency; unsigned type, result; bytes value; } field;

static section globals, sections[MOST_CARDS];
static unsigned count, counted;

static int fault_is(const char *name) {
    const char *fault = getenv("STUB_NVML_FAULT");
    return fault && !strcmp(fault, name);
}

static void hang(void) { for (;;) sleep(3600); }

static void hang_when_told(void) {
    const char *file = getenv("STUB_NVML_HANG_WHEN");
    while (file && !access(file, F_OK)) usleep(50000);
}

static const char *find(const section *s, const char *key) {
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->settings[i].key, key)) return s->settings[i].value;
    return NULL;
}
static void set(section *s, const char *key, const char *value) {
    if (s->n == MOST_KEYS) return;
    snprintf(s->settings[s->n].key, KEY_SIZE, "%s", key);
    snprintf(s->settings[s->n++].value, VALUE_SIZE, "%s", value);
}
static void set_number(section *s, const char *key, bytes value) {
    char text[32];
    snprintf(text, sizeof text, "%llu", value);
    set(s, key, text);
}
static bytes number(const section *s, const char *key, bytes otherwise) {
    const char *value = find(s, key);
    return value ? strtoull(value, NULL, 0) : otherwise;
}

/* What a function answers before it does anything: an error, or nothing ever. */
static int planned(const section *s, const char *function) {
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "hang.%s", function);
    if (number(s, key, 0) || number(&globals, key, 0)) hang();
    snprintf(key, sizeof key, "error.%s", function);
    return (int)number(s, key, number(&globals, key, SUCCESS));
}
#define PLANNED(s) do { int planned_ = planned(s, __func__); if (planned_) return planned_; } while (0)
#define TELL(s, statement) do { \
    PLANNED(s); if (fault_is("terse")) return NOT_SUPPORTED; statement; return SUCCESS; } while (0)
#define TELL_IF(s, key, statement) do { \
    PLANNED(s); if (!find(s, key)) return NOT_SUPPORTED; statement; return SUCCESS; } while (0)

static void read_scenario(FILE *file) {
    char line[256], key[KEY_SIZE], value[VALUE_SIZE];
    section *now = &globals, *card = NULL;
    while (fgets(line, sizeof line, file)) {
        int is_card = !strncmp(line, "[card]", 6), is_part = !strncmp(line, "[part]", 6);
        if ((is_card || is_part) && count < MOST_CARDS) {
            now = &sections[count++];
            memset(now, 0, sizeof *now);
            if (is_card) card = now;
            now->card = card;
            now->is_part = is_part;
        } else if (sscanf(line, " %63[^= ] = %127[^\n]", key, value) == 2) {
            set(now, key, value);
        }
    }
}

static void read_cards(void) {
    char text[1024], *next = NULL;
    snprintf(text, sizeof text, "%s", getenv("STUB_NVML_CARDS") ? getenv("STUB_NVML_CARDS") : "");
    for (char *one = strtok_r(text, ",", &next); one && count < MOST_CARDS; one = strtok_r(NULL, ",", &next)) {
        char name[96], owner[VALUE_SIZE];
        double total = 0, used = 0, ours = 0;
        if (sscanf(one, "%95[^:]:%lf:%lf:%lf", name, &total, &used, &ours) < 3) continue;
        section *c = &sections[count];
        memset(c, 0, sizeof *c);
        c->card = c;
        set(c, "name", fault_is("garbage") ? "\xff\xfe\x80" : name);
        set_number(c, "total", fault_is("garbage") ? 1ull << 60 : (bytes)(total * (1ull << 30)));
        set_number(c, "used", (bytes)(used * (1ull << 30)));
        if (fault_is("lying")) set_number(c, "free", (bytes)(total * 3 * (1ull << 30)));
        set_number(c, "bus", 0xC1 + 0x10 * count);
        set_number(c, "width", count ? 4 : 16);
        set_number(c, "bus_width", strstr(name, "4070") ? 192 : strstr(name, "3060") ? 128 : 384);
        set_number(c, "memory_clock", strstr(name, "3060") ? 7501 : 10501);
        if (getenv("STUB_NVML_BAR1_MIB")) set_number(c, "bar1", strtoull(getenv("STUB_NVML_BAR1_MIB"), NULL, 10) << 20);
        if (ours > 0 && getenv("STUB_NVML_PID")) {
            snprintf(owner, sizeof owner, "%s:%llu", getenv("STUB_NVML_PID"), (bytes)(ours * (1ull << 30)));
            set(c, "compute", owner);
            set(c, "graphics", owner);
        }
        count++;
    }
    if (getenv("STUB_NVML_DRIVER")) set(&globals, "driver", getenv("STUB_NVML_DRIVER"));
    if (fault_is("lost") && count) {
        set_number(&sections[count - 1], "error.nvmlDeviceGetMemoryInfo", GPU_IS_LOST);
        set_number(&sections[count - 1], "error.nvmlDeviceGetMemoryInfo_v2", GPU_IS_LOST);
    }
}

static int begin(const char *function) {
    const char *path = getenv("STUB_NVML_SCENARIO");
    FILE *file = path ? fopen(path, "r") : NULL;
    count = counted = 0;
    memset(&globals, 0, sizeof globals);
    if (fault_is("hang")) hang();
    if (fault_is("crash")) abort();
    if (fault_is("error")) return UNKNOWN;
    if (fault_is("no_driver")) return DRIVER_NOT_LOADED;
    if (file) {
        read_scenario(file);
        fclose(file);
    } else {
        read_cards();
    }
    puts("stub NVML prints to stdout, as native libraries do");
    fflush(stdout);
    return planned(&globals, function);
}
int nvmlInit(void) { return begin(__func__); }
#ifndef WITHOUT_V2
int nvmlInitWithFlags(unsigned flags) { (void)flags; return begin(__func__); }
int nvmlInit_v2(void) { return begin(__func__); }
#endif
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int result) { return result == UNKNOWN ? "Unknown Error" : "Stub Error"; }

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    TELL(&globals, snprintf(out, size, "%s", find(&globals, "driver") ? find(&globals, "driver") : "550.54.14"));
}
int nvmlSystemGetCudaDriverVersion(int *out) { TELL(&globals, *out = (int)number(&globals, "cuda", 12040)); }

static unsigned cards(void) {
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) n += !sections[i].is_part;
    return n;
}
int nvmlDeviceGetCount(unsigned *out) {
    const char *told = find(&globals, "counts");
    PLANNED(&globals);
    *out = cards();
    for (unsigned i = 0; told; told = strchr(told, ',') ? strchr(told, ',') + 1 : NULL, i++) {
        *out = (unsigned)strtoul(told, NULL, 0);
        if (i == counted) break;
    }
    counted++;
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex(unsigned index, section **out) {
    PLANNED(&globals);
    for (unsigned i = 0; i < count; i++)
        if (!sections[i].is_part && !index--) {
            *out = &sections[i];
            return planned(*out, __func__);
        }
    return INVALID_ARGUMENT;
}
int nvmlDeviceGetName(section *c, char *out, unsigned size) {
    PLANNED(c);
    snprintf(out, size, "%s", find(c, "name") ? find(c, "name") : "NVIDIA Stub");
    return SUCCESS;
}
int nvmlDeviceGetUUID(section *c, char *out, unsigned size) {
    PLANNED(c);
    if (find(c, "uuid")) snprintf(out, size, "%s", find(c, "uuid"));
    else snprintf(out, size, "GPU-00000000-0000-0000-0000-0000000000%02x", (unsigned)(c - sections));
    return SUCCESS;
}

static unsigned bus_of(const section *c) { return (unsigned)number(c, "bus", 0xC1 + 0x10 * (bytes)(c - sections)); }
static void fill_pci(const section *c, pci_info_v2 *out, unsigned bus) {
    memset(out, 0, sizeof *out);
    out->domain = (unsigned)number(c, "domain", 0);
    out->bus = bus;
    out->device = (unsigned)number(c, "device", 0);
    snprintf(out->legacy_id, sizeof out->legacy_id, "0000:%02X:00.0", bus & 0xff);
}
int nvmlDeviceGetPciInfo(section *c, pci_info_v2 *out) { PLANNED(c); fill_pci(c, out, bus_of(c)); return SUCCESS; }

static bytes used_of(const section *c) {
    return number(c, "used", number(c, "total", 0) - number(c, "free", number(c, "total", 0)));
}
int nvmlDeviceGetMemoryInfo(section *c, memory_v1 *out) {
    bytes total = number(c, "total", 0), used = used_of(c);
    PLANNED(c);
    hang_when_told();
    *out = (memory_v1){number(c, "total_v1", total), number(c, "free", total - used), used};
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(section *c, utilization *out) {
    TELL(c, out->gpu = (unsigned)number(c, "utilization", 37); out->memory = 21);
}
int nvmlDeviceGetTemperature(section *c, int sensor, unsigned *out) {
    (void)sensor;
    TELL(c, *out = (unsigned)number(c, "temperature", 61));
}
int nvmlDeviceGetPowerUsage(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "power", 142500)); }

#ifndef WITHOUT_DETAILS
static int list(const char *text, unsigned *size, process *out, const bytes *lie) {
    unsigned room = *size, n = 0;
    process found[MOST_PROCESSES];
    for (; text && *text && n < MOST_PROCESSES; text = strchr(text, ',') ? strchr(text, ',') + 1 : NULL) {
        const char *used = strchr(text, ':');
        found[n++] = (process){(unsigned)strtoul(text, NULL, 0), used ? strtoull(used + 1, NULL, 0) : 0, ~0u, ~0u};
    }
    *size = lie ? (unsigned)*lie : n;
    if (room < n) return INSUFFICIENT_SIZE;
    if (n && out) memcpy(out, found, n * sizeof *out);
    return SUCCESS;
}
static int list_v1(section *c, const char *key, unsigned *size, process_v1 *out) {
    process found[MOST_PROCESSES];
    unsigned n = MOST_PROCESSES;
    int result = list(find(c, key), &n, found, NULL);
    for (unsigned i = 0; out && i < n && i < *size; i++) out[i] = (process_v1){found[i].pid, found[i].used};
    *size = n;
    return result;
}
int nvmlDeviceGetComputeRunningProcesses(section *c, unsigned *n, process_v1 *out) {
    PLANNED(c);
    return list_v1(c, "compute", n, out);
}
int nvmlDeviceGetGraphicsRunningProcesses(section *c, unsigned *n, process_v1 *out) {
    PLANNED(c);
    return list_v1(c, "graphics", n, out);
}
int nvmlDeviceGetCudaComputeCapability(section *c, int *major, int *minor) {
    TELL(c, *major = (int)number(c, "capability_major", 8); *minor = (int)number(c, "capability_minor", 9));
}
int nvmlDeviceGetCurrPcieLinkGeneration(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "generation", 1)); }
int nvmlDeviceGetMaxPcieLinkGeneration(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "generation_max", 4)); }
int nvmlDeviceGetCurrPcieLinkWidth(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "width", 16)); }
int nvmlDeviceGetMaxPcieLinkWidth(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "width_max", 16)); }
int nvmlDeviceGetMemoryBusWidth(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "bus_width", 256)); }
int nvmlDeviceGetNumGpuCores(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "cores", 5888)); }
int nvmlDeviceGetEnforcedPowerLimit(section *c, unsigned *out) { TELL(c, *out = (unsigned)number(c, "power_limit", 200000)); }
int nvmlDeviceGetMaxClockInfo(section *c, int clock, unsigned *out) {
    TELL(c, *out = clock == CLOCK_MEM ? (unsigned)number(c, "memory_clock", 10501) : 2475);
}
int nvmlDeviceGetBAR1MemoryInfo(section *c, bar1_memory *out) {
    bytes window = 256ull << 20;
    while (window < number(c, "total", 0) && window < 1ull << 45) window *= 2;
    TELL(c, out->total = number(c, "bar1", window); out->used = 0; out->free = out->total);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(section *c, bytes *out) { TELL(c, *out = number(c, "throttle", 1)); }
int nvmlDeviceGetFieldValues(section *c, int n, field *out) {
    PLANNED(c);
    for (int i = 0; i < n; i++) {
        out[i].result = find(c, "recovery") ? SUCCESS : NOT_SUPPORTED;
        out[i].type = 1;
        out[i].value = number(c, "recovery", 0);
    }
    return SUCCESS;
}
int nvmlDeviceGetEccMode(section *c, unsigned *now, unsigned *next) {
    TELL_IF(c, "ecc", *now = *next = (unsigned)number(c, "ecc", 0));
}
int nvmlDeviceGetTotalEccErrors(section *c, int kind, int counter, bytes *out) {
    TELL_IF(c, "ecc", *out = number(c, !kind ? "corrected" : counter ? "uncorrected_life" : "uncorrected", 0));
}
int nvmlDeviceGetRemappedRows(section *c, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
    TELL_IF(c, "remapped", *corrected = 0; *uncorrected = (unsigned)number(c, "remapped", 0);
            *pending = (unsigned)number(c, "remap_pending", 0); *failed = (unsigned)number(c, "remap_failed", 0));
}
int nvmlDeviceGetRetiredPages(section *c, int cause, unsigned *n, bytes *out) {
    unsigned room = *n;
    if (room > MOST_RETIRED) abort(); /* who believes a driver that lies */
    TELL_IF(c, "retired", *n = cause ? (unsigned)number(c, "retired", 0) : 0;
            if (room < *n || !out) return INSUFFICIENT_SIZE; memset(out, 0, *n * sizeof *out));
}
int nvmlDeviceGetRetiredPagesPendingStatus(section *c, int *out) { TELL_IF(c, "retired", *out = 0); }
int nvmlDeviceGetMigMode(section *c, unsigned *now, unsigned *next) {
    TELL_IF(c, "mig", *now = *next = (unsigned)number(c, "mig", 0));
}
int nvmlDeviceGetMaxMigDeviceCount(section *c, unsigned *out) { TELL_IF(c, "mig", *out = 7); }
int nvmlDeviceGetMigDeviceHandleByIndex(section *c, unsigned index, section **out) {
    PLANNED(c);
    for (unsigned i = 0; i < count; i++)
        if (sections[i].is_part && sections[i].card == c && !index--) {
            *out = &sections[i];
            return SUCCESS;
        }
    return NOT_FOUND;
}
int nvmlDeviceGetNvLinkState(section *c, unsigned link, unsigned *out) {
    PLANNED(c);
    if (link >= number(c, "nvlinks", 0)) return NOT_SUPPORTED;
    *out = link < number(c, "nvlink_up", 0);
    return SUCCESS;
}
int nvmlDeviceGetNvLinkRemotePciInfo(section *c, unsigned link, pci_info_v2 *out) {
    (void)link;
    PLANNED(c);
    fill_pci(c, out, (unsigned)number(c, "nvlink_peer", 0));
    return SUCCESS;
}
int nvmlDeviceGetP2PStatus(section *c, section *other, int way, int *out) {
    const char *ways[] = {"p2p_read", "p2p_write", "p2p_nvlink"};
    (void)other;
    TELL(c, *out = (int)number(c, ways[way % 3], 2));
}
int nvmlDeviceGetTopologyCommonAncestor(section *c, section *other, int *out) {
    (void)other;
    TELL(c, *out = (int)number(c, "topology", 30));
}
#endif

#ifndef WITHOUT_V2
int nvmlSystemGetCudaDriverVersion_v2(int *out) { return nvmlSystemGetCudaDriverVersion(out); }
int nvmlDeviceGetCount_v2(unsigned *out) { PLANNED(&globals); return nvmlDeviceGetCount(out); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, section **out) { return nvmlDeviceGetHandleByIndex(index, out); }
int nvmlDeviceGetPciInfo_v3(section *c, pci_info *out) {
    PLANNED(c);
    memset(out->id, 0, sizeof out->id);
    fill_pci(c, (pci_info_v2 *)out, bus_of(c));
    snprintf(out->id, sizeof out->id, "%08X:%02X:%02X.0", out->domain, out->bus & 0xff, out->device & 0xff);
    return SUCCESS;
}
#ifndef WITHOUT_MEMORY_V2
int nvmlDeviceGetMemoryInfo_v2(section *c, memory_v2 *out) {
    bytes total = number(c, "total", 0), used = used_of(c), reserved = number(c, "reserved", 0);
    PLANNED(c);
    hang_when_told();
    *out = (memory_v2){out->version, total, reserved, number(c, "free", total - used - reserved), used};
    return SUCCESS;
}
#endif
#ifndef WITHOUT_DETAILS
int nvmlDeviceGetCurrentClocksEventReasons(section *c, bytes *out) { TELL(c, *out = number(c, "throttle", 1)); }
int nvmlDeviceGetNvLinkRemotePciInfo_v2(section *c, unsigned link, pci_info_v2 *out) {
    return nvmlDeviceGetNvLinkRemotePciInfo(c, link, out);
}
static int list_of(section *c, const char *key, unsigned *size, process *out) {
    bytes lie = number(c, "process_count", 0);
    return list(find(c, key), size, out, find(c, "process_count") ? &lie : NULL);
}
#define LISTS(version) \
    int nvmlDeviceGetComputeRunningProcesses##version(section *c, unsigned *n, process *out) { \
        PLANNED(c); \
        return fault_is("terse") ? NOT_SUPPORTED : list_of(c, "compute", n, out); \
    } \
    int nvmlDeviceGetGraphicsRunningProcesses##version(section *c, unsigned *n, process *out) { \
        PLANNED(c); \
        return fault_is("terse") ? NOT_SUPPORTED : list_of(c, "graphics", n, out); \
    }
LISTS(_v2)
LISTS(_v3)
#endif
#endif
