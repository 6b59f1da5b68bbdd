"""One physical core per thread, and a thread less for each core that others keep busy."""

import asyncio
import os
import statistics
import time
from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.protocol import PromptMessage, Sampling
from desktop.runtime.devices.threads import (
    INTERVAL,
    CpuTimes,
    ThreadGovernor,
    busy_ticks,
    count_cores,
    open_clock,
    physical_cores,
)
from tests.support.busy_core import busy_core
from tests.support.engine_replies import loaded_client
from tests.support.models.decoders import write_dense

IN_EARNEST = pytest.mark.skipif(
    hasattr(os, "nice") and os.nice(0) > 0, reason="programs of a low priority, as these tests start, are not counted"
)
STAT = b"cpu  100 50 20 900 7 1 2 3 0 0\ncpu0 60 50 10 400 7 1 1 3 0 0\ncpu1 40 0 10 500 0 0 1 0 0 0\nintr 5\n"


class Machine:
    """A machine whose other programs use as many cores as the test says, seen through a governor."""

    def __init__(self, *, limit: int, cores: int) -> None:
        self.now, self.own, self.others, self.taken = 100.0, 0.0, 0.0, 0.0
        self.governor = ThreadGovernor(limit, cores=cores, clock=lambda: CpuTimes(self.others + self.own, self.own))
        self.governor.look(self.now)

    def run(self, seconds: float, *, taken: float) -> list[tuple[float, int]]:
        """Let time pass in steps of a token; return the changes as (seconds since the beginning, threads)."""
        begin, changes = self.now, []
        while self.now < begin + seconds:
            self.now += 0.02
            self.others += 0.02 * taken
            self.own += 0.02 * self.governor.threads
            if (threads := self.governor.look(self.now)) is not None:
                changes.append((self.now - begin, threads))
        return changes


def test_two_threads_of_a_core_count_once() -> None:
    lines = []
    for package, core in [(0, 0), (0, 1), (0, 0), (0, 1), (1, 0), (1, 1)]:
        lines += [f"physical id\t: {package}", f"core id\t\t: {core}", ""]
    assert count_cores(lines) == 4


def test_a_machine_that_does_not_tell_counts_nothing() -> None:
    assert count_cores(["processor : 0", "BogoMIPS : 50.0"]) == 0


def test_there_is_always_a_thread() -> None:
    assert physical_cores() >= 1


def test_what_runs_at_low_priority_leaves_its_core_and_is_not_counted() -> None:
    assert busy_ticks(STAT, b"cpu ") == 126
    assert busy_ticks(STAT, b"cpu1 ") == 51


def test_a_quiet_machine_changes_nothing() -> None:
    assert Machine(limit=4, cores=4).run(20, taken=0.3) == []


def test_a_core_that_is_taken_costs_a_thread_within_a_second() -> None:
    [(seconds, threads)] = Machine(limit=4, cores=4).run(5, taken=0.9)
    assert (seconds <= 2 * INTERVAL + 0.02, threads) == (True, 3)


def test_a_thread_is_always_left() -> None:
    assert Machine(limit=2, cores=2).run(5, taken=7.0)[-1][1] == 1


def test_fewer_threads_than_cores_leave_room_for_others() -> None:
    assert Machine(limit=2, cores=8).run(5, taken=5.0) == []


def test_threads_come_back_after_three_quiet_seconds_and_not_in_a_pause() -> None:
    machine = Machine(limit=2, cores=2)
    assert machine.run(2, taken=1.0)[-1][1] == 1
    assert machine.run(2, taken=0.0) == []
    assert machine.run(2, taken=1.0) == []
    [(seconds, threads)] = machine.run(6, taken=0.0)
    assert threads == 2
    assert 3 <= seconds <= 4.1


def test_as_many_threads_come_back_as_were_free_all_the_time() -> None:
    machine = Machine(limit=4, cores=4)
    machine.run(2, taken=3.0)
    machine.run(1.5, taken=0.0)
    assert machine.run(3, taken=2.0)[0][1] == 2


def test_a_window_from_before_the_engine_was_idle_says_nothing() -> None:
    machine = Machine(limit=2, cores=2)
    machine.now += 60
    machine.others += 60
    assert machine.governor.look(machine.now) is None
    assert machine.run(3, taken=0.0) == []


def test_steps_that_last_seconds_are_seen_as_well() -> None:
    machine = Machine(limit=2, cores=2)
    machine.now += 4
    machine.others += 4
    assert machine.governor.look(machine.now) == 1


def test_a_system_without_figures_keeps_the_number() -> None:
    governor = ThreadGovernor(4, cores=4, clock=lambda: None)
    assert [governor.look(float(second)) for second in range(10)] == [None] * 10


def test_a_look_costs_next_to_nothing() -> None:
    governor = ThreadGovernor(2)
    costs = []
    for second in range(200):
        started = time.thread_time()
        governor.look(float(second))
        costs.append(time.thread_time() - started)
    assert statistics.median(costs) < 500e-6


@pytest.mark.skipif(open_clock()() is None, reason="this system does not tell its CPU times")
@IN_EARNEST
def test_the_governor_sees_a_program_that_keeps_a_core_busy() -> None:
    governor = ThreadGovernor(64, cores=64)
    with busy_core():
        while (threads := governor.look(time.monotonic())) is None:
            time.sleep(0.05)
    assert threads < 64


@pytest.mark.asyncio
@pytest.mark.skipif(physical_cores() < 2 or open_clock()() is None, reason="there is no thread to give up")
@IN_EARNEST
async def test_a_reply_gives_a_core_up_to_another_program(tmp_path: Path) -> None:
    async with loaded_client(write_dense(tmp_path), n_threads=physical_cores(), n_ctx=4096) as client:
        asked = [PromptMessage(role="user", content="Tell me a story.")]
        reply = asyncio.create_task(_read(client, asked))
        with busy_core():
            while (await client.status()).threads == physical_cores():
                assert not reply.done()
                await asyncio.sleep(0.1)
        reply.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reply


async def _read(client: EngineClient, asked: list[PromptMessage]) -> None:
    endless = Sampling(max_length=0, ignore_end=True)
    async for _part in client.generate(messages=asked, sampling=endless, context_shift=True):
        pass
