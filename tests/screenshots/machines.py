"""Two machines to photograph: one with two graphics cards, one without any. The figures are of real parts."""

from desktop.doctor.disk_speed import DiskSpeed
from desktop.doctor.engine_build import EngineBuild
from desktop.doctor.facts import Facts
from desktop.engine.protocol import (
    DeviceKind,
    DeviceMemory,
    DeviceSpeeds,
    EngineDevice,
    EngineInfo,
    LayerSpeed,
    LoadedModel,
    TypeSpeed,
)
from desktop.hardware.types import (
    Cpu,
    Disk,
    Gpu,
    GpuSample,
    HardwareProfile,
    HardwareSample,
    PcieLink,
    Ram,
)
from desktop.ui.pages.hardware.speeds import SpeedRow

GIB = 1024**3

RTX_4070 = Gpu(
    name="NVIDIA GeForce RTX 4070",
    vendor="nvidia",
    vram_total=12282 * 1024**2,
    vram_free=11600 * 1024**2,
    pci_address="0000:01:00.0",
    bandwidth=504_000_000_000,
    driver="560.35",
    cuda_version="12.6",
    compute_capability="8.9",
    pcie=PcieLink(generation=4, generation_max=4, width=16, width_max=16),
    resizable_bar=True,
    backend="CUDA0",
)
RTX_3060 = Gpu(
    name="NVIDIA GeForce RTX 3060",
    vendor="nvidia",
    vram_total=8192 * 1024**2,
    vram_free=7900 * 1024**2,
    pci_address="0000:02:00.0",
    bandwidth=240_000_000_000,
    driver="560.35",
    cuda_version="12.6",
    compute_capability="8.6",
    pcie=PcieLink(generation=3, generation_max=4, width=4, width_max=16),
    resizable_bar=False,
    backend="CUDA1",
)
TWO_CARDS = HardwareProfile(
    system="Linux",
    cpu=Cpu(name="AMD Ryzen 7 7700", cores=8, threads=16, features=("avx2", "avx512f", "fma", "f16c")),
    ram=Ram(total=32 * GIB, available=25 * GIB, swap_total=8 * GIB),
    gpus=(RTX_4070, RTX_3060),
    disk=Disk(path="/home/ada/.local/share/snug/models", total=931 * GIB, free=112 * GIB),
    backends=("CUDA", "CPU"),
)
NO_CARD = HardwareProfile(
    system="Linux",
    cpu=Cpu(name="Intel Core i5-8250U", cores=4, threads=8, features=("avx2", "fma", "f16c")),
    ram=Ram(total=16 * GIB, available=11 * GIB, swap_total=4 * GIB),
    gpus=(),
    disk=Disk(path="/home/ada/.local/share/snug/models", total=238 * GIB, free=61 * GIB),
    backends=("CPU",),
)
SAMPLE = HardwareSample(
    time=0.0,
    ram_total=32 * GIB,
    ram_used=7 * GIB,
    ram_used_by_us=1 * GIB,
    gpus=(
        GpuSample(
            name=RTX_4070.name,
            vram_total=RTX_4070.vram_total,
            vram_used=int(6.8 * GIB),
            used_by_us=int(6.0 * GIB),
            utilization=64.0,
            temperature=58.0,
            power=141.0,
            pci_address=RTX_4070.pci_address,
        ),
        GpuSample(
            name=RTX_3060.name,
            vram_total=RTX_3060.vram_total,
            vram_used=int(2.9 * GIB),
            used_by_us=int(2.6 * GIB),
            utilization=41.0,
            temperature=52.0,
            power=88.0,
            pci_address=RTX_3060.pci_address,
        ),
    ),
)


FACTS = Facts(
    engine_build=EngineBuild(libraries=("base", "cpu", "cuda"), cuda=12),
    disk_speed=DiskSpeed(folder="/home/ada", read=3.1e9, write=1.2e9),
)
"""What the doctor itself would find there."""


def engine_of(profile: HardwareProfile) -> EngineInfo:
    """What an engine built for these cards would say."""
    cards = tuple(
        EngineDevice(
            name=gpu.backend or "",
            description=gpu.name,
            kind=DeviceKind.GPU,
            backend="CUDA",
            memory_total=gpu.vram_total,
            memory_free=gpu.vram_free,
            pci_address=gpu.pci_address,
        )
        for gpu in profile.gpus
    )
    return EngineInfo(
        version="b6000",
        system_info="CPU : AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | AVX512 = 1 | ",
        supports_gpu_offload=bool(cards),
        supports_rpc=True,
        devices=cards,
    )


def speed_rows(profile: HardwareProfile, *, measured: bool = True) -> list[SpeedRow]:
    """What the speed card shows: four fifths of what the memory of each device could do, and a processor of its time.

    Figures of that size, not of a measurement; docs/benchmarks.md has those.
    """
    devices = [(gpu.name, 0, (gpu.bandwidth or 0) * 0.8, (gpu.bandwidth or 0) * 45.0) for gpu in profile.gpus]
    devices.append((profile.cpu.name, profile.cpu.cores, profile.cpu.cores * 4.4e9, profile.cpu.cores * 55e9))
    return [SpeedRow(name, _speeds(name, *values) if measured else None) for name, *values in devices]


def _speeds(name: str, threads: float, read: float, compute: float) -> DeviceSpeeds:
    layer = LayerSpeed(start=0.0, value=0.0)
    types = tuple(
        TypeSpeed(
            kind=kind,
            read_wide=read * part,
            read_narrow=read * part,
            compute_wide=compute * part,
            compute_narrow=compute * part,
        )
        for kind, part in (("f16", 1.0), ("q8_0", 0.93), ("q6_K", 0.83), ("q4_K", 0.75))
    )
    return DeviceSpeeds(
        device=name,
        description=name,
        threads=int(threads),
        product=0.0,
        decode_layer=layer,
        prefill_layer=layer,
        types=types,
        attention=(),
    )


LOADED = LoadedModel(
    name="Qwen3 8B",
    architecture="qwen3",
    n_layer=36,
    n_ctx=16384,
    n_ctx_train=40960,
    n_vocab=151936,
    n_params=8_190_000_000,
    n_threads=8,
    has_chat_template=True,
    layers=("CUDA0",) * 27 + ("CUDA1",) * 10,
    memory=(
        DeviceMemory(device="CUDA0", weights=int(4.1 * GIB), kv=int(1.5 * GIB), compute=int(0.4 * GIB)),
        DeviceMemory(device="CUDA1", weights=int(1.5 * GIB), kv=int(0.6 * GIB), compute=int(0.5 * GIB)),
    ),
    load_seconds=3.2,
    speculation="prompt_lookup",
    speculation_reason="when_faster",
)
