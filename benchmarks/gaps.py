"""How long 4 running replies stand still while a 1,000-token prompt arrives: `python -m benchmarks.gaps`.

The longest time between two deltas of any of them, as the owner sees them, from the moment the prompt is sent until
its first token; against the time in which a bare loop reads that prompt in one decode, which is how long an engine
without chunks would keep them waiting.
"""

import asyncio
import itertools
import sys
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.command import PAIRS_FAR_OFF, Options, Report, run
from benchmarks.prompt import ONE, OVERHEAD, turns
from benchmarks.sides import Turn, ask, bare, chatml, engine, messages_of, plan_for, threads_of
from benchmarks.statistics import Bound, interleaved
from benchmarks.texts import prose
from desktop.engine.client import EngineClient
from desktop.engine.protocol import Sampling, TextDelta

BOUND = Bound(most=0.25)
STREAMS, N_CTX, TOKENS = 4, 4096, 1000
TOPICS = ("bread", "glass", "paper", "cheese")
LONG = Sampling(temperature=0.0, max_length=600, ignore_end=True)
SETTLED = 5  # deltas of each reply before the prompt is sent
PATIENCE = 60.0  # seconds until all replies must be running


class Stream:
    """A reply that runs until it is ended, and when its deltas came."""

    def __init__(self, client: EngineClient, topic: str) -> None:
        self.deltas: list[float] = []
        self._turns: tuple[Turn, ...] = (("system", f"{topic} is all you know."), ("user", f"Tell me about {topic}."))
        self._task = asyncio.create_task(self._run(client), name=f"stream {topic}")

    async def settle(self) -> None:
        """Wait until it runs."""
        while len(self.deltas) < SETTLED:
            self.check()
            await asyncio.sleep(0.005)

    def check(self) -> None:
        """Raise when it has ended: it was too short to tell anything."""
        if self._task.done():
            self._task.result()
            raise RuntimeError("a reply ended before the measurement")

    def longest_gap(self, since: float, until: float) -> float:
        """Seconds between two deltas that were not both before `since` or both after `until`."""
        times = [*self.deltas, time.perf_counter()]  # a reply that still stands still is not left out
        return max(after - before for before, after in pairwise(times) if after > since and before < until)

    async def end(self) -> None:
        """Cancel the reply."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, client: EngineClient) -> None:
        async for event in client.generate(messages=messages_of(self._turns), sampling=LONG):
            if isinstance(event, TextDelta):
                self.deltas.append(time.perf_counter())


async def worst_gap(client: EngineClient, prompt: tuple[Turn, ...]) -> float:
    """Start the replies, send the prompt, and look at all gaps, in seconds."""
    streams = [Stream(client, topic) for topic in TOPICS[:STREAMS]]
    try:
        async with asyncio.timeout(PATIENCE):
            for stream in streams:
                await stream.settle()
        reply = await ask(client, prompt, ONE)
        seen = [len(stream.deltas) for stream in streams]
        async with asyncio.timeout(PATIENCE):
            while any(len(stream.deltas) <= count for stream, count in zip(streams, seen, strict=True)):
                for stream in streams:
                    stream.check()
                await asyncio.sleep(0.005)
        return max(stream.longest_gap(reply.sent, reply.ended) for stream in streams)
    finally:
        for stream in streams:
            await stream.end()


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    ours_next, bare_next = itertools.count(), itertools.count()
    plan = plan_for(path, n_ctx=N_CTX, threads=options.threads, n_parallel=STREAMS + 1, n_seq_max=2 * STREAMS + 2)
    async with engine(plan) as client:
        with bare(path, n_ctx=2048, threads=threads_of(client), n_batch=1024) as loop:
            text = await prose(loop, TOKENS - OVERHEAD)

            async def ours() -> float:
                return await worst_gap(client, turns(next(ours_next), text))

            async def whole() -> float:
                return await loop.first_token(chatml(turns(next(bare_next), text)))

            await interleaved((ours, whole), 1)  # warm
            pairs = await interleaved((ours, whole), options.pairs)
    title = f"longest gap of {STREAMS} replies / unchunked prefill of {TOKENS} tokens, {path.stem}"
    report.ratio(title, pairs, BOUND, unit="s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_0", "Q8_0"), pairs=PAIRS_FAR_OFF)


if __name__ == "__main__":
    sys.exit(main())
