"""The engine child is ended in every way there is, again and again, while it answers four requests at once."""

import asyncio
import os
import random
import resource
import signal
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError
from desktop.engine.protocol import FailureKind, Sampling, TextDelta
from desktop.engine.state import EnginePhase, EngineState
from desktop.engine.supervisor import HEARTBEAT_INTERVAL, MISSED_HEARTBEATS
from tests.support.engine_replies import loaded_client, plan_for, reply_of, user
from tests.support.event_loop import EventLoopGap
from tests.support.models.scripted import write_scripted

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and descriptors as Linux has them"),
]

CLIENTS = 4
LONG, SHORT = Sampling(temperature=0.0, max_length=1500), Sampling(temperature=0.0, max_length=10)
SIGNALS = ("SIGSEGV", "SIGABRT", "SIGKILL", "SIGTERM", "SIGBUS", "SIGILL")
WORDS = [f" word{number}" for number in range(50)]
SAYS = "".join(WORDS) * 100
"""What the model always says, whatever it is asked."""
SILENCE = HEARTBEAT_INTERVAL * (MISSED_HEARTBEATS + 1)
"""Seconds until a child that says nothing is ended."""
MOST_COMPUTED, MOST_READY = 0.1, 2.0
"""Seconds: what the event loop computes in one go; from a death until the engine is ready, beside two loads."""
STALLED = 20.0
"""Seconds by which a machine that has much else to do may be late now and then."""
MEMORY_ENDS = ("OutOfMemory", "ContextFull")
"""How a request of eight million characters may end in a child that lives: memory may just have been enough."""
PLAN = {"n_ctx": 8192, "n_parallel": CLIENTS, "n_seq_max": CLIENTS, "n_outputs_max": CLIENTS}


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the child puts its temporary files, alone."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


class Life:
    """When the child died and came back, as the states told it."""

    def __init__(self, client: EngineClient) -> None:
        self.crashed = self.ready = 0.0
        client.subscribe(self._on_state)

    def _on_state(self, state: EngineState) -> None:
        if state.phase == EnginePhase.CRASHED:
            self.crashed = time.monotonic()
        elif state.phase == EnginePhase.READY and state.loaded is not None:
            self.ready = time.monotonic()


class Campaign:
    """Kills, and what was measured at each."""

    def __init__(self, client: EngineClient, chance: random.Random) -> None:
        self.client, self.life = client, Life(client)
        self.ready: list[float] = []
        self.noticed: list[float] = []
        self.endings: Counter[str] = Counter()
        self._chance = chance
        self._deltas = 0

    async def one_kill(self, way: str) -> None:
        """Four replies run; the child is ended after some deltas; the next reply is whole."""
        self._deltas = 0
        after, victim = self._chance.randint(1, 12), self.client.pid
        streams = [asyncio.create_task(self._listen(after, way)) for _ in range(CLIENTS)]
        self._killed = 0.0
        await asyncio.gather(*streams)
        assert self._killed, "every reply ended before its kill"
        reply = await reply_of(self.client, user("Hi."), SHORT)
        assert reply.text == "".join(WORDS[:10])
        assert self.client.pid != victim
        self.noticed.append(self.life.crashed - self._killed)
        self.ready.append(self.life.ready - self.life.crashed)
        (child,) = psutil.Process().children(recursive=True)
        assert child.pid == self.client.pid

    async def _listen(self, after: int, way: str) -> None:
        said = ""
        try:
            async for event in self.client.generate(messages=user("Tell me a story."), sampling=LONG):
                if isinstance(event, TextDelta):
                    said += event.text
                    self._on_delta(after, way)
        except EngineError as error:
            self.endings[type(error).__name__] += bool(error.explain().hint)
        else:
            self.endings["whole"] += 1
        assert SAYS.startswith(said)

    def _on_delta(self, after: int, way: str) -> None:
        self._deltas += 1
        if self._deltas == after:
            assert self.client.pid is not None
            self._killed = time.monotonic()
            os.kill(self.client.pid, signal.Signals[way])


async def _load_seconds(path: Path) -> float:
    """The time of a start and a load without any fault, the median of three."""
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        async with loaded_client(path, **PLAN):
            seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def _entries(folder: Path) -> set[Path]:
    return set(folder.iterdir())


def _ways(count: int, chance: random.Random) -> list[str]:
    """Every signal about as often, a stop at one in twenty, as each takes the ten seconds of its discovery."""
    stops = max(1, count // 20)
    ways = ["SIGSTOP"] * stops + [SIGNALS[index % len(SIGNALS)] for index in range(count - stops)]
    chance.shuffle(ways)
    return ways


@pytest.mark.timeout(1800)
async def test_kills_under_load_cost_the_interrupted_words_and_nothing_else(
    tmp_path: Path, temporary_folder: Path, campaign_factor: int
) -> None:
    chance = random.Random(20260101)
    path = write_scripted(tmp_path, WORDS, endless=True)
    load = await _load_seconds(path)
    shared_memory, files = _entries(Path("/dev/shm")), psutil.Process().num_fds()
    ways = _ways(10 if campaign_factor == 1 else 200, chance)
    async with loaded_client(path, **PLAN) as client:
        campaign, gap = Campaign(client, chance), EventLoopGap()
        for way in ways:
            await campaign.one_kill(way)
        await gap.stop()
    stops = [noticed for way, noticed in zip(ways, campaign.noticed, strict=True) if way == "SIGSTOP"]
    others = [noticed for way, noticed in zip(ways, campaign.noticed, strict=True) if way != "SIGSTOP"]
    print(
        f"\n{len(ways)} kills {dict(Counter(ways))}, endings {dict(campaign.endings)}\n"
        f"start and load without a fault {load:.2f} s, ready again after {statistics.median(campaign.ready):.2f} s, "
        f"at most {max(campaign.ready):.2f} s; noticed within {max(others):.3f} s, a stop within {max(stops):.1f} s; "
        f"longest gap of the event loop {gap.longest * 1000:.0f} ms, in which it computed {gap.computed * 1000:.0f} ms"
    )
    assert gap.computed < MOST_COMPUTED
    assert gap.longest < SILENCE / 2  # it waits for no child
    assert statistics.median(campaign.ready) < MOST_READY + 2 * load
    assert max(campaign.ready) < STALLED + load
    assert statistics.median(others) < 1
    assert max(others) < SILENCE  # not for its silence
    assert SILENCE < 10
    assert max(stops) < SILENCE + STALLED
    assert psutil.Process().num_fds() <= files
    assert _entries(Path("/dev/shm")) <= shared_memory
    assert not _entries(temporary_folder)
    assert campaign.endings.total() == CLIENTS * len(ways)


def _limit_memory(client: EngineClient, spare: int) -> None:
    """Let the child have no more than `spare` bytes beyond what it has."""
    assert client.pid is not None
    child = psutil.Process(client.pid)
    _soft, hard = child.rlimit(resource.RLIMIT_AS)
    child.rlimit(resource.RLIMIT_AS, (child.memory_info().vms + spare, hard))


def _free_memory(client: EngineClient) -> None:
    """Let the child have as much as it wants again, as when another program was closed."""
    assert client.pid is not None
    child = psutil.Process(client.pid)
    _soft, hard = child.rlimit(resource.RLIMIT_AS)
    child.rlimit(resource.RLIMIT_AS, (hard, hard))


@pytest.mark.parametrize("spare", [0, 1 << 20, 16 << 20])
async def test_without_memory_a_request_fails_in_words_and_with_memory_the_next_one_is_answered(
    tmp_path: Path, spare: int
) -> None:
    path = write_scripted(tmp_path, WORDS, endless=True)
    states: list[EngineState] = []
    async with loaded_client(path, **PLAN) as client:
        client.subscribe(states.append)
        victim = client.pid
        _limit_memory(client, spare)
        with pytest.raises(EngineError) as caught:
            await reply_of(client, user("x" * 8_000_000), SHORT)
        deaths = [str(state.failure.kind) for state in states if state.failure and state.phase == EnginePhase.CRASHED]
        print(f"\n{spare >> 20} MiB spare: {type(caught.value).__name__}: {caught.value}; the child died of {deaths}")
        assert caught.value.explain().hint
        assert deaths or type(caught.value).__name__ in MEMORY_ENDS
        if client.pid == victim:  # it lived through that, and must be none the worse for it
            _free_memory(client)
        assert (await reply_of(client, user("Hi."), SHORT)).text == "".join(WORDS[:10])


@pytest.mark.parametrize("spare", [0, 1 << 20])
async def test_a_child_without_memory_for_many_tokens_is_explained_and_the_next_one_answers(
    tmp_path: Path, spare: int
) -> None:
    """A count is made whatever the context holds: a reply of that size is refused before its tokens take memory."""
    path = write_scripted(tmp_path, WORDS, endless=True)
    states: list[EngineState] = []
    async with loaded_client(path, **PLAN) as client:
        client.subscribe(states.append)
        _limit_memory(client, spare)
        tokens, _context = await client.count_tokens(user("x" * 8_000_000))
        deaths = [state.failure.kind for state in states if state.failure and state.phase == EnginePhase.CRASHED]
        assert deaths == [FailureKind.OUT_OF_MEMORY]
        assert tokens > 8_000_000


async def test_a_model_for_which_there_is_no_memory_is_refused_in_words(tmp_path: Path) -> None:
    path = write_scripted(tmp_path, WORDS, endless=True)
    async with loaded_client(path, **PLAN) as client:
        _limit_memory(client, 32 << 20)
        with pytest.raises(EngineError) as caught:
            await client.load(plan_for(path, n_ctx=1 << 20))
        assert type(caught.value).__name__ == "OutOfMemory"
        await client.load(plan_for(path, n_ctx=512))
        assert (await reply_of(client, user("Hi."), SHORT)).text == "".join(WORDS[:10])


def _memory_group() -> Path | None:
    """A folder of control groups (version 2) in which this user may limit memory."""
    own = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line[:3] == "0::"), "")
    parent = Path("/sys/fs/cgroup", own.lstrip("/")).parent
    control = parent / "cgroup.subtree_control"
    if not control.is_file() or "memory" not in control.read_text().split() or not os.access(parent, os.W_OK):
        return None
    return parent


async def test_a_child_that_the_system_kills_for_memory_is_explained(tmp_path: Path) -> None:
    parent = _memory_group()
    if parent is None:
        pytest.skip("not run here: no control group of version 2 in which memory may be limited")
    group = parent / f"snug-test-{os.getpid()}"
    group.mkdir()
    path = write_scripted(tmp_path, WORDS, endless=True)
    try:
        async with loaded_client(path, **PLAN) as client:
            used = psutil.Process(client.pid).memory_info().rss
            (group / "memory.max").write_text(str(used + (8 << 20)))
            (group / "cgroup.procs").write_text(str(client.pid))
            with pytest.raises(EngineError) as caught:
                await client.load(plan_for(path, n_ctx=1 << 18))
            assert caught.value.failure is not None
            assert caught.value.failure.exit_code == -signal.SIGKILL
            await client.load(plan_for(path))
            assert (await reply_of(client, user("Hi."), SHORT)).text == "".join(WORDS[:10])
    finally:
        group.rmdir()
