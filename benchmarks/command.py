"""What the benchmarks' commands share: their arguments, their report, their exit code."""

import argparse
import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.batched_bench import NotMeasured
from benchmarks.sides import FTYPES, STARTER, quantized
from benchmarks.statistics import Bound, middle, ratio_report

PAIRS = 20
PAIRS_FAR_OFF = 10
"""Of each quantization, 20 in all, where a pair takes ten seconds and its ratio is far from the bound."""
MISSED, NOT_MEASURED = 1, 2
"""Exit codes: a bound is not shown to hold; a yardstick is not to be had here (all others were kept)."""


class Options(NamedTuple):
    """What a person asked for. threads: 0 is what the engine chooses."""

    pairs: int
    threads: int


class Report:
    """Prints a line per figure and remembers what was missed."""

    def __init__(self) -> None:
        self._missed = self._not_measured = False

    @property
    def exit_code(self) -> int:
        """0 when every bound was shown to hold."""
        return MISSED if self._missed else NOT_MEASURED if self._not_measured else 0

    def note(self, text: str) -> None:
        """A line that judges nothing."""
        print(text, flush=True)

    def ratio(self, title: str, pairs: Sequence[tuple[float, ...]], bound: Bound, *, unit: str = "") -> None:
        """The ratio of the first to the second figure of each pair."""
        self._judge(ratio_report(title, pairs, bound, unit=unit))

    def difference(self, title: str, pairs: Sequence[tuple[float, ...]], bound: Bound, *, unit: str) -> None:
        """The first figure of each pair less the second."""
        found = middle([left - right for left, right in pairs])
        interval = f"{found.centre:.2f} {unit} (95 % interval {found.low:.2f} to {found.high:.2f}, {len(pairs)} pairs)"
        self._judge(f"{title}: {interval}; {bound.verdict(found, len(pairs))}")

    def miss(self, text: str) -> None:
        """A line that says what was missed."""
        self._judge(f"{text}: MISSED")

    def not_measured(self, text: str) -> None:
        """A line that says what this machine cannot tell."""
        self._not_measured = True
        print(f"not measured: {text}", flush=True)

    def _judge(self, line: str) -> None:
        self._missed |= line.endswith("MISSED")
        print(line, flush=True)


Compare = Callable[[Path, Options, Report], Coroutine[None, None, None]]


def run(description: str | None, compare: Compare, *, types: Sequence[str], pairs: int = PAIRS) -> int:
    """Measure each quantization as the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=pairs, help="of each quantization; an interval needs at least 6")
    parser.add_argument("--threads", type=int, default=0, help="0: what the engine chooses")
    known = ",".join([STARTER, *FTYPES])
    parser.add_argument("--types", default=",".join(types), help=f"quantizations, of {known}")
    arguments = parser.parse_args()
    report, options = Report(), Options(arguments.pairs, arguments.threads)
    for name in arguments.types.split(","):
        with quantized(name) as path:
            try:
                asyncio.run(compare(path, options, report))
            except NotMeasured as reason:
                report.not_measured(str(reason))
    return report.exit_code


def percentile(figures: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest figure that at least `share` of them do not exceed."""
    return sorted(figures)[math.ceil(share * len(figures)) - 1]
