"""The small text files in which the Linux kernel tells a figure each (sysfs, control groups, /proc)."""

from pathlib import Path

_MOST_DIGITS = 20
_LARGEST = 4 << 20
"""The longest one read is the database of product names (1.5 MB)."""


def number(file: Path) -> int | None:
    """The decimal number in `file`, None where there is none, or none that fits 63 bits."""
    content = text(file)
    if not content.isdecimal() or len(content) > _MOST_DIGITS:
        return None
    value = int(content)
    return value if value < 1 << 63 else None


def text(file: Path) -> str:
    """The text of `file`, empty where there is none: drivers and systems differ in what they show."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST).decode("utf-8", "replace").strip()
    except OSError:
        return ""
