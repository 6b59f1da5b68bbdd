"""Ratios over interleaved pairs, with what chance alone would make of them.

Two equal runs on a shared machine differ by a few percent, and by more while somebody else computes. So A and B run in
turn (A B, B A, A B ...), each pair gives one ratio, and the 95 % interval of their geometric mean is what is checked.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Ratio(NamedTuple):
    """Geometric mean of paired ratios with its 95 % interval, and their median."""

    mean: float
    low: float
    high: float
    median: float
    pairs: int

    def __str__(self) -> str:
        interval = f"95 % interval {self.low:.3f} to {self.high:.3f}"
        return f"{self.mean:.3f} ({interval}, median {self.median:.3f}, {self.pairs} pairs)"


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Return the ratio of the first to the second figure of each pair.

    The interval is Student's t of the logarithms (at least 2 pairs; all figures above 0).
    """
    logarithms = [math.log(left / right) for left, right in pairs]
    count = len(logarithms)
    mean = statistics.fmean(logarithms)
    reach = t_quantile(0.975, count - 1) * statistics.stdev(logarithms) / math.sqrt(count)
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    return Ratio(math.exp(mean), low, high, math.exp(statistics.median(logarithms)), count)


def ratio_report(
    title: str,
    pairs: Sequence[tuple[float, float]],
    *,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
) -> str:
    """Return a line with the ratio, the mean figures of both sides, and whether the bound holds at its worse end."""
    ratio = paired_ratio(pairs)
    left, right = (statistics.fmean(side) for side in zip(*pairs, strict=True))
    line = f"{title}: {ratio}; {left:.4g} against {right:.4g} {unit}".rstrip()
    if least is not None:
        line += f"; wanted at least {least}: {'kept' if ratio.low >= least else 'MISSED'}"
    if most is not None:
        line += f"; wanted at most {most}: {'kept' if ratio.high <= most else 'MISSED'}"
    return line


def t_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t: Cornish-Fisher expansion, Abramowitz and Stegun 26.7.5; within 1 % from 4 degrees on."""
    z = statistics.NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def interleaved(left: Callable[[], float], right: Callable[[], float], pairs: int) -> list[tuple[float, float]]:
    """Measure in the order A B, B A, A B ..., so that a drift of the machine meets both alike."""
    figures: list[tuple[float, float]] = []
    for index in range(pairs):
        if index % 2:
            second = right()
            figures.append((left(), second))
        else:
            first = left()
            figures.append((first, right()))
    return figures
