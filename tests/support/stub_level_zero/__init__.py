"""Builds the stand-in for Intel's Level-Zero loader (stub_level_zero.c says how it is steered)."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "stub_level_zero.c"


def build_stub_level_zero(folder: Path) -> Path:
    """Compile it into `folder` under the loader's own name. Raises RuntimeError without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError("The stand-in for Level-Zero needs a C compiler (cc).")
    library = folder.absolute() / "libze_loader.so.1"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE)], check=True, capture_output=True, text=True)
    return library
