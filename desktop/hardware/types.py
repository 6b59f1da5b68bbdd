"""What a machine has, as plain values. Sizes are bytes, bandwidths bytes per second, temperatures degrees Celsius."""

from typing import Literal

import msgspec

from desktop.errors import Phrase

Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]


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


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The disk that holds the models folder."""

    path: str
    total: int
    free: int


class PcieLink(msgspec.Struct, frozen=True, kw_only=True):
    """Width is what the link runs at; generations drop when idle, so both are told."""

    generation: int | None = None
    generation_max: int | None = None
    width: int | None = None
    width_max: int | None = None


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card as its driver describes it.

    pci_address: "0000:c1:00.0" in lower case, the key by which it is joined with the engine's devices.
    bandwidth: theoretical memory bandwidth, 2 * memory clock * bus width / 8.
    backend: name of the engine device that drives it ("CUDA0"); None when the engine does not use it, then
    `unused_reason` says why. uses_ram: integrated, its memory is main memory.
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


class SourceProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A source of facts (NVML, sysfs ...) that was slow, broken or odd; the rest of the profile stands."""

    source: str
    what: Phrase

    @property
    def message(self) -> str:
        """What went wrong, in English; the window renders `what` in the person's language."""
        return self.what.render()


class BusCard(msgspec.Struct, frozen=True, kw_only=True):
    """A graphics card that is on the PCI bus and that no driver answers for; its memory is not known."""

    vendor: Vendor
    name: str
    pci_address: str


class HardwareProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found. `backends` are the engine's, filled by engine.inventory; empty until the engine was asked.

    silent_cards: cards without a working driver. vulkan_loader: whether the Vulkan library loads, None if not asked.
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
