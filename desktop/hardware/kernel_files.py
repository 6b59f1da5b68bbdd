"""The small text files in which the Linux kernel tells a figure each (sysfs, control groups, /proc)."""

from pathlib import Path

from desktop.hardware.believable import words

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


def told_figure(file: Path) -> str:
    """The start of what `file` says in place of a figure, to be shown; "?" where it is not there or says nothing."""
    return (words(text(file)) or "?")[:_MOST_DIGITS]


def text(file: Path) -> str:
    """The text of `file`, empty where there is none: drivers and systems differ in what they show."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST).decode("utf-8", "replace").strip()
    except OSError:
        return ""
