"""Memory of the engine's child over a bare loop's: `python -m benchmarks.memory`.

Both have the model loaded, the same context, and one short reply made, and live at the same time. What is compared is
the unique set size: what would be free again if the process ended. The resident size would count the pages of the model
file and of the libraries in both, though they are in memory once; that difference is printed too.
"""

import sys
from pathlib import Path
from statistics import median

import psutil

from benchmarks.command import Options, Report, run
from benchmarks.decode import TURNS
from benchmarks.sides import ask, bare, chatml, engine, plan_for, threads_of
from benchmarks.statistics import Bound
from desktop.engine.protocol import Sampling

BOUND = Bound(most=60.0)
MIB = 1024 * 1024
N_CTX, TOKENS = 2048, 16
Sizes = tuple[float, float]


async def sizes(path: Path, options: Options) -> tuple[Sizes, Sizes]:
    """Start both anew; return (unique, resident) of ours and of the bare loop, in MiB."""
    async with engine(plan_for(path, n_ctx=N_CTX, threads=options.threads)) as client:
        with bare(path, n_ctx=N_CTX, threads=threads_of(client)) as loop:
            await ask(client, TURNS, Sampling(temperature=0.0, max_length=TOKENS))
            await loop.answer(chatml(TURNS), tokens=TOKENS)
            assert client.pid is not None
            return size_of(client.pid), size_of(loop.pid)


def size_of(pid: int) -> Sizes:
    """Unique and resident set of a process, in MiB."""
    used = psutil.Process(pid).memory_full_info()
    return used.uss / MIB, used.rss / MIB


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    rows = [await sizes(path, options) for _ in range(options.pairs)]
    unique = [(ours[0], yardstick[0]) for ours, yardstick in rows]
    report.difference(f"unique memory of the child over the bare loop's, {path.stem}", unique, BOUND, unit="MiB")
    resident = [(ours[1], yardstick[1]) for ours, yardstick in rows]
    for title, pairs in (("unique", unique), ("resident", resident)):
        left, right = (median(side) for side in zip(*pairs, strict=True))
        report.note(f"  {title}: {left:.1f} against {right:.1f} MiB")


def main() -> int:
    """Measure, print, and judge. Few pairs by default: equal starts differ by a fraction of a MiB."""
    return run(__doc__, compare, types=("Q4_1", "Q8_0"), pairs=8)


if __name__ == "__main__":
    sys.exit(main())
