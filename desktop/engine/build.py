"""Which engine is installed, told without starting it."""

import hashlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path

_MODULE, _DISTRIBUTION = "llama_cpp", "llama-cpp-python"
_LIBRARIES = (".so", ".dll", ".dylib", ".metal", ".metallib")


@cache
def engine_build() -> str:
    """Identify the installed engine and what it was built for, 32 hex; "" where none is installed.

    By the version of its package, and name, size and time of each of its libraries: a build for another kind of
    graphics card has others. Some milliseconds the first time.
    """
    found = importlib.util.find_spec(_MODULE)  # looks for it and does not run it
    if found is None or not found.submodule_search_locations:
        return ""
    try:
        version = importlib.metadata.version(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:  # in a frozen app the libraries alone have to do
        version = ""
    marks = [version]
    for folder in found.submodule_search_locations:
        for path in sorted(Path(folder, "lib").glob("*")):
            if set(path.suffixes).intersection(_LIBRARIES):
                status = path.stat()
                marks.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:32]
