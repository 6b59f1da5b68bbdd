"""Time to the first token of a new 1,000-token prompt, whole path against a bare loop: `python -m benchmarks.prompt`.

The bare loop reads in chunks of 512; the engine in the chunks it chooses. Every pair has a prompt of its own, the same
for both sides, that shares no beginning with another. Speeds, so that more is better.
"""

import itertools
import sys
from pathlib import Path

from benchmarks.command import Options, Report, run
from benchmarks.sides import Turn, ask, bare, chatml, engine, plan_for, threads_of
from benchmarks.statistics import Bound, interleaved
from benchmarks.texts import numbered, prose
from desktop.engine.protocol import Sampling

BOUND = Bound(centre=0.97, least=0.94)
N_CTX, TOKENS = 2048, 1000
OVERHEAD = 29  # tokens of the template and of the number
ONE = Sampling(temperature=0.0, max_length=1)


def turns(number: int, text: str) -> tuple[Turn, ...]:
    """A conversation that nobody has seen."""
    return (("system", numbered(number, "You are helpful.")), ("user", text))


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    ours_next, bare_next = itertools.count(), itertools.count()
    async with engine(plan_for(path, n_ctx=N_CTX, threads=options.threads)) as client:
        threads = threads_of(client)
        with bare(path, n_ctx=N_CTX, threads=threads) as loop:
            text = await prose(loop, TOKENS - OVERHEAD)
            lengths = set()

            async def ours() -> float:
                reply = await ask(client, turns(next(ours_next), text), ONE)
                lengths.add(reply.stats.prompt_tokens)
                return reply.stats.prompt_tokens / reply.first

            async def yardstick() -> float:
                answer = await loop.answer(chatml(turns(next(bare_next), text)), tokens=1)
                lengths.add(answer["prompt_tokens"])
                return float(answer["prompt_tokens"] / answer["first"])

            await interleaved((ours, yardstick), 1)  # warm
            pairs = await interleaved((ours, yardstick), options.pairs)
    assert len(lengths) == 1, f"the sides do not read the same prompts: {lengths} tokens"
    title = f"prompt of {lengths.pop()} tokens, whole path / bare loop, {path.stem}, {threads} threads"
    report.ratio(title, pairs, BOUND, unit="tokens/s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_1", "Q4_0"))


if __name__ == "__main__":
    sys.exit(main())
