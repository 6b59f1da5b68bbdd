"""Time to the first token of turn 20 of a conversation of about 2,500 tokens: `python -m benchmarks.long_conversation`.

Against a bare loop that reads the same prompt from nothing. Once in the engine that made turns 1 to 19, and once in a
new child (and a new client) that has only the folder of the old one's cache; the time begins with the request, when the
model is loaded. Every question of turn 20 is a new one from its first word on.
"""

import itertools
import sys
import tempfile
from pathlib import Path

from benchmarks.command import PAIRS_FAR_OFF, Options, Report, run
from benchmarks.prompt import ONE
from benchmarks.sides import Turn, ask, bare, chatml, plan_for, threads_of
from benchmarks.statistics import Bound, interleaved
from benchmarks.texts import numbered, words
from desktop.engine.client import EngineClient
from desktop.engine.protocol import CacheLimits, LoadPlan, Sampling

BOUND = Bound(most=0.1)
N_CTX, TURNS = 4096, 20
WORDS_OF_A_TURN = 53  # about 95 tokens, and up to 40 of the reply: 2,500 in all
REPLY = Sampling(temperature=0.0, max_length=40)
GIB = 1024 * 1024 * 1024


class Program:
    """The engine over restarts, and what was said in it."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan, self.client = plan, EngineClient()
        self.turns: list[Turn] = [("system", "You are helpful and brief.")]
        self._questions = itertools.count()
        self.prompt_tokens = self.cached_tokens = 0

    async def converse(self) -> None:
        """Make all turns but the last."""
        await self.client.load(self.plan)
        for number in range(1, TURNS):
            text = words(WORDS_OF_A_TURN, start=number * WORDS_OF_A_TURN)
            self.turns.append(("user", f"What does this mean? {text}"))
            reply = await ask(self.client, self.turns, REPLY)
            self.turns.append(("assistant", reply.text))

    def last_turn(self) -> list[Turn]:
        """The conversation with a question that was never asked."""
        question = numbered(next(self._questions), "Tell me in one sentence what we have found out until now.")
        return [*self.turns, ("user", question)]

    async def first_token(self) -> float:
        """Seconds from the question of the last turn to the first token."""
        reply = await ask(self.client, self.last_turn(), ONE)
        self.prompt_tokens, self.cached_tokens = reply.stats.prompt_tokens, reply.stats.cached_tokens
        return reply.first

    async def first_token_after_restart(self) -> float:
        """The same in a new child."""
        await self.client.stop()
        self.client = EngineClient()
        await self.client.load(self.plan)
        return await self.first_token()


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    with tempfile.TemporaryDirectory() as folder:
        cache = CacheLimits(disk_folder=folder, disk_bytes=GIB)
        program = Program(plan_for(path, n_ctx=N_CTX, threads=options.threads, n_seq_max=4, cache=cache))
        try:
            await measure(program, path, options, report)
        finally:
            await program.client.stop()


async def measure(program: Program, path: Path, options: Options, report: Report) -> None:
    """Converse, then ask for the last turn in the three ways."""
    await program.converse()
    with bare(path, n_ctx=N_CTX, threads=threads_of(program.client)) as loop:

        async def from_nothing() -> float:
            return await loop.first_token(chatml(program.last_turn()))

        sides = (program.first_token, from_nothing, program.first_token_after_restart)
        await interleaved(sides, 1)  # warm
        report.note(f"turn {TURNS}: {program.prompt_tokens} tokens; kept over a restart: {program.cached_tokens}")
        rounds = await interleaved(sides, options.pairs)
    title = f"first token of turn {TURNS}{{}} / full prefill, {path.stem}"
    report.ratio(title.format(""), [row[:2] for row in rounds], BOUND, unit="s")
    report.ratio(title.format(" after a restart"), [(row[2], row[1]) for row in rounds], BOUND, unit="s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_0", "Q8_0"), pairs=PAIRS_FAR_OFF)


if __name__ == "__main__":
    sys.exit(main())
