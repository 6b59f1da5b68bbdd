"""What the doctor says of processor, memory, disk and Vulkan."""

from pathlib import Path

import msgspec
import pytest

from desktop.doctor.disk_speed import DiskSpeed
from desktop.doctor.engine_build import EngineBuild
from desktop.errors import Phrase
from desktop.hardware.types import Disk, Ram, Vulkan, VulkanDriver
from tests.support.doctor_values import GIB, GOOD_FACTS, MACHINE, changed, checked, engine, words


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("system", "features", "status", "found"),
    [
        ("Linux", ("avx", "avx2", "fma", "f16c"), "pass", "A processor, 8 cores, AVX2, FMA, F16C"),
        ("Linux", ("neon", "dotprod", "i8mm"), "pass", "A processor, 8 cores, NEON, dotprod, i8mm"),
        ("Linux", ("neon",), "pass", "A processor, 8 cores, NEON"),
        ("Linux", ("avx",), "warn", "A processor has no AVX2"),
        ("Linux", ("avx", "avx2"), "warn", "A processor has AVX2, but FMA, F16C are hidden from this system"),
        ("Windows 11", ("avx", "avx2"), "pass", "A processor, 8 cores, AVX2"),
        ("Linux", (), "skip", "A processor does not tell"),
    ],
)
async def test_the_processor(system: str, features: tuple[str, ...], status: str, found: str) -> None:
    cpu = msgspec.structs.replace(MACHINE.cpu, features=features)
    check = (await checked(changed(cpu=cpu, system=system)))["cpu"]
    assert (check.status, check.found.render()) == (status, found)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("features", "used", "status", "found"),
    [
        (("avx2", "fma"), "AVX2 = 1 | FMA = 1", "pass", "uses everything the processor has"),
        (
            ("avx2", "fma", "avx512f"),
            "AVX2 = 1 | FMA = 1",
            "pass",
            "uses all that matters; of AVX512 only long prompts",
        ),
        (("avx2", "fma"), "SSE3 = 1 | AVX = 1", "warn", "it does not use AVX2, FMA of this processor"),
        (("neon", "dotprod", "i8mm"), "NEON = 1 | DOTPROD = 1", "warn", "it does not use i8mm of this processor"),
        (("avx2",), "", "skip", "the engine or the processor does not tell"),
        ((), "AVX2 = 1", "skip", "the engine or the processor does not tell"),
    ],
)
async def test_what_the_engine_makes_of_the_processor(
    features: tuple[str, ...], used: str, status: str, found: str
) -> None:
    cpu = msgspec.structs.replace(MACHINE.cpu, features=features)
    info = engine(system_info=f"CPU : {used} | " if used else "")
    check = (await checked(changed(cpu=cpu), info))["cpu-build"]
    assert check.status == status
    assert check.found.render().startswith(found)


@pytest.mark.asyncio
async def test_what_another_backend_has_is_not_the_processors() -> None:
    info = engine(system_info="CUDA : ARCHS = 890 | FMA = 1 | CPU : AVX2 = 1 | ")
    cpu = msgspec.structs.replace(MACHINE.cpu, features=("avx2", "fma"))
    assert "FMA" in (await checked(changed(cpu=cpu), info))["cpu-build"].found.render()


@pytest.mark.asyncio
async def test_a_containers_limit_is_told_beside_the_machines_memory() -> None:
    ram = Ram(total=4 * GIB, available=3 * GIB, machine_total=64 * GIB)
    check = (await checked(changed(ram=ram)))["ram"]
    assert check.status == "warn"
    assert check.found.render() == "3.0 of 4.0 GiB available (a container's limit; the machine has 64.0 GiB)"
    assert "docker run --memory" in words(check)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("total", "available", "status"),
    [
        (32 * GIB, 20 * GIB, "pass"),
        (int(7.6 * GIB), 4 * GIB, "pass"),
        (32 * GIB, 1 * GIB, "warn"),
        (4 * GIB, 3 * GIB, "warn"),
        (1 * GIB, 1 * GIB, "fail"),
        (0, 0, "skip"),
    ],
)
async def test_main_memory(total: int, available: int, status: str) -> None:
    check = (await checked(changed(ram=Ram(total=total, available=available))))["ram"]
    assert check.status == status
    assert (check.remedy is not None) == (status in {"warn", "fail"})


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("total", "used", "status", "found"),
    [
        (8 * GIB, 6 * GIB, "warn", "6.0 of 8.0 GiB in use"),
        (8 * GIB, 1 * GIB, "pass", "1.0 of 8.0 GiB in use"),
        (1 * GIB, GIB - 1, "pass", "1.0 of 1.0 GiB in use"),
        (0, 0, "pass", "none"),
    ],
)
async def test_swap_counts_only_when_much_of_it_is_in_use(total: int, used: int, status: str, found: str) -> None:
    ram = Ram(total=32 * GIB, available=8 * GIB, swap_total=total, swap_used=used)
    check = (await checked(changed(ram=ram)))["swap"]
    assert (check.status, check.found.render()) == (status, found)


@pytest.mark.asyncio
@pytest.mark.parametrize(("free", "status"), [(100 * GIB, "pass"), (5 * GIB, "warn"), (GIB // 2, "fail")])
async def test_room_for_models_is_judged(free: int, status: str) -> None:
    disk = Disk(path="/", total=500 * GIB, free=free)
    check = (await checked(changed(disk=disk)))["disk"]
    assert check.status == status
    assert str(Path("/models")) in check.found.render()


@pytest.mark.asyncio
async def test_a_disk_that_does_not_answer_fails() -> None:
    check = (await checked(changed(disk=Disk(path="/", total=0, free=0))))["disk"]
    assert (check.status, check.found.render()) == ("fail", f"the disk with {Path('/models')} does not answer")


@pytest.mark.asyncio
async def test_a_folder_in_memory_keeps_nothing() -> None:
    disk = msgspec.structs.replace(MACHINE.disk, kind="memory")
    check = (await checked(changed(disk=disk)))["disk"]
    assert (check.status, check.found.render()) == (
        "warn",
        f"{Path('/models')} is in memory, so models are gone after a restart",
    )


@pytest.mark.asyncio
async def test_a_file_system_with_a_cache_of_its_own_is_not_believed() -> None:
    disk = msgspec.structs.replace(MACHINE.disk, file_system="zfs")
    check = (await checked(changed(disk=disk)))["disk-speed"]
    assert (check.status, check.found.render()) == (
        "skip",
        "not known: zfs answers from its own cache what was just written",
    )


async def of_speed(speed: DiskSpeed, kind: str | None = "nvme") -> tuple[str, str]:
    disk = msgspec.structs.replace(MACHINE.disk, kind=kind)
    facts = msgspec.structs.replace(GOOD_FACTS, disk_speed=speed)
    check = (await checked(changed(disk=disk), facts=facts))["disk-speed"]
    return check.status, words(check)


@pytest.mark.asyncio
async def test_a_fast_disk_says_what_a_model_takes() -> None:
    status, text = await of_speed(DiskSpeed(folder="/models", read=2.5e9, write=1.2e9))
    assert status == "pass"
    assert text.startswith("reads 2,500 MB/s, writes 1,200 MB/s: a model of 5 GB takes about 2 s the first time")


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "remedy"), [("hdd", "a folder on an SSD"), ("network", "on the network")])
async def test_a_slow_disk_is_a_warning(kind: str, remedy: str) -> None:
    status, text = await of_speed(DiskSpeed(folder="/models", read=90e6, write=80e6), kind)
    assert status == "warn"
    assert "takes about 56 s" in text
    assert remedy in text


@pytest.mark.asyncio
async def test_a_disk_that_was_not_measured_is_not_judged() -> None:
    unknown = Phrase.of("not measured: it is full")
    assert (await of_speed(DiskSpeed(folder="/models", write=1e9, unknown=unknown)))[0] == "skip"
    assert (await of_speed(DiskSpeed(folder="/models")))[0] == "skip"


# --- Vulkan ---------------------------------------------------------------------------------------------------------


def driver(name: str, *, found: bool | None = True) -> VulkanDriver:
    return VulkanDriver(manifest=f"/usr/share/vulkan/icd.d/{name}.x86_64.json", library=f"lib{name}.so", found=found)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("vulkan", "system", "status", "text"),
    [
        (Vulkan(loads=True, drivers=(driver("radeon_icd"),)), "Linux", "pass", "radeon_icd"),
        (Vulkan(loads=True, drivers=(driver("radeon_icd", found=None),)), "Linux", "pass", "radeon_icd"),
        (Vulkan(loads=True, drivers=(driver("lvp_icd"),)), "Linux", "warn", "compute on the processor: lvp_icd"),
        (Vulkan(loads=True, drivers=(driver("radeon_icd", found=False),)), "Linux", "warn", "no driver"),
        (Vulkan(loads=True), "Windows 11", "pass", "loader is installed"),
        (Vulkan(loads=False), "Linux", "fail", "apt install libvulkan1"),
        (Vulkan(loads=False), "Windows 11", "fail", "newest driver of the card"),
        (None, "Linux", "skip", "its loader did not answer"),
    ],
)
async def test_an_engine_for_vulkan_needs_loader_and_driver(
    vulkan: Vulkan | None, system: str, status: str, text: str
) -> None:
    build = EngineBuild(libraries=("cpu", "vulkan"))
    facts = msgspec.structs.replace(GOOD_FACTS, engine_build=build)
    check = (await checked(changed(vulkan=vulkan, vulkan_loader=None, system=system), facts=facts))["vulkan"]
    assert check.status == status
    assert text in words(check)


@pytest.mark.asyncio
async def test_another_engine_does_not_need_vulkan() -> None:
    check = (await checked(changed(vulkan=Vulkan(loads=False)), engine()))["vulkan"]
    assert (check.status, check.found.render()) == ("skip", "the engine was not built for Vulkan")
