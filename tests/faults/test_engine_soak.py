"""Thousands of short requests of every kind from sixteen clients: nothing grows, nothing sticks, nothing slows down."""

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import ContextFull
from desktop.engine.protocol import CacheLimits, Done, Priority, PromptMessage, Sampling, Status, TextDelta
from tests.support.engine_replies import loaded_client
from tests.support.models.decoders import write_dense

CLIENTS = 16
PATIENCE = 60.0
"""Seconds within which every request must end."""
PLAN = {
    "n_ctx": 2048,
    "n_parallel": 8,
    "n_seq_max": 16,
    "n_outputs_max": 16,
    # Small, so that it is full before the memory is watched.
    "cache": CacheLimits(ram_bytes=4 * 1024 * 1024),
}
WORDS = ("the", "and", "you", "that", "was", "for", "are", "with", "his", "they", "this", "have", "from", "one", "had")
BEGINNINGS = tuple(" ".join(WORDS[start:]) for start in range(4))
KINDS = (
    ("plain",) * 10 + ("shared",) * 5 + ("cancelled",) * 2 + ("closed",) + ("grammar",) * 2 + ("long",) + ("batch",) * 3
)
GRAMMAR = 'root ::= ("yes" | "no") " "'


class Soak:
    """The work that the clients share, and what came of it."""

    def __init__(self, client: EngineClient, count: int, seed: int) -> None:
        self.ended: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.memory: list[int] = []
        self.clocks: list[float] = []
        self._client, self._count, self._chance = client, count, random.Random(seed)
        self._begun = 0

    async def run(self) -> None:
        await asyncio.gather(*(self._work() for _ in range(CLIENTS)))
        self._note_child()

    async def _work(self) -> None:
        while self._begun < self._count:
            if self._begun % max(1, self._count // 20) == 0:
                self._note_child()
            self._begun += 1
            kind = self._chance.choice(KINDS)
            async with asyncio.timeout(PATIENCE):
                await self._request(kind)
            self.ended[kind] += 1

    def _note_child(self) -> None:
        assert self._client.pid is not None
        child = psutil.Process(self._client.pid)
        self.memory.append(child.memory_info().rss)
        self.clocks.append(sum(child.cpu_times()[:2]))

    async def _request(self, kind: str) -> None:
        if kind == "long":
            with pytest.raises(ContextFull):
                await self._reply("word " * 3000, Sampling(max_length=1))
        elif kind in ("cancelled", "closed"):
            await self._give_up(kind)
        else:
            began = time.monotonic()
            beginning = self._chance.choice(BEGINNINGS) + " " if kind == "shared" else ""
            sampling = Sampling(max_length=self._chance.randint(1, 8), grammar=GRAMMAR if kind == "grammar" else "")
            done = await self._reply(beginning + self._prompt(), sampling, batch=kind == "batch")
            assert done.finish_reason in {"stop", "length"}
            if kind != "batch":
                self.latencies.append(time.monotonic() - began)

    async def _reply(self, prompt: str, sampling: Sampling, *, batch: bool = False) -> Done:
        messages = [PromptMessage(role="user", content=prompt)]
        priority: Priority = "batch" if batch else "interactive"
        events = [
            event async for event in self._client.generate(messages=messages, sampling=sampling, priority=priority)
        ]
        assert isinstance(events[-1], Done)
        return events[-1]

    async def _give_up(self, kind: str) -> None:
        """A task that is cancelled at some moment, or an iterator that is closed after its first words."""
        sampling = Sampling(max_length=200, ignore_end=True)
        if kind == "cancelled":
            task = asyncio.create_task(self._reply(self._prompt(), sampling))
            await asyncio.sleep(self._chance.random() * 0.05)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return
        messages = [PromptMessage(role="user", content=self._prompt())]
        async with contextlib.aclosing(self._client.generate(messages=messages, sampling=sampling)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    return

    def _prompt(self) -> str:
        return " ".join(self._chance.choices(WORDS, k=self._chance.randint(1, 40)))


def _quarter(values: list[float], number: int) -> float:
    """The median of a quarter, the first being 0."""
    size = len(values) // 4
    return statistics.median(values[number * size : (number + 1) * size])


def _computed(clocks: list[float], number: int) -> float:
    """Seconds that the child computed in a quarter: of the processor, as other programs take time from it."""
    size = len(clocks) // 4
    return clocks[(number + 1) * size] - clocks[number * size]


@pytest.mark.asyncio
@pytest.mark.timeout(3600)
async def test_thousands_of_requests_leave_the_engine_as_it_was(tmp_path: Path, campaign_factor: int) -> None:
    count, warm_up = (200, 200) if campaign_factor == 1 else (10_000, 0)
    async with loaded_client(write_dense(tmp_path, ending=1.0), **PLAN) as client:
        await Soak(client, warm_up, seed=1).run()
        soak = Soak(client, count, seed=2)
        began = time.monotonic()
        await soak.run()
        seconds = time.monotonic() - began
        status = await _quiet_status(client)
    early, late = _quarter(soak.latencies, 1), _quarter(soak.latencies, 3)
    early_work, late_work = _computed(soak.clocks, 1), _computed(soak.clocks, 3)
    settled, last = soak.memory[len(soak.memory) // 4], soak.memory[-1]
    print(
        f"\n{count} requests in {seconds:.0f} s: {dict(soak.ended)}\n"
        f"latency {early * 1000:.0f} ms in the second quarter, {late * 1000:.0f} ms in the last "
        f"(the child computed {early_work:.2f} s and {late_work:.2f} s)\n"
        f"memory {settled >> 10:,} KiB after the first quarter, {last >> 10:,} KiB at the end "
        f"({last / settled - 1:+.2%}), highest {max(soak.memory) >> 10:,} KiB"
    )
    assert soak.ended.total() == count
    assert (status.active, status.waiting) == (0, 0)
    # In a short run chance decides how much of the work falls into which quarter.
    assert late_work <= (1.3 if campaign_factor > 1 else 2) * early_work + 0.2
    assert last <= (1.03 if campaign_factor > 1 else 1.1) * settled  # a short run still fills caches and heaps


async def _quiet_status(client: EngineClient) -> Status:
    """What the engine is doing once the last cancel has arrived."""
    async with asyncio.timeout(PATIENCE):
        while (status := await client.status()).active or status.waiting:
            await asyncio.sleep(0.05)
    return status
