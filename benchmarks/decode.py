"""Decode speed through the whole path (child, protocol, asyncio) against a bare loop: `python -m benchmarks.decode`.

Same libraries, model file, prompt, sampler chain, seed, threads and tokens; two processes that take turns, A B B A. The
prompt is known to both sides from the time before, and no reply may end before it is TOKENS long, so that TOKENS tokens
are TOKENS steps on both. The clock of our side runs in the owner, from the request to Done; that of the bare loop
inside it, from the request to the last token.
"""

import sys
from pathlib import Path

from benchmarks.command import Options, Report, run
from benchmarks.sides import Turn, ask, bare, chatml, engine, plan_for, threads_of
from benchmarks.statistics import Bound, interleaved
from desktop.engine.protocol import Sampling

BOUND = Bound(centre=0.98, least=0.95)
N_CTX, SEED, TOKENS, TEMPERATURE = 1024, 7, 128, 0.8
# Other work comes and goes within seconds: short turns meet the same machine on both sides, A B B A all the more.
TURNS: tuple[Turn, ...] = (
    ("system", "You are a patient teacher."),
    ("user", "Explain in many words how bread is made, from the field to the table."),
)


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    sampling = Sampling(max_length=TOKENS, seed=SEED, temperature=TEMPERATURE, ignore_end=True)
    texts = {"ours": "", "bare": ""}
    async with engine(plan_for(path, n_ctx=N_CTX, threads=options.threads)) as client:
        threads = threads_of(client)
        with bare(path, n_ctx=N_CTX, threads=threads) as loop:

            async def ours() -> float:
                reply = await ask(client, TURNS, sampling)
                texts["ours"] = reply.text
                return reply.stats.completion_tokens / reply.seconds

            async def yardstick() -> float:
                answer = await loop.answer(
                    chatml(TURNS), tokens=TOKENS, temperature=TEMPERATURE, seed=SEED, ignore_end=True
                )
                texts["bare"] = answer["text"]
                return len(answer["tokens"]) / float(answer["total"])

            await interleaved((ours, yardstick), 1, there_and_back=True)  # warm: pages, caches, clocks
            assert texts["ours"] == texts["bare"], f"the sides do not do the same work: {texts}"
            pairs = await interleaved((ours, yardstick), options.pairs, there_and_back=True)
    report.ratio(f"decode, whole path / bare loop, {path.stem}, {threads} threads", pairs, BOUND, unit="tokens/s")


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_1", "Q8_0"))


if __name__ == "__main__":
    sys.exit(main())
