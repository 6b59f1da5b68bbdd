"""Sizes as people read them, the same in every language: memory in binary units, files as the Hub shows them.

The window's own figures (desktop/ui/figures.py) are finer: its gauge shows what changes from second to second.
"""


def gib(size: int) -> str:
    """Memory in binary units: "4.7 GiB", "312 MiB"."""
    return f"{size / 2**30:.1f} GiB" if abs(size) >= 1 << 30 else f"{size / 2**20:.0f} MiB"


def gb(size: int) -> str:
    """A file in decimal units: "5.85 GB", "98.4 MB"."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"
