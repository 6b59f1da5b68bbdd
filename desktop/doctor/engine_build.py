"""What the engine was built for, read from its files and from what it says of itself. Nothing is loaded.

The engine's own words (`EngineInfo.system_info`): "CUDA : ARCHS = 750,860 | USE_GRAPHS = 1 | CPU : AVX2 = 1 | ".
"""

import importlib.util
import re
import sys
from pathlib import Path

import msgspec

_PACKAGE = "llama_cpp"

_RUNTIME = re.compile(rb"(?:libcudart\.so\.|libcublas\.so\.|cudart64_|cublas64_)(\d{2})")
"""The CUDA libraries that the engine's library asks the system for; their names carry the major version."""

_CHUNK = 4 << 20
_MOST_BYTES = 1 << 30
_OVERLAP = 64


class EngineBuild(msgspec.Struct, frozen=True, kw_only=True):
    """Which backends have a library of their own.

    libraries: "cuda", "vulkan", "cpu". cuda: the major version it was built with; None where there is no CUDA library,
    or it does not tell.
    """

    libraries: tuple[str, ...] = ()
    cuda: int | None = None


def read_engine_build(folder: Path | None = None) -> EngineBuild:
    """Look at the engine's libraries in `folder`; by default where the installed engine has them. Raises OSError."""
    folder = folder or _library_folder()
    if folder is None:
        return EngineBuild()
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*ggml-*")):
        name = file.name.removeprefix("lib").removeprefix("ggml-").partition(".")[0]
        found.setdefault(name, file)
    return EngineBuild(libraries=tuple(found), cuda=_cuda_major(found["cuda"]) if "cuda" in found else None)


def _library_folder() -> Path | None:
    """Where the engine's package keeps its libraries; `find_spec` of a top-level name executes nothing."""
    frozen = getattr(sys, "_MEIPASS", None)
    places = [Path(frozen) / _PACKAGE] if frozen else []
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None:
        places += [Path(place) for place in spec.submodule_search_locations or ()]
    return next((place / "lib" for place in places if (place / "lib").is_dir()), None)


def _cuda_major(library: Path) -> int | None:
    """The names of needed libraries stand near the beginning of an ELF file; kernels fill the rest."""
    end = b""
    with library.open("rb") as file:
        for _ in range(_MOST_BYTES // _CHUNK):
            chunk = file.read(_CHUNK)
            hit = _RUNTIME.search(end + chunk)
            if hit:
                return int(hit[1])
            if not chunk:
                return None
            end = chunk[-_OVERLAP:]
    return None


def cuda_architectures(system_info: str) -> tuple[int, ...]:
    """The compute capabilities that the engine has kernels for, as ten times the version (86 for 8.6)."""
    hit = re.search(r"ARCHS = ([\d,]+)", system_info)
    return tuple(sorted(int(number) // 10 for number in hit[1].split(",") if number)) if hit else ()


def instruction_sets(system_info: str) -> frozenset[str]:
    """The names the engine's processor backend says it uses ("AVX2", "DOTPROD")."""
    _, _, words = system_info.partition("CPU : ")
    return frozenset(re.findall(r"(\w+) = 1\b", words))
