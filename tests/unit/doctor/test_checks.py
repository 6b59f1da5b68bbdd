"""What the doctor says about machines of every kind."""

from pathlib import Path

import msgspec
import pytest

import desktop.doctor.engine
from desktop.doctor.check import Check
from desktop.doctor.run import run_checks
from desktop.engine.inventory import join_devices
from desktop.engine.protocol import DeviceKind, EngineDevice, EngineInfo
from desktop.errors import AppError, Phrase
from desktop.hardware.types import BusCard, Cpu, Disk, Gpu, HardwareProfile, PcieLink, Ram, SourceProblem
from desktop.library.starter import StarterModelMissing

GIB = 1 << 30

CARD = Gpu(
    name="RTX 4070",
    vendor="nvidia",
    vram_total=12 * GIB,
    vram_free=11 * GIB,
    pci_address="0000:c1:00.0",
    driver="550.54.14",
    pcie=PcieLink(generation=1, generation_max=4, width=16, width_max=16),
    resizable_bar=True,
)
MACHINE = HardwareProfile(
    system="Linux",
    cpu=Cpu(name="A processor", cores=8, threads=16, features=("avx", "avx2")),
    ram=Ram(total=32 * GIB, available=20 * GIB, swap_total=8 * GIB, swap_used=0),
    gpus=(),
    disk=Disk(path="/models", total=500 * GIB, free=100 * GIB),
    vulkan_loader=True,
)
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


def engine(*devices: EngineDevice) -> EngineInfo:
    return EngineInfo(
        version="1.0", system_info="", supports_gpu_offload=True, supports_rpc=True, devices=(PROCESSOR, *devices)
    )


async def checked(
    profile: HardwareProfile, info: EngineInfo | None = None, *, failure: AppError | None = None
) -> dict[str, Check]:
    joined = profile if info is None else join_devices(profile, info)
    checks = await run_checks(profile=joined, engine=info, models_folder=Path("/models"), engine_failure=failure)
    return {check.id: check for check in checks}


def with_card(**changes: object) -> HardwareProfile:
    return msgspec.structs.replace(MACHINE, gpus=(msgspec.structs.replace(CARD, **changes),))


@pytest.mark.asyncio
async def test_a_good_machine_with_a_card_has_nothing_to_mend() -> None:
    checks = await checked(with_card(), engine(CUDA))
    starter = checks.pop("starter-model")
    assert starter.status in {"pass", "warn"}  # depends on the set-up, and has tests of its own
    assert {check.id: check.status for check in checks.values()} == dict.fromkeys(checks, "pass")
    assert checks["gpu-offload"].found.render() == "CUDA0"
    assert all(check.remedy is None for check in checks.values())


@pytest.mark.asyncio
async def test_without_a_card_its_checks_are_skipped() -> None:
    checks = await checked(MACHINE, engine())
    skipped = {name for name, check in checks.items() if check.status == "skip"}
    assert skipped == {"nvidia-driver", "cudnn", "gpu-offload", "resizable-bar", "pcie-width"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("driver", "status"),
    [
        ("535.183.01", "pass"),
        ("534.99", "warn"),
        ("525.60.13", "warn"),
        ("525.59.99", "fail"),
        ("470.256.02", "fail"),
        (None, "warn"),
        ("nonsense", "warn"),
    ],
)
async def test_the_driver_is_judged_by_its_version(driver: str | None, status: str) -> None:
    check = (await checked(with_card(driver=driver), engine(CUDA)))["nvidia-driver"]
    assert check.status == status
    assert (check.remedy is None) == (status == "pass")


@pytest.mark.asyncio
async def test_a_card_without_a_driver_is_a_failure_with_a_remedy() -> None:
    silent = BusCard(vendor="nvidia", name="GA106 [GeForce RTX 3060]", pci_address="0000:01:00.0")
    check = (await checked(msgspec.structs.replace(MACHINE, silent_cards=(silent,))))["nvidia-driver"]
    assert check.status == "fail"
    assert check.found.render() == "GA106 [GeForce RTX 3060], without a working driver"
    assert check.remedy is not None


@pytest.mark.asyncio
async def test_a_driver_that_hangs_is_told_in_its_own_words() -> None:
    problem = SourceProblem(source="NVML", what=Phrase.of("NVML did not answer in time."))
    check = (await checked(msgspec.structs.replace(MACHINE, problems=(problem,))))["nvidia-driver"]
    assert (check.status, check.found.render()) == ("warn", "NVML did not answer in time.")
    assert check.remedy is not None
    assert check.remedy.render().startswith("Restart the computer")


@pytest.mark.asyncio
async def test_a_machine_that_was_not_read_completely_is_told() -> None:
    problem = SourceProblem(source="disk", what=Phrase.of("disk did not answer in time."))
    check = (await checked(msgspec.structs.replace(MACHINE, problems=(problem,))))["hardware"]
    assert (check.status, check.found.render()) == ("warn", "disk did not answer in time.")


@pytest.mark.asyncio
@pytest.mark.parametrize(("vendor", "backend"), [("nvidia", "cuda"), ("amd", "vulkan"), ("apple", "metal")])
async def test_a_card_the_engine_was_not_built_for_names_the_build(vendor: str, backend: str) -> None:
    check = (await checked(with_card(vendor=vendor), engine()))["gpu-offload"]
    assert check.status == "warn"
    assert "RTX 4070" in check.found.render()
    assert check.remedy is not None
    assert check.remedy.render() == f"Build the engine for it: make run BACKEND={backend}"


@pytest.mark.asyncio
async def test_a_card_the_right_engine_does_not_see_needs_a_driver_and_no_build() -> None:
    other = msgspec.structs.replace(CARD, name="RTX 3060", pci_address="0000:d1:00.0")
    check = (await checked(msgspec.structs.replace(MACHINE, gpus=(CARD, other)), engine(CUDA)))["gpu-offload"]
    assert check.found.render() == "not used, because the engine has no device for it: RTX 3060"
    assert check.remedy is not None
    assert "driver" in check.remedy.render()


@pytest.mark.asyncio
async def test_integrated_graphics_alone_is_no_reason_to_build_again() -> None:
    profile = with_card(vendor="intel", uses_ram=True)
    assert (await checked(profile, engine()))["gpu-offload"].status == "skip"


@pytest.mark.asyncio
async def test_a_failed_engine_hands_on_its_words() -> None:
    class EngineBroken(AppError):
        message = "The engine of {name} is broken."
        hint = "Build it again."

    check = (await checked(MACHINE, failure=EngineBroken(name="this machine")))["engine"]
    assert check.status == "fail"
    assert check.found.render() == "The engine of this machine is broken."
    assert check.remedy is not None
    assert check.remedy.render() == "Build it again."


@pytest.mark.asyncio
async def test_resizable_bar_that_is_off_names_the_card() -> None:
    check = (await checked(with_card(resizable_bar=False)))["resizable-bar"]
    assert (check.status, check.found.render()) == ("warn", "off for RTX 4070")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("width", "width_max", "status"),
    [(16, 16, "pass"), (8, 16, "pass"), (4, 16, "warn"), (4, 4, "pass"), (None, 16, "skip")],
)
async def test_a_narrow_link_is_told_unless_the_card_has_no_more(
    width: int | None, width_max: int, status: str
) -> None:
    link = PcieLink(generation=1, generation_max=4, width=width, width_max=width_max)
    assert (await checked(with_card(pcie=link)))["pcie-width"].status == status


@pytest.mark.asyncio
@pytest.mark.parametrize(("vendor", "status"), [("amd", "warn"), ("intel", "warn"), ("nvidia", "skip")])
async def test_a_missing_vulkan_loader_matters_to_amd_and_intel_cards(vendor: str, status: str) -> None:
    profile = msgspec.structs.replace(with_card(vendor=vendor), vulkan_loader=False)
    assert (await checked(profile))["vulkan"].status == status


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("features", "status"), [(("avx", "avx2"), "pass"), (("neon", "dotprod"), "pass"), (("avx",), "warn"), ((), "skip")]
)
async def test_the_processor_needs_avx2_or_neon(features: tuple[str, ...], status: str) -> None:
    cpu = msgspec.structs.replace(MACHINE.cpu, features=features)
    assert (await checked(msgspec.structs.replace(MACHINE, cpu=cpu)))["cpu"].status == status


@pytest.mark.asyncio
async def test_a_containers_limit_is_told_beside_the_machines_memory() -> None:
    ram = Ram(total=4 * GIB, available=3 * GIB, machine_total=64 * GIB)
    check = (await checked(msgspec.structs.replace(MACHINE, ram=ram)))["ram"]
    assert check.status == "warn"
    assert check.found.render() == "3.0 of 4.0 GiB available (a container's limit; the machine has 64.0 GiB)"


@pytest.mark.asyncio
async def test_a_machine_that_swaps_is_warned() -> None:
    ram = Ram(total=32 * GIB, available=GIB, swap_total=8 * GIB, swap_used=6 * GIB)
    check = (await checked(msgspec.structs.replace(MACHINE, ram=ram)))["swap"]
    assert (check.status, check.found.render()) == ("warn", "6.0 of 8.0 GiB in use")


@pytest.mark.asyncio
@pytest.mark.parametrize(("free", "status"), [(100 * GIB, "pass"), (5 * GIB, "warn"), (GIB // 2, "fail")])
async def test_room_for_models_is_judged(free: int, status: str) -> None:
    disk = Disk(path="/", total=500 * GIB, free=free)
    check = (await checked(msgspec.structs.replace(MACHINE, disk=disk)))["disk"]
    assert check.status == status
    assert "/models" in check.found.render()


@pytest.mark.asyncio
async def test_a_disk_that_does_not_answer_fails() -> None:
    disk = Disk(path="/", total=0, free=0)
    check = (await checked(msgspec.structs.replace(MACHINE, disk=disk)))["disk"]
    assert (check.status, check.found.render()) == ("fail", "the disk with /models does not answer")


@pytest.mark.asyncio
async def test_a_missing_starter_model_is_no_disaster(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise StarterModelMissing

    monkeypatch.setattr(desktop.doctor.engine, "starter_model", missing)
    check = (await checked(MACHINE))["starter-model"]
    assert check.status == "warn"
    assert check.remedy is not None
