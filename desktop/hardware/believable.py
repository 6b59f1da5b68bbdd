"""What of a driver's answer can be believed: figures within their bounds, text that can be printed.

Drivers do answer with -1 in an unsigned number, with sizes of an exbibyte and with names that are not text. What cannot
be is dropped here, so that nothing above has to ask.
"""

import math

MOST_BYTES = 1 << 44
"""16 TiB: more than any card has; beyond it a size is noise."""

_MOST_SIGNS = 96


def within(figure: float | None, low: float, high: float) -> float | None:
    """Return `figure` when it lies between `low` and `high` (both included), else None."""
    if figure is None or not math.isfinite(figure) or not low <= figure <= high:
        return None
    return float(figure)


def whole(figure: int | None, low: int, high: int) -> int | None:
    """Return the whole number `figure` when it lies between `low` and `high` (both included), else None."""
    return figure if figure is not None and low <= figure <= high else None


def bytes_within(size: int | None, most: int = MOST_BYTES) -> int | None:
    """Return `size` in bytes when it is above 0 and at most `most`, else None."""
    return whole(size, 1, most)


def words(text: str | bytes | None) -> str | None:
    """Return what of `text` can be printed, at most 96 signs; None where nothing is left."""
    if isinstance(text, bytes):
        text = text.split(b"\0", 1)[0].decode("utf-8", "ignore")
    printable = "".join(sign for sign in text or "" if sign.isprintable()).strip()
    return printable[:_MOST_SIGNS].strip() or None


def escaped(text: str) -> str:
    r"""Return `text` with every sign that cannot be printed as an escape, such as \x1b or \udce9.

    For paths and devices: a name of which signs are left out would be another one. Names on Linux are bytes, and those
    that are no UTF-8 reach Python as lone surrogates, which no JSON can hold.
    """
    return "".join(sign if sign.isprintable() else sign.encode("ascii", "backslashreplace").decode() for sign in text)
