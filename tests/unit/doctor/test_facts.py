"""The facts that only the doctor asks about, from real files and a real disk."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import desktop.doctor.disk_speed
import desktop.doctor.facts
from desktop.doctor.disk_speed import KEPT_FREE, measure_disk
from desktop.doctor.engine_build import cuda_architectures, instruction_sets, read_engine_build
from desktop.doctor.facts import find_facts
from tests.support.doctor_values import MACHINE

MIB = 1 << 20


def test_the_disk_is_measured_and_nothing_stays_behind(tmp_path: Path) -> None:
    speed = measure_disk(tmp_path / "models" / "not" / "there" / "yet", most_bytes=8 * MIB)
    assert speed.folder == str(tmp_path)
    assert speed.write
    assert speed.write > 0
    assert (speed.read is None) == (speed.unknown is not None), "either a figure or the reason why there is none"
    assert list(tmp_path.iterdir()) == []


def test_a_measurement_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = os.write

    def counted(file: int, block: bytes) -> int:
        written.append(write(file, block))
        return written[-1]

    monkeypatch.setattr("desktop.doctor.disk_speed.os.write", counted)
    measure_disk(tmp_path, most_bytes=8 * MIB, seconds=60)
    assert sum(written) == 8 * MIB


def test_a_measurement_is_bounded_in_time(tmp_path: Path) -> None:
    """One block is written and read, however little time there is."""
    assert measure_disk(tmp_path, most_bytes=1 << 40, seconds=0).write


def test_a_nearly_full_disk_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=KEPT_FREE - 1)
    monkeypatch.setattr("desktop.doctor.disk_speed.shutil.disk_usage", lambda _path: usage)
    monkeypatch.setattr("desktop.doctor.disk_speed.tempfile.TemporaryFile", None)
    speed = measure_disk(tmp_path)
    assert speed.unknown is not None
    assert "nearly full" in speed.unknown.render()
    assert (speed.read, speed.write) == (None, None)


def test_a_folder_that_may_not_be_written_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desktop.doctor.disk_speed.os.access", lambda *_arguments: False)
    speed = measure_disk(tmp_path)
    assert speed.unknown is not None
    assert "may not write" in speed.unknown.render()


def test_a_system_that_answers_from_memory_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop.doctor.disk_speed, "_past_cache", lambda _file: False)
    speed = measure_disk(tmp_path, most_bytes=4 * MIB)
    assert speed.read is None
    assert speed.unknown is not None
    assert "from memory" in speed.unknown.render()


# --- the engine's files ---------------------------------------------------------------------------------------------


def linked_library(folder: Path, runtime: str) -> None:
    """A real libggml-cuda.so that needs `runtime`, as the linker writes it."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler that makes ELF files")
    source = folder / "empty.c"
    source.write_text("int empty(void) { return 0; }\n")
    needed, library = folder / runtime, folder / "libggml-cuda.so.0.25.3"
    shared = [compiler, "-shared", "-fPIC", str(source)]
    subprocess.run([*shared, f"-Wl,-soname,{runtime}", "-o", str(needed)], check=True)
    subprocess.run([*shared, "-Wl,--no-as-needed", str(needed), "-o", str(library)], check=True)
    (folder / "libggml-cuda.so").symlink_to(library)
    (folder / "libggml-cpu.so").touch()


@pytest.mark.parametrize(
    ("runtime", "major"), [("libcudart.so.12", 12), ("libcublas.so.13", 13), ("libother.so.1", None)]
)
def test_the_cuda_version_is_read_from_what_the_library_needs(tmp_path: Path, runtime: str, major: int | None) -> None:
    linked_library(tmp_path, runtime)
    build = read_engine_build(tmp_path)
    assert (build.libraries, build.cuda) == (("cpu", "cuda"), major)


def test_a_windows_library_names_its_runtime_with_the_version(tmp_path: Path) -> None:
    (tmp_path / "ggml-cuda.dll").write_bytes(b"MZ" + bytes(5 * MIB) + b"\0cudart64_12.dll\0")
    assert read_engine_build(tmp_path).cuda == 12


def test_a_name_on_the_border_of_two_reads_is_found(tmp_path: Path) -> None:
    (tmp_path / "libggml-cuda.so").write_bytes(bytes(4 * MIB - 8) + b"libcudart.so.11\0")
    assert read_engine_build(tmp_path).cuda == 11


def test_the_installed_engine_has_a_processor_backend() -> None:
    assert any(name.startswith("cpu") for name in read_engine_build().libraries)


def test_what_the_engine_says_of_itself() -> None:
    info = "CUDA : ARCHS = 500,610,1200 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX2 = 1 | SVE_CNT = 16 | AVX512 = 0 | "
    assert cuda_architectures(info) == (50, 61, 120)
    assert instruction_sets(info) == {"SSE3", "AVX2"}
    assert cuda_architectures("CPU : AVX2 = 1") == ()
    assert instruction_sets("") == frozenset()


# --- together -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_fact_that_takes_too_long_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(desktop.doctor.facts, "measure_disk", lambda _folder: released.wait(30))
    facts = await find_facts(MACHINE, models_folder=tmp_path, timeout=3.0)
    released.set()
    assert facts.disk_speed.unknown is not None
    assert "took longer" in facts.disk_speed.unknown.render()
    assert facts.engine_build.libraries, "the others were answered"
    await wait_for_threads()


@pytest.mark.asyncio
async def test_a_disk_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(desktop.doctor.facts, "measure_disk", fail)
    facts = await find_facts(MACHINE, models_folder=tmp_path)
    assert facts.disk_speed.unknown is not None
    assert facts.disk_speed.unknown.render() == "not known: Input/output error"


async def wait_for_threads() -> None:
    """Until the thread that was given up has seen that it may end."""
    while any(thread.name.startswith("doctor:") for thread in threading.enumerate()):
        await asyncio.sleep(0.01)
