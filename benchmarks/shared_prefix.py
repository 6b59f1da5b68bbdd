"""8 clients, one 500-token system prompt, different questions, all at once: `python -m benchmarks.shared_prefix`.

Against the same engine when each client has a system prompt of its own, equally long, so that each prefix is read for
itself. The figure is the 95th percentile of the 8 times to the first token; by nearest rank that is the slowest one.
Every round has new system prompts: nothing is known from the time before.
"""

import asyncio
import itertools
import sys
from pathlib import Path

from benchmarks.command import PAIRS_FAR_OFF, Options, Report, percentile, run
from benchmarks.sides import Turn, ask, bare, engine, plan_for
from benchmarks.statistics import Bound, interleaved
from benchmarks.texts import numbered, prose
from desktop.engine.protocol import Sampling

BOUND = Bound(most=0.35)
CLIENTS, N_CTX, SYSTEM_TOKENS = 8, 8192, 500
QUESTIONS = (
    "What is a module?",
    "How does a loop end?",
    "Which names are special?",
    "What does a class hold?",
    "When is a value false?",
    "Where do imports look?",
    "Who closes a file?",
    "Why are tuples fixed?",
)
SHORT = Sampling(temperature=0.0, max_length=8)


def conversation(number: int, system: str, question: str) -> tuple[Turn, ...]:
    """One client's."""
    return (("system", numbered(number, system)), ("user", question))


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    numbers = itertools.count()
    with bare(path, n_ctx=512, threads=1) as loop:
        system = await prose(loop, SYSTEM_TOKENS - 12)
    plan = plan_for(path, n_ctx=N_CTX, threads=options.threads, n_parallel=CLIENTS, n_seq_max=2 * CLIENTS)
    async with engine(plan) as client:

        async def slowest(systems: list[int]) -> float:
            asked = [
                ask(client, conversation(number, system, question), SHORT)
                for number, question in zip(systems, QUESTIONS, strict=True)
            ]
            return percentile([reply.first for reply in await asyncio.gather(*asked)], 0.95)

        async def shared() -> float:
            return await slowest([next(numbers)] * CLIENTS)

        async def distinct() -> float:
            return await slowest([next(numbers) for _ in range(CLIENTS)])

        await ask(client, conversation(next(numbers), system, QUESTIONS[0]), SHORT)  # warm
        pairs = await interleaved((shared, distinct), options.pairs)
    title = f"p95 of the time to the first token, {CLIENTS} clients, one system prompt / one each, {path.stem}"
    report.ratio(title, pairs, BOUND, unit="s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_0", "Q8_0"), pairs=PAIRS_FAR_OFF)


if __name__ == "__main__":
    sys.exit(main())
