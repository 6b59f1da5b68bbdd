"""Numbers as people read them: GiB for memory, GB for files, three figures for a speed."""

GIB = 1024**3


def gib(size: int, *, unit: bool = True) -> str:
    """Memory: bytes as "6.9 GiB"."""
    value = size / GIB
    text = f"{value:.2f}" if value < 10 else f"{value:.1f}"
    return f"{text} GiB" if unit else text


def gb(size: int) -> str:
    """A file as the Hub shows it: bytes as "5.85 GB", small ones in MB."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def speed(tokens_per_second: float) -> str:
    """Three figures: "42.1", "4.13", "118"."""
    if tokens_per_second >= 100:
        return f"{tokens_per_second:.0f}"
    return f"{tokens_per_second:.1f}" if tokens_per_second >= 10 else f"{tokens_per_second:.2f}"


def seconds(value: float) -> str:
    """A short time: "0.21", "12"."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def tokens(count: int) -> str:
    """A context length: "512", "5.1k", "16k"."""
    if count < 1000:
        return str(count)
    if count % 1024 == 0:
        return f"{count // 1024}k"
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count / 1000:.0f}k"


def count(number: int) -> str:
    """How many, in a few letters: "812", "34.1k", "1.2M"."""
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            value = number / unit
            return f"{value:.0f}{letter}" if value >= 100 else f"{value:.1f}{letter}"
    return str(number)
