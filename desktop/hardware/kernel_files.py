"""The small text files in which the Linux kernel tells a figure each (sysfs, control groups, /proc)."""

from pathlib import Path


def number(file: Path) -> int | None:
    """The decimal number in `file`, None where there is none."""
    content = text(file)
    return int(content) if content.isdecimal() else None


def text(file: Path) -> str:
    """The text of `file`, empty where there is none: drivers and systems differ in what they show."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
