"""Which bytes of a file are there: sets of ranges, and who fetches which of those that are missing.

A range is (first byte, byte after the last). No input or output here.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

Range = tuple[int, int]


class RangeSet:
    """Ranges in order that neither overlap nor touch."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges: list[Range] = []
        self.total = 0
        """Bytes in all ranges."""
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add the bytes from `start` to before `end`; those that are there already are counted once."""
        if start >= end:
            return
        first = last = bisect_left(self._ranges, (start, -1))
        if first > 0 and self._ranges[first - 1][1] >= start:
            first -= 1
        while last < len(self._ranges) and self._ranges[last][0] <= end:
            last += 1
        for old_start, old_end in self._ranges[first:last]:
            start, end = min(start, old_start), max(end, old_end)
            self.total -= old_end - old_start
        self._ranges[first:last] = [(start, end)]
        self.total += end - start

    @property
    def prefix(self) -> int:
        """How many bytes from the beginning are there without a gap."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    def missing(self, size: int) -> list[Range]:
        """Return the gaps in a file of `size` bytes, in order."""
        gaps, at = [], 0
        for start, end in self._ranges:
            if start > at:
                gaps.append((at, start))
            at = end
        if at < size:
            gaps.append((at, size))
        return gaps

    def up_to(self, size: int) -> "RangeSet":
        """Return what of this lies in the first `size` bytes."""
        return RangeSet((start, min(end, size)) for start, end in self._ranges if start < size)

    def as_tuple(self) -> tuple[Range, ...]:
        """Return the ranges, in order."""
        return tuple(self._ranges)


@dataclass
class Piece:
    """What one connection fetches. position: the next byte to come. end: may be lowered while it is fetched."""

    position: int
    end: int
    began: float = 0.0
    start: int = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.position

    @property
    def rest(self) -> int:
        """Bytes that are missing."""
        return max(0, self.end - self.position)

    def seconds_left(self, now: float) -> float:
        """How long the rest takes at the pace so far; endless while nothing came."""
        came = self.position - self.start
        return self.rest * (now - self.began) / came if came else float("inf")


class Pieces:
    """Hands out what is missing, from the front, so that what is whole from the beginning grows steadily.

    size: of a piece, bytes. least: what is too small to be shared between two connections.
    """

    def __init__(self, missing: Iterable[Range], *, size: int, least: int) -> None:
        self._gaps = list(missing)
        self._size = size
        self._least = least
        self._taken: list[Piece] = []

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        return not self._gaps and not any(each.rest for each in self._taken)

    def take(self, now: float) -> Piece | None:
        """Return the next piece, None when all that is missing is on its way."""
        if not self._gaps:
            return None
        start, end = self._gaps[0]
        cut = start + self._size
        if end - cut < self._least:  # no crumbs
            cut = end
        self._gaps[:1] = [(cut, end)] if cut < end else []
        piece = Piece(start, cut, began=now)
        self._taken.append(piece)
        return piece

    def share(self, now: float, *, patience: float) -> Piece | None:
        """Take from the piece that takes longest, when that is more than `patience` seconds; else None.

        It gives its second half, and everything where that would be too small.
        """
        slow = [each for each in self._taken if each.rest and now - each.began >= patience]
        slowest = max(slow, key=lambda each: each.seconds_left(now), default=None)
        if slowest is None or slowest.seconds_left(now) <= patience:
            return None
        middle = slowest.position + (slowest.rest // 2 if slowest.rest >= 2 * self._least else 0)
        piece = Piece(middle, slowest.end, began=now)
        slowest.end = middle
        self._taken.append(piece)
        return piece

    def give_back(self, piece: Piece) -> None:
        """Take back a piece that is fetched no more; what is missing of it comes first again."""
        self._taken.remove(piece)
        if piece.rest:
            self._gaps.append((piece.position, piece.end))
            self._gaps.sort()

    def widen(self, piece: Piece, end: int) -> None:
        """Let one connection bring everything up to `end`."""
        self._gaps.clear()
        piece.end = end
