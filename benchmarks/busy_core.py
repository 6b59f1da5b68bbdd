"""Decode speed while another program keeps one core busy: `python -m benchmarks.busy_core`.

The engine, which changes its threads, against a bare loop with as many threads as the engine takes on a quiet machine
(on two cores: two). The other program is a process that counts; the system may move it as it likes.
"""

import sys
from pathlib import Path

from benchmarks.batched_bench import NotMeasured
from benchmarks.command import Options, Report, run
from benchmarks.decode import TURNS
from benchmarks.sides import ask, bare, chatml, engine, plan_for, threads_of
from benchmarks.statistics import Bound, interleaved
from desktop.engine.protocol import Sampling
from tests.support.busy_core import busy_core

BOUND = Bound(least=2.0)
N_CTX, TOKENS = 1024, 96
WARM_UP = 3  # replies, in which the engine may notice its neighbour


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    sampling = Sampling(temperature=0.0, max_length=TOKENS)
    async with engine(plan_for(path, n_ctx=N_CTX, threads=options.threads, adapt_threads=True)) as client:
        threads = threads_of(client)
        if threads < 2:
            raise NotMeasured("with one thread there is none that the engine could give up")
        with bare(path, n_ctx=N_CTX, threads=threads) as loop:

            async def ours() -> float:
                reply = await ask(client, TURNS, sampling)
                return reply.stats.completion_tokens / reply.seconds

            async def fixed() -> float:
                answer = await loop.answer(chatml(TURNS), tokens=TOKENS)
                return len(answer["tokens"]) / float(answer["total"])

            with busy_core():
                await interleaved((ours, fixed), WARM_UP)
                pairs = await interleaved((ours, fixed), options.pairs)
    title = f"decode beside a busy core, adaptive / {threads} fixed threads, {path.stem}"
    report.ratio(title, pairs, BOUND, unit="tokens/s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_1", "Q8_0"))


if __name__ == "__main__":
    sys.exit(main())
