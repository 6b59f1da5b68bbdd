"""The whole probe through its real child, with a real library in place of the driver's."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import desktop.hardware.pipe
from desktop.hardware.probe import probe_hardware
from desktop.hardware.types import HardwareProfile, PcieLink
from tests.unit.hardware.conftest import PATIENT, UseStub

GIB = 1 << 30


def probe(folder: Path, sources: float = PATIENT) -> HardwareProfile:
    """sources: seconds that the child gives them."""
    return asyncio.run(probe_hardware(models_folder=folder, timeout=sources + PATIENT))


def test_this_machine_is_described(tmp_path: Path) -> None:
    profile = probe(tmp_path / "models" / "not yet there")
    assert profile.cpu.name
    assert 1 <= profile.cpu.cores <= profile.cpu.threads
    assert 0 < profile.ram.available <= profile.ram.total
    assert 0 < profile.disk.free <= profile.disk.total
    assert profile.disk.path == str(tmp_path / "models" / "not yet there")
    assert not (tmp_path / "models").exists()
    assert {"CPU", "memory", "disk", "Vulkan"} <= {source.source for source in profile.sources}
    assert all(source.outcome == "answered" and source.seconds >= 0 for source in profile.sources)
    assert profile.vulkan is not None
    assert profile.vulkan.loads == profile.vulkan_loader


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_names_that_are_no_text_cost_nothing(
    tmp_path: Path, use_stub: UseStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / os.fsdecode(b"driv\xe9r.json")
    manifest.write_text('{"ICD": {"library_path": "libsurely-not-installed-anywhere.so"}}')
    monkeypatch.setenv("VK_DRIVER_FILES", str(manifest))
    use_stub()
    profile = probe(tmp_path / os.fsdecode(b"mod\xe8les"))
    assert len(profile.gpus) == 2
    assert profile.vulkan is not None
    assert [driver.manifest for driver in profile.vulkan.drivers] == [f"{tmp_path}/driv\\udce9r.json"]
    assert (profile.disk.path, profile.disk.total > 0) == (f"{tmp_path}/mod\\udce8les", True)
    assert profile.problems == ()


def test_two_cards_are_found_with_their_figures(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub()
    profile = probe(tmp_path)
    first, second = profile.gpus
    assert (first.name, second.name) == ("NVIDIA GeForce RTX 4070", "NVIDIA GeForce RTX 3060")
    assert (first.vram_total, second.vram_total) == (12 * GIB, 8 * GIB)
    assert first.vram_total - first.vram_free == pytest.approx(6.8 * GIB, abs=1)
    assert (first.pci_address, second.pci_address) == ("0000:c1:00.0", "0000:d1:00.0")
    # The makers' own figures: 504 GB/s for the 4070, 240 GB/s for the 3060 with 8 GB.
    assert (first.bandwidth, second.bandwidth) == (504_048_000_000, 240_032_000_000)
    assert (first.driver, first.cuda_version, first.compute_capability) == ("550.54.14", "12.4", "8.9")
    assert second.pcie == PcieLink(generation=1, generation_max=4, width=4, width_max=16)
    assert first.resizable_bar is True
    assert profile.problems == ()


def test_a_small_window_means_resizable_bar_is_off(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(bar1_mib="256")
    assert [gpu.resizable_bar for gpu in probe(tmp_path).gpus] == [False, False]


def test_a_driver_that_hangs_costs_only_its_own_facts(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="hang")
    profile = probe(tmp_path, sources=4.0)
    assert profile.gpus == ()
    # The child's own deadline came first, so it was not killed.
    assert [problem.message for problem in profile.problems] == ["NVML did not answer in time."]
    assert profile.cpu.name
    assert profile.ram.total > 0
    assert profile.disk.total > 0


def test_a_broken_driver_is_told(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="error")
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert [problem.message for problem in profile.problems] == ["NVML failed: NVMLError_Unknown: Unknown Error"]


def test_a_machine_without_nvidia_has_no_problem(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="no_driver")
    profile = probe(tmp_path)
    assert (profile.gpus, profile.problems) == ((), ())


def test_a_card_that_fell_off_the_bus_leaves_the_others(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="lost")
    profile = probe(tmp_path)
    assert [gpu.name for gpu in profile.gpus] == ["NVIDIA GeForce RTX 4070"]
    assert [(card.name, card.reason, card.index) for card in profile.lost_cards] == [
        ("NVIDIA GeForce RTX 3060", "lost", 1)
    ]
    assert "RTX 3060 is lost to its driver" in profile.problems[0].message


def test_an_old_driver_tells_what_it_can(tmp_path: Path, use_stub: UseStub, old_stub_nvml: Path) -> None:
    use_stub(library=old_stub_nvml)
    profile = probe(tmp_path)
    first = profile.gpus[0]
    assert (first.vram_total, first.driver) == (12 * GIB, "550.54.14")
    assert (first.bandwidth, first.resizable_bar, first.compute_capability) == (None, None, None)
    assert first.pcie == PcieLink()
    (problem,) = profile.problems
    assert "550.54.14 is old" in problem.message
    assert "nvmlDeviceGetMemoryInfo" in problem.message


def test_more_free_than_there_is_is_not_believed(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub("RTX 4070:12:6.8", fault="lying")
    profile = probe(tmp_path)
    assert profile.gpus[0].vram_free == pytest.approx(5.2 * GIB, abs=2)
    assert "what cannot be" in profile.problems[0].message


def test_a_card_with_an_impossible_size_is_left_out_and_told(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub("RTX 4070:12:6.8", fault="garbage")
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert f"{1 << 60} bytes" in profile.problems[0].message


def test_a_relative_library_path_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNUG_NVML_LIBRARY", "libevil.so")
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert "must be an absolute path" in profile.problems[0].message


@pytest.mark.allow_log("The hardware probe ended with exit code -6")
def test_a_driver_that_kills_the_probe_leaves_the_rest_of_the_machine(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="crash")
    profile = probe(tmp_path)
    assert profile.gpus == ()
    assert profile.cpu.name
    assert profile.ram.total > 0
    assert profile.disk.total > 0
    assert profile.problems[0].message == "The look at the hardware ended unexpectedly (exit code -6)."


def test_a_child_that_never_answers_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(desktop.hardware.pipe, "child_command", lambda *_: asleep)
    profile = asyncio.run(probe_hardware(models_folder=tmp_path, timeout=0.5))
    assert profile.problems[0].message == "The look at the hardware did not end within 0 s."
    assert profile.ram.total > 0


def test_a_child_that_cannot_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop.hardware.pipe, "child_command", lambda *_: [str(tmp_path / "no such program")])
    profile = probe(tmp_path)
    assert "no such program" in profile.problems[0].message
    assert profile.disk.total > 0


def test_giving_up_early_leaves_no_child(tmp_path: Path, use_stub: UseStub) -> None:
    use_stub(fault="hang")

    async def give_up() -> None:
        task = asyncio.create_task(probe_hardware(models_folder=tmp_path, timeout=30))
        while not (children := psutil.Process().children()):
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert not any(child.is_running() for child in children)

    asyncio.run(give_up())


def test_the_owner_never_loads_a_drivers_binding() -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from desktop.hardware.probe import probe_hardware\n"
        "from desktop.hardware.sampler import HardwareSampler\n"
        "asyncio.run(probe_hardware(models_folder=pathlib.Path('.')))\n"
        "print('pynvml' in sys.modules)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "False"
