"""Machines for the doctor, as plain values: one where everything is as it should be, and the ways to change it."""

from pathlib import Path

import msgspec

from desktop.doctor.check import Check
from desktop.doctor.disk_speed import DiskSpeed
from desktop.doctor.engine_build import EngineBuild
from desktop.doctor.facts import Facts
from desktop.doctor.kernel_log import KernelLog
from desktop.doctor.run import run_checks
from desktop.engine.inventory import join_devices
from desktop.engine.protocol import DeviceKind, EngineDevice, EngineInfo
from desktop.errors import AppError
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, PcieLink, Ram, Vulkan, VulkanDriver

GIB = 1 << 30

CARD = Gpu(
    name="RTX 4070",
    vendor="nvidia",
    vram_total=12 * GIB,
    vram_free=11 * GIB,
    pci_address="0000:c1:00.0",
    driver="550.54.14",
    cuda_version="12.4",
    compute_capability="8.9",
    pcie=PcieLink(generation=4, generation_max=4, width=16, width_max=16),
    resizable_bar=True,
    bar1_total=16 * GIB,
    throttle=(),
)
MACHINE = HardwareProfile(
    system="Linux 6.8 x86_64",
    cpu=Cpu(name="A processor", cores=8, threads=16, features=("avx", "avx2", "fma", "f16c")),
    ram=Ram(total=32 * GIB, available=20 * GIB, swap_total=8 * GIB, swap_used=0),
    gpus=(),
    disk=Disk(path="/models", total=500 * GIB, free=100 * GIB, kind="nvme"),
    vulkan_loader=True,
    vulkan=Vulkan(
        loads=True,
        version="1.3.275",
        drivers=(
            VulkanDriver(manifest="/usr/share/vulkan/icd.d/nvidia_icd.json", library="libGLX_nvidia.so.0", found=True),
            VulkanDriver(manifest="/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", library="lvp.so", found=True),
        ),
    ),
)
GOOD_FACTS = Facts(
    kernel_log=KernelLog(),
    engine_build=EngineBuild(libraries=("base", "cpu", "cuda"), cuda=12),
    disk_speed=DiskSpeed(folder="/models", read=1.5e9, write=0.5e9),
)
NO_CUDA = EngineBuild(libraries=("base", "cpu"))
SYSTEM_INFO = "CUDA : ARCHS = 750,800,860,890 | USE_GRAPHS = 1 | CPU : AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | "

PROCESSOR = EngineDevice(
    name="CPU", description="A processor", kind=DeviceKind.CPU, backend="CPU", memory_total=GIB, memory_free=GIB
)
CUDA = EngineDevice(
    name="CUDA0",
    description="RTX 4070",
    kind=DeviceKind.GPU,
    backend="CUDA",
    memory_total=12 * GIB,
    memory_free=11 * GIB,
    pci_address="0000:c1:00.0",
)


def engine(*devices: EngineDevice, system_info: str = SYSTEM_INFO) -> EngineInfo:
    """An engine with these devices beside the processor."""
    return EngineInfo(
        version="1.0",
        system_info=system_info,
        supports_gpu_offload=True,
        supports_rpc=True,
        devices=(PROCESSOR, *devices),
    )


async def checked(
    profile: HardwareProfile,
    info: EngineInfo | None = None,
    *,
    failure: AppError | None = None,
    facts: Facts = GOOD_FACTS,
) -> dict[str, Check]:
    """What the doctor says, by the ids of its checks."""
    joined = profile if info is None else join_devices(profile, info)
    checks = await run_checks(
        profile=joined, engine=info, models_folder=Path("/models"), engine_failure=failure, facts=facts
    )
    return {check.id: check for check in checks}


def with_card(**changes: object) -> HardwareProfile:
    """The machine with one card, which differs from CARD in `changes`."""
    return msgspec.structs.replace(MACHINE, gpus=(msgspec.structs.replace(CARD, **changes),))


def with_cards(*cards: Gpu, **changes: object) -> HardwareProfile:
    """The machine with these cards, which differs from MACHINE in `changes`."""
    return msgspec.structs.replace(MACHINE, gpus=cards, **changes)


def changed(**changes: object) -> HardwareProfile:
    """The machine without a card, which differs from MACHINE in `changes`."""
    return msgspec.structs.replace(MACHINE, **changes)


def another_card(**changes: object) -> Gpu:
    """A second card."""
    fields: dict[str, object] = {"name": "RTX 3060", "pci_address": "0000:d1:00.0"}
    return msgspec.structs.replace(CARD, **(fields | changes))


def words(check: Check) -> str:
    """Everything a person reads of it."""
    return " | ".join(phrase.render() for phrase in (check.found, check.wanted, check.remedy) if phrase is not None)
