"""Builds the stub NVML (stub_nvml.c says how it is steered by the environment)."""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

SOURCE = Path(__file__).parent / "stub_nvml.c"


def build_stub_nvml(folder: Path, *, without: Collection[str] = ()) -> Path:
    """Compile the stub into `folder` and return its absolute path, for SNUG_NVML_LIBRARY.

    without: parts an old driver does not have, "MEMORY_V2" and "DETAILS". Raises RuntimeError without a C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("The stub NVML needs a C compiler (cc).")
    library = folder.absolute() / "libstub-nvml.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *(f"-DWITHOUT_{part}" for part in without)]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE)], check=True, capture_output=True, text=True)
    return library
