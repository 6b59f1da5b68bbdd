"""llama.cpp's own llama-batched-bench: built once from the engine's locked sdist, kept in the user's cache, and run.

It runs on the very libraries that the engine uses (the installed ones come first in the loader's search), with the
set-up's own build tools and flags. `python -m benchmarks.batched_bench` only builds it.
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
REQUIREMENTS = CHECKOUT / "requirements"
sys.path.append(str(CHECKOUT / "packaging"))  # the set-up is no package of the program: nothing else finds it

from snug_setup import backend, locking, progress, wheel  # noqa: E402 - only after the line above
from snug_setup.missing import SetupError  # noqa: E402

TARGET = "llama-batched-bench"
# Everything off that the tool does not need; GGML_NATIVE and OpenMP stay at the defaults that the wheel was built with.
OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_OPENSSL=OFF",
)


class NotMeasured(Exception):
    """A yardstick that this machine cannot have; says why."""


def batched_bench() -> Path:
    """The built program: found in the cache, or built now (minutes, at the lowest priority). Raises NotMeasured."""
    lock = (REQUIREMENTS / "engine.txt").read_text(encoding="utf-8")
    version = importlib.metadata.version("llama-cpp-python")
    if f"llama-cpp-python=={version} " not in lock:
        raise NotMeasured(f"the installed engine ({version}) is not the locked one, so its source is not at hand")
    choice = backend.choose(os.environ.get("BACKEND", ""), backend.look())
    made = wheel.recipe(choice, lock=lock, environ=os.environ)
    folder = wheel.wheel_folder(os.environ).with_name("batched-bench") / f"{version}-{made.key}"
    log = CHECKOUT / "build" / "batched-bench.log"
    try:
        with locking.locked(folder.with_name(f"{folder.name}.lock"), waiting=_waiting):
            if not folder.exists():
                _build(folder, made.flags, log)
    except (SetupError, StopIteration, OSError) as error:
        raise NotMeasured(f"{TARGET} could not be built: {error} (see {log})") from error
    return folder / TARGET


def speed(model: Path, *, clients: int, prompt: int, tokens: int, threads: int, n_ctx: int) -> float:
    """Decoded tokens per second of all clients together, as the program itself counts them ("S_TG t/s")."""
    program = batched_bench()
    libraries = Path(str(importlib.util.find_spec("llama_cpp").submodule_search_locations[0])) / "lib"  # type: ignore[union-attr, index]
    environ = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}  # before the program's own copies beside it
    command = [str(program), "-m", str(model), "-c", str(n_ctx), "-b", "512", "-ub", "512", "-kvu"]
    command += ["-npp", str(prompt), "-ntg", str(tokens), "-npl", str(clients), "-fa", "auto"]
    command += ["-t", str(threads), "-tb", str(threads), "--output-format", "jsonl"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=600)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(rows) != 1:
        raise RuntimeError(f"{TARGET} did not print one row:\n{done.stdout}\n{done.stderr}")
    return float(rows[0]["speed_tg"])


def _waiting(seconds: float) -> None:
    if seconds < locking.POLL:
        progress.say(f"  waiting for another build of {TARGET} ...")


def _build(folder: Path, flags: tuple[str, ...], log: Path) -> None:
    half = folder.with_name(f"{folder.name}.building")
    shutil.rmtree(half, ignore_errors=True)  # what a killed build left; we hold the lock
    try:
        binaries = _compile(half, flags, log)
        whole = half / "whole"
        whole.mkdir()
        for file in [binaries / TARGET, *binaries.glob("*.so*"), *binaries.glob("*.dylib")]:
            shutil.copy2(file, whole / file.name, follow_symlinks=False)
        whole.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _compile(half: Path, flags: tuple[str, ...], log: Path) -> Path:
    """Get the build tools and the source as the set-up does (locked, by hash), and build one target."""
    venv.create(half / "tools", with_pip=True, symlinks=os.name != "nt")
    bin_folder = half / "tools" / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [str(bin_folder / "python"), "-I", "-m", "pip", "--no-input", "--disable-pip-version-check"]
    environ = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    lock = str(REQUIREMENTS / "engine-build.txt")
    progress.run([*pip, "install", "--require-hashes", "-r", lock], title="Getting the build tools", log=log)
    command = [*pip, "download", "--no-deps", "--no-build-isolation", "--require-hashes", "--no-binary", ":all:"]
    command += ["--dest", str(half), "-r", str(REQUIREMENTS / "engine.txt")]
    progress.run(command, title="Getting the engine's source", log=log, environ=environ)
    with tarfile.open(next(half.glob("llama_cpp_python-*.tar.gz"))) as archive:
        archive.extractall(half / "source", filter="data")
    source = next((half / "source").glob("*/vendor/llama.cpp"))
    build = half / "build"
    configure = [str(bin_folder / "cmake"), "-S", str(source), "-B", str(build), "-G", "Ninja", *OPTIONS, *flags]
    progress.run(configure, title=f"Configuring {TARGET}", log=log, environ=environ)
    nice = ["nice", "-n", "19"] if shutil.which("nice") else []
    command = [*nice, str(bin_folder / "cmake"), "--build", str(build), "--target", TARGET]
    command += ["--parallel", str(os.cpu_count() or 1)]
    progress.run(command, title=f"Building {TARGET} (once; some minutes)", log=log, environ=environ)
    return build / "bin"


if __name__ == "__main__":
    print(batched_bench())
