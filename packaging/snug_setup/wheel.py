"""The engine's wheel: built on this machine, for this machine, and kept in a folder of our own.

pip's own cache of wheels is not used: it ignores build flags, and the code is native to the processor it was built on.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snug_setup import locking, progress
from snug_setup.backend import LIBRARIES, Choice
from snug_setup.missing import SetupError

_RECORD = "build.json"

_X86_INSTRUCTIONS = re.compile(
    r"(mmx|sse|ssse|avx|fma|f16c|bmi|amx|movbe|popcnt|abm|lzcnt|aes|sha|vaes|gfni|vpclmul|pclmul|adx|fsgsbase|rdrnd|xsave)"
)


@dataclass(frozen=True)
class Recipe:
    """All that the built code depends on; two equal recipes may share a wheel."""

    lock: str
    """Text of requirements/engine.txt: the version and the hash of the source."""
    flags: tuple[str, ...]
    """Arguments for CMake."""
    processor: str
    """The processor (and for CUDA the cards) that the code is native to."""
    platform: str
    """sysconfig.get_platform(). Not Python's version: the wheel is the same for each."""

    @property
    def key(self) -> str:
        """A short name for the folder of this recipe's wheel."""
        text = json.dumps([self.lock, self.flags, self.processor, self.platform])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def recipe(choice: Choice, *, lock: str, environ: Mapping[str, str]) -> Recipe:
    """The recipe for this machine; what a person adds in CMAKE_ARGS belongs to it."""
    return Recipe(
        lock=lock,
        flags=(*choice.flags, *environ.get("CMAKE_ARGS", "").split()),
        processor=_processor() + (_nvidia_cards() if choice.backend == "cuda" else ""),
        platform=sysconfig.get_platform(),
    )


def wheel_folder(environ: Mapping[str, str], *, system: str = sys.platform, home: Path | None = None) -> Path:
    """Where built wheels are kept: in the user's cache, as the system and XDG_CACHE_HOME say."""
    home = home or Path.home()
    if system == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "snug" / "Cache" / "wheels"
    if system == "darwin":
        return home / "Library" / "Caches" / "snug" / "wheels"
    xdg = environ.get("XDG_CACHE_HOME", "")
    # The specification says that a path that is not absolute is to be ignored.
    return (Path(xdg) if xdg.startswith("/") else home / ".cache") / "snug" / "wheels"


def find_wheel(folder: Path) -> Path | None:
    """The whole, unharmed wheel in `folder`, or None."""
    record = folder / _RECORD
    if not record.exists():
        return None
    built = json.loads(record.read_text(encoding="utf-8"))
    wheel = folder / str(built["wheel"])
    return wheel if wheel.exists() and _sha256(wheel) == built["sha256"] else None


def obtain_wheel(made: Recipe, choice: Choice, *, requirements: Path, log: Path) -> Path:
    """The wheel for `made`: found in our folder, or built now. Raises SetupError."""
    root = wheel_folder(os.environ)
    folder = root / made.key
    # Taken as whole only when it bears its record: the folder is renamed into place after the build.
    if wheel := find_wheel(folder):
        return wheel
    with locking.locked(root / f"{made.key}.lock", waiting=_Patience()):
        if wheel := find_wheel(folder):
            return wheel
        _remove_halves(root, made.key)
        half = root / f"{made.key}.building-{os.getpid()}"
        try:
            _build(made, choice, half=half, requirements=requirements, log=log)
            half.rename(folder)
        finally:
            shutil.rmtree(half, ignore_errors=True)
    wheel = find_wheel(folder)
    if wheel is None:
        raise SetupError(f"The wheel just built into {folder} cannot be read back.", "Check the disk, then try again.")
    return wheel


class _Patience:
    """Says once, and then every 15 seconds, that another set-up is building the same wheel."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, seconds: float) -> None:
        if seconds >= self._next:
            progress.say(f"  waiting for another set-up that builds the same engine ... {progress.duration(seconds)}")
            self._next += progress.INTERVAL


def _remove_halves(root: Path, key: str) -> None:
    """What a killed build left; we hold the lock, so nobody works in there."""
    for half in [*root.glob(f"{key}.building-*"), root / key]:
        shutil.rmtree(half, ignore_errors=True)


def _build(made: Recipe, choice: Choice, *, half: Path, requirements: Path, log: Path) -> None:
    tools = half / "tools"
    venv.create(tools, with_pip=True, symlinks=os.name != "nt")
    python = str(tools / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    pip = [python, "-I", "-m", "pip", "--no-input", "--disable-pip-version-check"]
    lock = str(requirements / "engine-build.txt")
    progress.run([*pip, "install", "--require-hashes", "-r", lock], title="Getting the build tools", log=log)
    command = [*pip, "wheel", "--verbose", "--no-deps", "--no-cache-dir", "--no-build-isolation", "--require-hashes"]
    command += ["--no-binary", "llama-cpp-python", "--wheel-dir", str(half), "-r", str(requirements / "engine.txt")]
    environ = {
        **os.environ,
        "CMAKE_ARGS": " ".join(made.flags),
        "PATH": f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}",
    }
    progress.run(command, title=f"Building the engine ({choice.backend}; some minutes)", log=log, environ=environ)
    shutil.rmtree(tools)
    wheel = next(half.glob("llama_cpp_python-*.whl"))
    check_libraries(wheel, choice)
    record = {"wheel": wheel.name, "sha256": _sha256(wheel), "flags": made.flags, "processor": made.processor}
    (half / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def check_libraries(wheel: Path, choice: Choice) -> None:
    """Raise SetupError unless `wheel` holds the RPC backend and the chosen one: a flag may be ignored silently."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("llama_cpp/lib/")]
    lacking = [lib for lib in ("ggml-rpc", *LIBRARIES[choice.backend]) if not any(lib in name for name in names)]
    if lacking:
        raise SetupError(f"The engine was built without {', '.join(lacking)}.", "Look into the log of the build.")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _processor() -> str:
    """A text that changes when the processor's instructions do."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        return cpu_features(cpuinfo.read_text(encoding="utf-8", errors="replace"))
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    return platform.processor()


def cpu_features(cpuinfo: str) -> str:
    """The instruction sets of the first core in the text of /proc/cpuinfo (x86: flags, ARM: Features), sorted.

    On x86 only those that a compiler may use: a new kernel adds flags about other things.
    """
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return f"{platform.machine()} {' '.join(sorted(filter(_X86_INSTRUCTIONS.match, value.split())))}"
        if name.strip() in {"Features", "isa"}:
            return f"{platform.machine()} {' '.join(sorted(value.split()))}"
    return platform.machine()


def _nvidia_cards() -> str:
    models = {
        line.partition(":")[2].strip()
        for file in Path("/proc/driver/nvidia/gpus").glob("*/information")
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.startswith("Model")
    }
    return " cards: " + ", ".join(sorted(models))
