"""What a machine has, as plain values. Sizes are bytes, bandwidths bytes per second, temperatures degrees Celsius."""

from typing import Literal

import msgspec

Vendor = Literal["nvidia", "amd", "intel", "apple", "other"]


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the immutable values."""


class Cpu(Value):
    """The processor. `cores` are physical, `threads` logical; `features` the instruction sets that matter to ggml."""

    name: str
    cores: int
    threads: int
    features: tuple[str, ...] = ()


class Ram(Value):
    """Main memory and swap."""

    total: int
    available: int
    swap_total: int = 0
    swap_used: int = 0


class Disk(Value):
    """The disk that holds the models folder."""

    path: str
    total: int
    free: int


class PcieLink(Value):
    """Width is what the link runs at; generations drop when idle, so both are told."""

    generation: int | None = None
    generation_max: int | None = None
    width: int | None = None
    width_max: int | None = None


class Gpu(Value):
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


class SourceProblem(Value):
    """A source of facts (NVML, sysfs ...) that was missing, slow or odd; the rest of the profile stands."""

    source: str
    message: str


class HardwareProfile(Value):
    """Everything found. `backends` are the engine's, filled by engine.inventory; empty until the engine was asked."""

    system: str
    cpu: Cpu
    ram: Ram
    gpus: tuple[Gpu, ...]
    disk: Disk
    backends: tuple[str, ...] = ()
    problems: tuple[SourceProblem, ...] = ()


class GpuSample(Value):
    """One GPU at one moment. used_by_us: bytes of our own processes, None where the driver does not tell."""

    name: str
    vram_total: int
    vram_used: int
    used_by_us: int | None = None
    utilization: float | None = None
    temperature: float | None = None
    power: float | None = None
    pci_address: str | None = None


class HardwareSample(Value):
    """The machine at one moment; `time` is time.monotonic() of the sampling process."""

    time: float
    ram_total: int
    ram_used: int
    ram_used_by_us: int
    gpus: tuple[GpuSample, ...] = ()
