"""Processor, memory, disk and a container's limits."""

import threading
from pathlib import Path

import msgspec
import psutil
import pytest

import desktop.hardware.read
from desktop.hardware.cgroup import Cgroup
from desktop.hardware.cpu import parse_cpuinfo, parse_sysctl, usable_threads
from desktop.hardware.disk import read_disk
from desktop.hardware.memory import read_ram
from desktop.hardware.read import read_basics, read_hardware
from desktop.hardware.sources import failed_source
from desktop.hardware.types import BusCard, Disk

GIB = 1 << 30
PATIENT = 20.0

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: 13th Gen Intel(R) Core(TM) i7-13700K
flags\t\t: fpu sse4_2 avx f16c fma avx2 avx_vnni

processor\t: 1
model name\t: something else
flags\t\t: fpu
"""
ARM = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes asimddp sve i8mm
CPU implementer\t: 0x41
"""


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")
    return folder


def version_2(tmp_path: Path, path: str = "/") -> Cgroup:
    (tmp_path / "self").write_text(f"0::{path}\n")
    return Cgroup(root=tmp_path / "cgroup", membership=tmp_path / "self")


def test_an_x86_processor_tells_its_name_and_features() -> None:
    name, features = parse_cpuinfo(X86)
    assert name == "13th Gen Intel(R) Core(TM) i7-13700K"
    assert features == ("avx", "avx2", "fma", "f16c", "avx_vnni")


def test_an_arm_processor_tells_its_features() -> None:
    name, features = parse_cpuinfo(ARM)
    assert name
    assert features == ("neon", "dotprod", "sve", "i8mm")


def test_a_mac_tells_its_name_and_features() -> None:
    name, features = parse_sysctl(
        {
            "machdep.cpu.brand_string": "Apple M2 Pro",
            "hw.optional.neon": "1",
            "hw.optional.arm.FEAT_DotProd": "1",
            "hw.optional.arm.FEAT_I8MM": "0",
        }
    )
    assert (name, features) == ("Apple M2 Pro", ("neon", "dotprod"))


def test_without_a_limit_the_machines_memory_counts(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", memory__max="max", cpu__max="max 100000")
    ram = read_ram(version_2(tmp_path))
    assert ram.total == psutil.virtual_memory().total
    assert ram.machine_total is None


def test_a_containers_limit_counts_and_the_machines_memory_is_told(tmp_path: Path) -> None:
    write(
        tmp_path / "cgroup",
        memory__max=str(GIB),
        memory__current=str(GIB // 2),
        memory__stat=f"anon 5\ninactive_file {GIB // 4}",
    )
    ram = read_ram(version_2(tmp_path))
    assert ram.total == GIB
    # File pages that can be dropped at once are free for us: half of it used, a quarter of that droppable.
    assert ram.available == min(GIB * 3 // 4, psutil.virtual_memory().available)
    assert ram.machine_total == psutil.virtual_memory().total


def test_a_parents_lower_limit_counts(tmp_path: Path) -> None:
    write(tmp_path / "cgroup" / "service", memory__max=str(GIB), cpu__max="150000 100000")
    write(tmp_path / "cgroup" / "service" / "inner", memory__max=str(2 * GIB), cpu__max="max 100000")
    cgroup = version_2(tmp_path, "/service/inner")
    assert cgroup.memory_limit() == GIB
    assert cgroup.cpu_limit() == pytest.approx(1.5)


def test_what_other_members_of_a_parent_use_is_not_available(tmp_path: Path) -> None:
    slice_ = write(
        tmp_path / "cgroup" / "user.slice",
        memory__max=str(GIB),
        memory__current=str(GIB * 7 // 8),
        memory__stat=f"inactive_file {GIB // 16}",
    )
    write(
        slice_ / "app.scope", memory__max=str(GIB // 2), memory__current=str(GIB // 8), memory__stat="inactive_file 0"
    )
    cgroup = version_2(tmp_path, "/user.slice/app.scope")
    ram = read_ram(cgroup)
    assert (cgroup.memory_limit(), cgroup.memory_left()) == (GIB // 2, GIB * 3 // 16)
    assert (ram.total, ram.available) == (GIB // 2, min(GIB * 3 // 16, psutil.virtual_memory().available))


def test_a_level_whose_use_is_not_told_leaves_its_limit(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", memory__max=str(GIB))
    assert version_2(tmp_path).memory_left() == GIB


def test_version_1_is_read_as_well(tmp_path: Path) -> None:
    write(tmp_path / "cgroup" / "memory", memory__limit_in_bytes=str(GIB), memory__usage_in_bytes=str(GIB // 8))
    write(tmp_path / "cgroup" / "cpu", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    (tmp_path / "self").write_text("4:memory:/\n3:cpu,cpuacct:/\n")
    cgroup = Cgroup(root=tmp_path / "cgroup", membership=tmp_path / "self")
    assert (cgroup.memory_limit(), cgroup.memory_left(), cgroup.cpu_limit()) == (GIB, GIB * 7 // 8, 4.0)


def test_version_1_writes_no_limit_as_a_huge_number(tmp_path: Path) -> None:
    write(tmp_path / "cgroup" / "memory", memory__limit_in_bytes="9223372036854771712")
    assert Cgroup(root=tmp_path / "cgroup", membership=tmp_path / "none").memory_limit() is None


def test_half_a_processor_still_means_one_thread(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", cpu__max="50000 100000")
    assert usable_threads(4, version_2(tmp_path)) == 1


def test_the_disk_of_a_folder_that_is_not_there_yet_is_found(tmp_path: Path) -> None:
    disk = read_disk(tmp_path / "not" / "yet")
    assert disk.path == str(tmp_path / "not" / "yet")
    assert 0 < disk.free <= disk.total


def test_a_network_disk_that_is_gone_costs_only_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(desktop.hardware.read, "read_disk", lambda _folder: end.wait())
    profile = read_basics(models_folder=tmp_path, timeout=2.0)
    assert not end.is_set()
    end.set()
    assert (profile.disk.path, profile.disk.total) == (str(tmp_path), 0)
    assert [problem.message for problem in profile.problems] == ["disk did not answer in time."]
    assert profile.ram.total > 0


@pytest.mark.parametrize("slow", [True, False])
def test_a_vulkan_loader_that_nobody_answers_for_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    end = threading.Event()

    def ask() -> None:
        if not slow:
            raise OSError("broken")
        end.wait()

    monkeypatch.setattr(desktop.hardware.read, "read_vulkan", ask)
    monkeypatch.setattr(desktop.hardware.read, "_card_sources", dict)
    profile = read_hardware(models_folder=tmp_path, timeout=2.0 if slow else PATIENT)
    end.set()
    assert (profile.vulkan, profile.vulkan_loader) == (None, None)
    said = [problem.message for problem in profile.problems if problem.source == "Vulkan"]
    assert said == ["Vulkan did not answer in time." if slow else "Vulkan failed: OSError: broken"]


def test_an_answer_that_cannot_be_written_costs_its_own_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(path="d\udce9vice", total=1, free=1)
    monkeypatch.setattr(desktop.hardware.read, "read_disk", lambda _folder: disk)
    profile = read_basics(models_folder=tmp_path, timeout=PATIENT)
    assert profile.disk == Disk(path=str(tmp_path), total=0, free=0)
    assert "surrogates not allowed" in profile.problems[0].message
    assert msgspec.json.encode(profile)


def test_the_words_of_an_error_can_always_be_written() -> None:
    assert failed_source("a driver", OSError("no \udce9")).message == "a driver failed: OSError: no \\udce9"


def test_a_card_of_any_maker_without_a_driver_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_the_bus = {
        "nvidia": (BusCard(vendor="nvidia", name="GA106", pci_address="0000:01:00.0"),),
        "amd": (BusCard(vendor="amd", name="Navi 31", pci_address="0000:02:00.0"),),
    }
    monkeypatch.setattr(desktop.hardware.read, "silent_cards", lambda vendor: on_the_bus.get(vendor, ()))
    monkeypatch.setattr(desktop.hardware.read, "_card_sources", dict)
    monkeypatch.setattr("desktop.hardware.read.platform.system", lambda: "Linux")
    profile = read_hardware(models_folder=tmp_path, timeout=PATIENT)
    assert [card.name for card in profile.silent_cards] == ["GA106", "Navi 31"]
    assert [problem.message.split(" is in")[0] for problem in profile.problems] == ["GA106", "Navi 31"]
