"""Reading a new 1,000-token prompt while three conversations of 1,000 tokens wait for their next turn.

`python -m benchmarks.beside_idle`: the same engine twice. In one, conversations that wait may leave the KV cache for
main memory, as they do for a long prompt; in the other they may not, so that attention goes over their cells too. In
each round all three have a turn first, which brings them back. Both sides have room for everything in the cache.
"""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import PAIRS_FAR_OFF, Options, Report, run
from benchmarks.prompt import ONE, OVERHEAD, TOKENS, turns
from benchmarks.sides import Turn, ask, bare, engine, plan_for
from benchmarks.statistics import Bound, interleaved
from benchmarks.texts import prose
from desktop.engine.client import EngineClient
from desktop.engine.protocol import CacheLimits

BOUND = Bound(least=1.0)
WAITING, N_CTX = 3, 5120
MEASURED = "measured"  # the name of the conversation that is forgotten after each round


async def tokens_per_second(
    client: EngineClient, waiting: Sequence[tuple[Turn, ...]], prompt: tuple[Turn, ...]
) -> float:
    """Give all that wait a turn, then read the prompt; counted to its first token."""
    for conversation in waiting:
        await ask(client, conversation, ONE)
    reply = await ask(client, prompt, ONE, conversation=MEASURED)
    assert reply.stats.cached_tokens < OVERHEAD, "the prompt was known"
    await client.forget_conversations([MEASURED])
    return reply.stats.prompt_tokens / reply.first


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    with bare(path, n_ctx=512, threads=1) as loop:
        text = await prose(loop, TOKENS - OVERHEAD)
    waiting = [turns(number, text) for number in range(WAITING)]
    clearing_next, staying_next = itertools.count(WAITING), itertools.count(WAITING)
    plan = plan_for(path, n_ctx=N_CTX, threads=options.threads, n_seq_max=WAITING + 2)
    crowded = plan_for(path, n_ctx=N_CTX, threads=options.threads, n_seq_max=WAITING + 2, cache=CacheLimits())
    async with engine(plan) as clearing, engine(crowded) as staying:

        async def cleared() -> float:
            return await tokens_per_second(clearing, waiting, turns(next(clearing_next), text))

        async def beside() -> float:
            return await tokens_per_second(staying, waiting, turns(next(staying_next), text))

        await interleaved((cleared, beside), 1)  # warm: the conversations are read
        pairs = await interleaved((cleared, beside), options.pairs)
    title = f"prompt of {TOKENS} tokens, {WAITING} conversations moved away / beside them, {path.stem}"
    report.ratio(title, pairs, BOUND, unit="tokens/s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_0", "Q8_0"), pairs=PAIRS_FAR_OFF)


if __name__ == "__main__":
    sys.exit(main())
