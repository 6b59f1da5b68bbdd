"""Sizes as people read them, the same in every language."""


def gib(size: int) -> str:
    """Memory in binary units: "4.7 GiB", "312 MiB"."""
    return f"{size / 2**30:.1f} GiB" if abs(size) >= 1 << 30 else f"{size / 2**20:.0f} MiB"
