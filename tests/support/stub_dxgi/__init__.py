"""Builds the stand-in for Windows' DXGI (stub_dxgi.c says how it is steered)."""

from pathlib import Path

from tests.support.c_library import build_library

SOURCE = Path(__file__).parent / "stub_dxgi.c"


def build_stub_dxgi(folder: Path) -> Path:
    """Compile it into `folder`. Raises RuntimeError without a C compiler."""
    return build_library(SOURCE, folder / "libstub-dxgi.so")
