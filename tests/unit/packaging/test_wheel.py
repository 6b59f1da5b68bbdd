"""The engine's wheel is kept under a key of all it depends on, and a half or harmed one is never used."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from snug_setup import wheel
from snug_setup.backend import Choice
from snug_setup.missing import SetupError
from snug_setup.wheel import Recipe, check_libraries, cpu_features, find_wheel, obtain_wheel, recipe, wheel_folder

CPU = Choice("cpu", "a test")
MADE = Recipe(lock="llama-cpp-python==0.3.36", flags=("-DGGML_RPC=ON",), processor="avx2", platform="linux-x86_64")


def write_wheel(file: Path, *libraries: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for library in libraries:
            archive.writestr(f"llama_cpp/lib/lib{library}.so", "x")
    return file


@pytest.mark.parametrize(
    "change",
    [
        {"lock": "llama-cpp-python==0.3.37"},
        {"flags": ("-DGGML_RPC=ON", "-DGGML_CUDA=ON")},
        {"processor": "avx2 avx512f"},
        {"platform": "linux-aarch64"},
    ],
)
def test_anything_that_changes_the_code_changes_the_key(change: dict[str, str]) -> None:
    assert replace(MADE, **change).key != MADE.key  # type: ignore[arg-type]


def test_a_persons_own_cmake_arguments_belong_to_the_recipe() -> None:
    made = recipe(CPU, lock="", environ={"CMAKE_ARGS": "-DGGML_NATIVE=OFF -DGGML_LTO=ON"})
    assert made.flags[-2:] == ("-DGGML_NATIVE=OFF", "-DGGML_LTO=ON")
    assert "-DGGML_RPC=ON" in made.flags


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "/home/ada/.cache/snug/wheels"),
        ("linux", {"XDG_CACHE_HOME": "/fast"}, "/fast/snug/wheels"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/ada/.cache/snug/wheels"),
        ("darwin", {"XDG_CACHE_HOME": "/fast"}, "/home/ada/Library/Caches/snug/wheels"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/snug/Cache/wheels"),
    ],
)
def test_wheels_are_kept_in_the_users_cache(system: str, environ: dict[str, str], folder: str) -> None:
    assert wheel_folder(environ, system=system, home=Path("/home/ada")) == Path(folder)


def test_the_processors_instructions_count_and_what_a_new_kernel_adds_does_not() -> None:
    older = "processor : 0\nflags\t\t: fpu sse2 avx2 fma ht hypervisor\n"
    newer = "processor : 0\nflags\t\t: hypervisor ht fpu fma avx2 sse2 its_no\n"
    richer = "processor : 0\nflags\t\t: fpu sse2 avx2 fma avx512f\n"
    assert cpu_features(older) == cpu_features(newer)
    assert cpu_features(older) != cpu_features(richer)


def test_an_arm_processor_is_read_too() -> None:
    assert "asimddp" in cpu_features("processor : 0\nFeatures\t: fp asimd asimddp\n")


def test_a_wheel_without_the_rpc_backend_is_refused(tmp_path: Path) -> None:
    built = write_wheel(tmp_path / "llama_cpp_python-0.3.36.whl", "ggml-base", "llama")
    with pytest.raises(SetupError, match=r"without ggml-rpc"):
        check_libraries(built, CPU)


def test_a_wheel_without_the_asked_backend_is_refused(tmp_path: Path) -> None:
    built = write_wheel(tmp_path / "llama_cpp_python-0.3.36.whl", "ggml-rpc", "llama")
    check_libraries(built, CPU)
    with pytest.raises(SetupError, match=r"without ggml-cuda"):
        check_libraries(built, Choice("cuda", ""))


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stands in for the compiler, which takes minutes: writes a small wheel and counts."""
    count: list[str] = []

    def build(made: Recipe, choice: Choice, *, half: Path, requirements: Path, log: Path) -> None:
        count.append(choice.backend)
        built = write_wheel(half / "llama_cpp_python-0.3.36.whl", "ggml-rpc")
        record = {"wheel": built.name, "sha256": wheel._sha256(built)}
        (half / "build.json").write_text(json.dumps(record))

    monkeypatch.setattr(wheel, "wheel_folder", lambda _environ: tmp_path / "wheels")
    monkeypatch.setattr(wheel, "_build", build)
    return count


def obtain(tmp_path: Path) -> Path:
    return obtain_wheel(MADE, CPU, requirements=tmp_path, log=tmp_path / "log")


def test_an_engine_is_built_once_and_found_after_that(tmp_path: Path, builds: list[str]) -> None:
    first = obtain(tmp_path)
    assert obtain(tmp_path) == first
    assert builds == ["cpu"]
    assert first.parent.name == MADE.key


def test_a_wheel_that_was_harmed_on_the_disk_is_built_again(tmp_path: Path, builds: list[str]) -> None:
    first = obtain(tmp_path)
    first.write_bytes(first.read_bytes()[:-10])
    assert find_wheel(first.parent) is None
    assert find_wheel(obtain(tmp_path).parent) is not None
    assert builds == ["cpu", "cpu"]


def test_what_a_killed_build_left_is_not_taken_and_is_cleared_away(tmp_path: Path, builds: list[str]) -> None:
    root = tmp_path / "wheels"
    write_wheel(root / f"{MADE.key}.building-1" / "llama_cpp_python-0.3.36.whl", "ggml-rpc")
    write_wheel(root / MADE.key / "llama_cpp_python-0.3.36.whl", "ggml-rpc")
    assert find_wheel(root / MADE.key) is None
    obtain(tmp_path)
    assert builds == ["cpu"]
    assert not (root / f"{MADE.key}.building-1").exists()


def test_a_build_that_fails_leaves_nothing_behind(
    tmp_path: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(made: Recipe, choice: Choice, *, half: Path, requirements: Path, log: Path) -> None:
        write_wheel(half / "llama_cpp_python-0.3.36.whl", "ggml-rpc")
        raise KeyboardInterrupt

    monkeypatch.setattr(wheel, "_build", fail)
    with pytest.raises(KeyboardInterrupt):
        obtain(tmp_path)
    assert [p.name for p in (tmp_path / "wheels").iterdir()] == [f"{MADE.key}.lock"]
