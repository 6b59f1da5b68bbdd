"""Builds the stand-in for Intel's Level-Zero loader (stub_level_zero.c says how it is steered)."""

from pathlib import Path

from tests.support.c_library import build_library

SOURCE = Path(__file__).parent / "stub_level_zero.c"


def build_stub_level_zero(folder: Path) -> Path:
    """Compile it into `folder` under the loader's own name. Raises RuntimeError without a C compiler."""
    return build_library(SOURCE, folder / "libze_loader.so.1")
