"""Decode speed of 8 clients together, each with its own prompt: `python -m benchmarks.clients8`.

Against llama.cpp's own llama-batched-bench ("S_TG t/s": random tokens, no sampler at all), and against a bare ctypes
loop with the engine's sampler chain that decodes 8 rows a step. All prompts are known from the time before, so that
TOKENS tokens are TOKENS steps; our clock runs from the first request to the last Done. Exit code 2 when the first
yardstick cannot be built here.
"""

import asyncio
import sys
from pathlib import Path
from statistics import median

from benchmarks.batched_bench import NotMeasured, batched_bench, speed
from benchmarks.command import Options, Report, run
from benchmarks.sides import Bare, Reply, Turn, ask, bare, chatml, engine, plan_for, threads_of
from benchmarks.statistics import Bound, Measure, interleaved
from desktop.engine.client import EngineClient
from desktop.engine.protocol import Sampling

BOUND = Bound(least=0.95)
CLIENTS, N_CTX, TOKENS, SEED, TEMPERATURE = 8, 2048, 64, 7, 0.8
PROMPT = 30  # as the questions have with their template
TOPICS = ("bread", "glass", "paper", "cheese", "steel", "honey", "bricks", "silk")


def conversation(topic: str) -> tuple[Turn, ...]:
    """One client's; nothing but the template's first tokens is shared."""
    return (("system", f"{topic.title()} is all you know."), ("user", f"Explain in many words how {topic} is made."))


def of_ours(client: EngineClient, unread: list[int]) -> Measure:
    """Tokens per second of all clients together, as the owner sees it; adds the prompt tokens that were read again.

    Before the clock starts, everything is forgotten and the prompts are read: the cache holds what theirs holds.
    """

    async def measure() -> float:
        await client.forget_conversations(None)
        await ask_all(client, tokens=1)
        replies = await ask_all(client, tokens=TOKENS)
        unread.append(sum(reply.stats.prompt_tokens - reply.stats.cached_tokens for reply in replies))
        seconds = max(reply.ended for reply in replies) - min(reply.sent for reply in replies)
        return sum(reply.stats.completion_tokens for reply in replies) / seconds

    return measure


async def ask_all(client: EngineClient, *, tokens: int) -> list[Reply]:
    """Let all clients ask at once."""
    asked = [
        ask(client, conversation(topic), sampling(SEED + number, tokens))
        for number, topic in enumerate(TOPICS[:CLIENTS])
    ]
    return await asyncio.gather(*asked)


def sampling(seed: int, tokens: int) -> Sampling:
    """Every reply is `tokens` long."""
    return Sampling(temperature=TEMPERATURE, seed=seed, max_length=tokens, ignore_end=True)


def of_bare(loop: Bare) -> Measure:
    """The same of the bare batched loop."""
    request = {"tokens": TOKENS, "temperature": TEMPERATURE, "seed": SEED, "ignore_end": True}
    prompts = [chatml(conversation(topic)) for topic in TOPICS[:CLIENTS]]

    async def measure() -> float:
        answer = await loop.call(do="answer_all", prompts=prompts, **request)
        return float(answer["count"] / answer["total"])

    return measure


def of_batched_bench(path: Path, threads: int) -> Measure:
    """The same as llama.cpp's own program counts it."""
    sizes = {"clients": CLIENTS, "prompt": PROMPT, "tokens": TOKENS, "threads": threads, "n_ctx": N_CTX}
    return lambda: asyncio.to_thread(speed, path, **sizes)


async def compare(path: Path, options: Options, report: Report) -> None:
    """Measure one model file."""
    plan = plan_for(path, n_ctx=N_CTX, threads=options.threads, n_parallel=CLIENTS, n_seq_max=2 * CLIENTS)
    missing = await asyncio.to_thread(why_missing)
    async with engine(plan) as client:
        threads = threads_of(client)
        with bare(path, n_ctx=N_CTX, threads=threads, sequences=CLIENTS) as loop:
            unread: list[int] = []
            sides = [of_ours(client, unread), of_bare(loop)]
            if not missing:
                sides.append(of_batched_bench(path, threads))
            await interleaved(sides, 1)  # warm
            unread.clear()
            rounds = await interleaved(sides, options.pairs)
    report.note(f"prompt tokens read again in a round, of ours: {median(unread):g}; {CLIENTS} at the least")
    title, tail = f"{CLIENTS} clients, whole path", f"{path.stem}, {threads} threads"
    report.ratio(f"{title} / bare batched loop, {tail}", [row[:2] for row in rounds], BOUND, unit="tokens/s")
    if missing:
        raise NotMeasured(missing)
    pairs = [(row[0], row[2]) for row in rounds]
    report.ratio(f"{title} / llama-batched-bench, {tail}", pairs, BOUND, unit="tokens/s")


def why_missing() -> str:
    """Why llama-batched-bench is not to be had; empty when it is."""
    try:
        batched_bench()
    except NotMeasured as reason:
        return str(reason)
    return ""


def main() -> int:
    """Measure, print, and judge."""
    return run(__doc__, compare, types=("Q4_1", "Q8_0"))


if __name__ == "__main__":
    sys.exit(main())
