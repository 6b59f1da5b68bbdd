"""Compiles the stand-ins for drivers' libraries."""

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path


def build_library(source: Path, library: Path, *, defines: Collection[str] = ()) -> Path:
    """Compile `source` as the shared library `library`; return its absolute path.

    Raises RuntimeError without a C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError(f"{source.name} needs a C compiler (cc).")
    target = library.absolute()
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", *(f"-D{name}" for name in defines)]
    subprocess.run([compiler, *flags, "-o", str(target), str(source)], check=True, capture_output=True, text=True)
    return target
