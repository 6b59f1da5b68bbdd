"""What a machine has, as plain values. Sizes are bytes, bandwidths bytes per second, temperatures degrees Celsius."""

from collections.abc import Collection
from typing import Literal

import msgspec

from desktop.errors import Phrase

Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]

Throttle = Literal["power_cap", "power_brake", "thermal_driver", "thermal_hardware", "hardware_slowdown", "sync_boost"]
"""Why a card runs below its clocks, where that costs speed; an idle card or clocks set by hand are not in here."""

Recovery = Literal["reset", "reboot", "drain", "drain_and_reset"]
"""What the driver asks for before the card can be relied on again (nvmlDeviceGpuRecoveryAction_t)."""

Topology = Literal["same_board", "one_switch", "switches", "host_bridge", "numa_node", "system"]
"""What two cards share on the way between them, nearest first (nvmlGpuTopologyLevel_t)."""

P2pStatus = Literal["ok", "chipset", "gpu", "topology", "disabled", "not_supported", "unknown"]
"""Whether two cards copy to each other directly, or what is in the way (nvmlGpuP2PStatus_t)."""

Outcome = Literal["answered", "failed", "slow"]

DiskKind = Literal["nvme", "ssd", "hdd", "network", "memory", "virtual"]
"""What a disk is made of; "virtual" is one whose machine does not tell."""


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """The processor. `cores` are physical, `threads` logical; `features` the instruction sets that matter to ggml.

    Both counts are what this program may use; `machine_threads` is what the machine has, where that is more
    (an affinity mask, a container's quota).
    """

    name: str
    cores: int
    threads: int
    features: tuple[str, ...] = ()
    machine_threads: int | None = None


class Ram(msgspec.Struct, frozen=True, kw_only=True):
    """Main memory and swap.

    `total` and `available` are what this program may use; `machine_total` is what the machine has, where a
    container's limit is lower.
    """

    total: int
    available: int
    swap_total: int = 0
    swap_used: int = 0
    machine_total: int | None = None

    @property
    def swap_free(self) -> int:
        """Bytes of swap that are not in use."""
        return max(self.swap_total - self.swap_used, 0)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk that holds the models folder. kind, file_system and device are None where the system does not tell."""

    path: str
    total: int
    free: int
    kind: DiskKind | None = None
    file_system: str | None = None
    device: str | None = None


class PcieLink(msgspec.Struct, frozen=True, kw_only=True):
    """Width is what the link runs at; generations drop when idle, so both are told."""

    generation: int | None = None
    generation_max: int | None = None
    width: int | None = None
    width_max: int | None = None


class NvLink(msgspec.Struct, frozen=True, kw_only=True):
    """The NVLink connections of one card. links: how many it has; active: how many are up.

    peers: PCI address at the other end, one per active link (so a card appears once per link to it).
    """

    links: int
    active: int
    peers: tuple[str, ...] = ()


class GpuPath(msgspec.Struct, frozen=True, kw_only=True):
    """The way from one card to another. read, write: direct copies over PCIe or NVLink; nvlink: over NVLink alone.

    peer: PCI address of the other card.
    """

    peer: str
    read: P2pStatus | None = None
    write: P2pStatus | None = None
    nvlink: P2pStatus | None = None
    topology: Topology | None = None


class MigPart(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a card that was divided (multi-instance GPU); sizes in bytes."""

    name: str
    vram_total: int
    vram_free: int
    uuid: str | None = None


class Mig(msgspec.Struct, frozen=True, kw_only=True):
    """Multi-instance mode of a card that can be divided. card_total: bytes of the whole card.

    While it is on, a program gets one part only, and the Gpu's `vram_total` and `vram_free` are those of the first.
    """

    enabled: bool
    card_total: int
    parts: tuple[MigPart, ...] = ()


class EccErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Memory errors of a card with ECC, since the driver was loaded and in the card's life.

    pending: rows or pages are to be replaced at the next reset. remap_failed: no spare rows are left.
    """

    corrected: int = 0
    uncorrected: int = 0
    uncorrected_in_its_life: int = 0
    retired_pages: int = 0
    remapped_rows: int = 0
    pending: bool = False
    remap_failed: bool = False


class GpuProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that holds memory of a card. used: bytes, None where the driver does not tell (Windows, containers)."""

    pid: int
    used: int | None = None


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card as its driver describes it.

    pci_address: "0000:c1:00.0" in lower case, the key by which it is joined with the engine's devices.
    bandwidth: theoretical memory bandwidth, 2 * memory clock * bus width / 8.
    backend: name of the engine device that drives it ("CUDA0"); None when the engine does not use it, then
    `unused_reason` says why. uses_ram: integrated, its memory is main memory.
    index: the driver's own number. bar1_total: bytes of the card that the processor reaches at once.
    memory_clock_max: MHz; bus_width: bits; cores: shader cores; temperature: degrees Celsius; power_limit: watts.
    throttle: why it runs below its clocks now, None where not told. recovery: what the driver asks for, None for
    nothing. paths: to the other cards of the same driver. processes: who holds memory, None where not told.
    """

    name: str
    vendor: Vendor
    vram_total: int
    vram_free: int
    pci_address: str | None = None
    bandwidth: int | None = None
    driver: str | None = None
    cuda_version: str | None = None
    compute_capability: str | None = None
    pcie: PcieLink | None = None
    resizable_bar: bool | None = None
    uses_ram: bool = False
    backend: str | None = None
    unused_reason: str | None = None
    index: int | None = None
    uuid: str | None = None
    cores: int | None = None
    bus_width: int | None = None
    memory_clock_max: int | None = None
    bar1_total: int | None = None
    temperature: float | None = None
    power_limit: float | None = None
    throttle: tuple[Throttle, ...] | None = None
    recovery: Recovery | None = None
    nvlink: NvLink | None = None
    paths: tuple[GpuPath, ...] = ()
    mig: Mig | None = None
    ecc: EccErrors | None = None
    processes: tuple[GpuProcess, ...] | None = None

    def used_by(self, pids: Collection[int]) -> int | None:
        """Bytes that `pids` hold on this card; None where the driver does not tell."""
        if self.processes is None:
            return None
        ours = [process.used for process in self.processes if process.pid in pids]
        return None if None in ours else sum(used or 0 for used in ours)


class SourceProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A source of facts (NVML, sysfs ...) that was slow, broken or odd; the rest of the profile stands.

    seconds: how long it had been asked when that was known, None where it was no question of time.
    """

    source: str
    what: Phrase
    seconds: float | None = None

    @property
    def message(self) -> str:
        """What went wrong, in English; the window renders `what` in the person's language."""
        return self.what.render()


class SourceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a source of facts did: what became of the question, and after how many seconds."""

    source: str
    outcome: Outcome
    seconds: float


class LostCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that its driver knows and that cannot be used: nothing of its memory is known.

    reason: "lost" fell off the bus (Xid 79, often after sleep), "reset_required", "no_permission" for this user,
    "no_memory" has no believable size, or "failed" with any other error. detail: the driver's own words.
    """

    vendor: Vendor
    name: str
    reason: Literal["lost", "reset_required", "no_permission", "no_memory", "failed"]
    detail: str
    pci_address: str | None = None
    index: int | None = None


class VulkanDriver(msgspec.Struct, frozen=True, kw_only=True):
    """A Vulkan driver that is installed. manifest: its .json file; library: the file it names; found: it is there."""

    manifest: str
    library: str
    found: bool | None = None


class Vulkan(msgspec.Struct, frozen=True, kw_only=True):
    """The Vulkan loader (None in `version` where it does not load or does not tell) and the drivers it would find."""

    loads: bool
    version: str | None = None
    drivers: tuple[VulkanDriver, ...] = ()


class BusCard(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card that is on the PCI bus and that no driver answers for; its memory is not known."""

    vendor: Vendor
    name: str
    pci_address: str


class HardwareProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found. `backends` are the engine's, filled by engine.inventory; empty until the engine was asked.

    silent_cards: cards without a working driver; lost_cards: those whose driver works and that do not answer it.
    vulkan_loader: whether the Vulkan library loads; vulkan: the same with its drivers; None where that is not known.
    sources: every source that was asked, and how long it took.
    """

    system: str
    cpu: Cpu
    ram: Ram
    gpus: tuple[Gpu, ...]
    disk: Disk
    backends: tuple[str, ...] = ()
    problems: tuple[SourceProblem, ...] = ()
    silent_cards: tuple[BusCard, ...] = ()
    vulkan_loader: bool | None = None
    vulkan: Vulkan | None = None
    lost_cards: tuple[LostCard, ...] = ()
    sources: tuple[SourceAnswer, ...] = ()


class GpuSample(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU at one moment. used_by_us: bytes of our own processes, None where the driver does not tell.

    utilization: 0 to 100 percent; temperature: degrees Celsius; power: watts. uses_ram: its memory is main memory.
    """

    name: str
    vram_total: int
    vram_used: int
    used_by_us: int | None = None
    utilization: float | None = None
    temperature: float | None = None
    power: float | None = None
    pci_address: str | None = None
    uses_ram: bool = False

    @property
    def used_by_others(self) -> int | None:
        """Bytes in use that are not ours (other programs and the driver); None where our part is not told."""
        return None if self.used_by_us is None else max(self.vram_used - self.used_by_us, 0)


class HardwareSample(msgspec.Struct, frozen=True, kw_only=True):
    """The machine at one moment; `time` is time.monotonic() of the sampling process.

    ram_used: total minus available; pages of mapped files count as available, so a mapped model is NOT in it.
    ram_used_by_us: resident bytes of our processes, mapped files included. ram_mapped_by_us: the part of those that
    is backed by files (a mapped model).
    """

    time: float
    ram_total: int
    ram_used: int
    ram_used_by_us: int
    gpus: tuple[GpuSample, ...] = ()
    ram_mapped_by_us: int = 0
    problems: tuple[SourceProblem, ...] = ()

    @property
    def ram_used_by_others(self) -> int:
        """Bytes of `ram_used` that are not ours; beside `ram_used_by_us` it fills the bar of main memory."""
        return max(self.ram_used - (self.ram_used_by_us - self.ram_mapped_by_us), 0)
