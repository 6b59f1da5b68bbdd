"""Builds the stub NVML (stub_nvml.c says how it is steered) and writes the scenarios it answers from."""

from collections.abc import Collection, Mapping
from pathlib import Path

from tests.support.c_library import build_library

SOURCE = Path(__file__).parent / "stub_nvml.c"
GIB = 1 << 30

Fields = Mapping[str, str | int]
"""Keys and values of one section; what they mean is in stub_nvml.c."""


def build_stub_nvml(folder: Path, *, without: Collection[str] = ()) -> Path:
    """Compile the stub into `folder` under the driver's own name; return its absolute path, for SNUG_NVML_LIBRARY.

    without: parts an old driver lacks, "MEMORY_V2", "DETAILS" and "V2". Raises RuntimeError without a C compiler.
    """
    return build_library(SOURCE, folder / "libnvidia-ml.so.1", defines=[f"WITHOUT_{part}" for part in without])


def write_scenario(file: Path, *cards: Fields | tuple[Fields, ...], **driver: str | int) -> Path:
    """Write what the stub answers: `driver` for all, then the cards; a tuple is a card and its MIG parts."""
    lines = [f"{key} = {value}" for key, value in driver.items()]
    for card in cards:
        sections = card if isinstance(card, tuple) else (card,)
        for number, section in enumerate(sections):
            lines.append("[part]" if number else "[card]")
            lines.extend(f"{key} = {value}" for key, value in section.items())
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def card(name: str, total_gib: float, used_gib: float = 0.0, **more: str | int) -> dict[str, str | int]:
    """A sound card; `more` as in stub_nvml.c, with the dots of "error.FUNCTION" written as two underscores."""
    fields: dict[str, str | int] = {"name": name, "total": int(total_gib * GIB), "used": int(used_gib * GIB)}
    return fields | {key.replace("__", "."): value for key, value in more.items()}
