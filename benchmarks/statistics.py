"""Ratios over interleaved pairs, with what chance alone would make of them.

Two equal runs on a shared machine differ by a few percent, and by much more for the seconds in which somebody else
computes: the ratios have long tails. So A and B run in turn (A B, B A, A B ...), each pair gives one ratio, and what is
checked is the Hodges-Lehmann estimate of their middle with the exact 95 % interval of Wilcoxon's signed ranks. It uses
every pair, needs no normal distribution (only that A/B and B/A err alike), and a few ruined pairs do not move it. The
plain geometric mean is printed beside it: a fault of ours that comes rarely would part the two.
"""

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

CONFIDENCE = 0.95
FEWEST = 6
"""Pairs from which on such an interval exists: the chance that all of 5 fall on one side is 1 in 16."""

Measure = Callable[[], Awaitable[float]]


class Middle(NamedTuple):
    """Hodges-Lehmann estimate of the middle with its 95 % interval (without bounds for fewer than FEWEST figures)."""

    centre: float
    low: float
    high: float


class Ratio(NamedTuple):
    """Middle of paired ratios with its 95 % interval, and their geometric mean."""

    centre: float
    low: float
    high: float
    mean: float
    pairs: int

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:.3f} to {self.high:.3f}"
        return f"{self.centre:.3f} ({interval}, mean {self.mean:.3f}, {self.pairs} pairs)"


class Bound(NamedTuple):
    """What must be shown: at the worse end of the interval (least, most), and of the estimate itself (centre)."""

    least: float = 0.0
    most: float = math.inf
    centre: float = 0.0

    def verdict(self, found: Middle, pairs: int) -> str:
        """What was wanted, and whether it is shown; ends with "kept" or "MISSED"."""
        if pairs < FEWEST:
            return f"wanted {self}, which fewer than {FEWEST} pairs cannot show: MISSED"
        kept = found.low >= self.least and found.high <= self.most and found.centre >= self.centre
        return f"wanted {self}: {'kept' if kept else 'MISSED'}"

    def __str__(self) -> str:
        parts = [f"at least {self.centre:g}"] if self.centre else []
        parts += [f"{'lower end ' if self.centre else ''}at least {self.least:g}"] if self.least else []
        parts += [f"at most {self.most:g}"] if self.most < math.inf else []
        return ", ".join(parts)


def middle(figures: Sequence[float]) -> Middle:
    """Hodges and Lehmann (1963): the median of all means of two figures, a figure with itself among them.

    The interval inverts Wilcoxon's signed-rank test (Hollander and Wolfe, Nonparametric Statistical Methods, 3.2, 3.3).
    """
    means = sorted((one + other) / 2 for one, other in combinations_with_replacement(figures, 2))
    rank = signed_rank_cut(len(figures), (1 - CONFIDENCE) / 2)
    low, high = (means[rank - 1], means[-rank]) if rank else (-math.inf, math.inf)
    return Middle(statistics.median(means), low, high)


def signed_rank_cut(count: int, tail: float) -> int:
    """The largest k such that the sum of positive ranks of `count` figures is below k by chance in at most `tail`.

    Exact: of the 2^count ways to give the ranks 1 ... count a sign, each equally likely, those below k are counted.
    """
    ways = [1] + [0] * (count * (count + 1) // 2)
    for rank in range(1, count + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    below, cut = 0, 0
    while (below + ways[cut]) / 2**count <= tail:
        below += ways[cut]
        cut += 1
    return cut


def paired_ratio(pairs: Sequence[tuple[float, ...]]) -> Ratio:
    """Return the ratio of the first to the second figure of each pair (at least 1 pair; all figures above 0)."""
    logarithms = [math.log(left / right) for left, right in pairs]
    centre, low, high = map(math.exp, middle(logarithms))
    return Ratio(centre, low, high, math.exp(statistics.fmean(logarithms)), len(pairs))


def ratio_report(title: str, pairs: Sequence[tuple[float, ...]], bound: Bound, *, unit: str = "") -> str:
    """Return a line with the ratio, the median figures of both sides, and whether the bound is kept or MISSED."""
    ratio = paired_ratio(pairs)
    left, right = (statistics.median(side) for side in zip(*pairs, strict=True))
    line = f"{title}: {ratio}; {left:.4g} against {right:.4g} {unit}".rstrip()
    return f"{line}; {bound.verdict(Middle(*ratio[:3]), len(pairs))}"


async def interleaved(
    measures: Sequence[Measure], rounds: int, *, there_and_back: bool = False
) -> list[tuple[float, ...]]:
    """Measure in the order A B, B A, A B ... (A B C, C B A ...), so that a drift of the machine meets all alike.

    there_and_back: each round is A B B A or B A A B, its figures the geometric means of both turns, so that an even
    drift cancels out within the round too. Returns the figures of each round, in the order of `measures`.
    """
    figures: list[tuple[float, ...]] = []
    for index in range(rounds):
        order = list(range(len(measures)))[:: -1 if index % 2 else 1]
        seen: dict[int, list[float]] = {side: [] for side in order}
        for side in order + order[::-1] if there_and_back else order:
            seen[side].append(await measures[side]())
        figures.append(tuple(statistics.geometric_mean(seen[side]) for side in range(len(measures))))
    return figures
