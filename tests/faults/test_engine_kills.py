"""The engine child is killed, stopped and orphaned while it works with the real starter model.

test_engine_kills_under_load.py does so again and again.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError, EngineUnresponsive
from desktop.engine.protocol import Sampling, TextDelta
from desktop.engine.state import EnginePhase, EngineState
from desktop.engine.supervisor import HEARTBEAT_INTERVAL, MISSED_HEARTBEATS
from tests.support.engine_replies import loaded_client, plan_for, reply_of, user

ENDLESS = Sampling(temperature=0.0, max_length=0, ignore_end=True)
"""With `context_shift`: it is still coming when the engine is killed, however slow this process is."""
SHORT = Sampling(temperature=0.0, max_length=3)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")


async def _killed_reply(client: EngineClient, how: signal.Signals, after: int) -> tuple[str, EngineError]:
    """Kill the child when `after` deltas came; what was said, and the error."""
    said: list[str] = []

    async def listen() -> None:
        story = user("Tell me a long story about the sea.")
        async for event in client.generate(messages=story, sampling=ENDLESS, context_shift=True):
            if isinstance(event, TextDelta):
                said.append(event.text)
                if len(said) == after:
                    assert client.pid is not None
                    os.kill(client.pid, how)

    with pytest.raises(EngineError) as caught:
        await listen()
    return "".join(said), caught.value


@pytest.mark.asyncio
async def test_what_was_said_stays_and_the_next_question_is_answered(starter_model: Path) -> None:
    states: list[EngineState] = []
    async with loaded_client(starter_model) as client:
        before = client.loaded
        client.subscribe(states.append)
        said, error = await _killed_reply(client, signal.SIGKILL, 3)
        assert said
        assert error.failure is not None
        assert error.failure.exit_code == -9
        assert (await reply_of(client, user("Hi."), SHORT)).text
        assert client.loaded is not None
        assert before is not None
        assert client.loaded.layers == before.layers
        assert client.state.phase == EnginePhase.READY
    phases = list(dict.fromkeys(state.phase for state in states))
    assert phases[:4] == [EnginePhase.CRASHED, EnginePhase.STARTING, EnginePhase.LOADING, EnginePhase.READY]


@pytest.mark.asyncio
async def test_a_frozen_child_is_found_within_ten_seconds(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        started = time.monotonic()
        _said, error = await _killed_reply(client, signal.SIGSTOP, 2)
        assert isinstance(error, EngineUnresponsive)
        assert HEARTBEAT_INTERVAL * (MISSED_HEARTBEATS + 1) < 10
        assert time.monotonic() - started < 40  # the first words included, and what else the machine may have to do
        assert (await reply_of(client, user("Hi."), SHORT)).text


@pytest.mark.asyncio
async def test_a_kill_while_a_model_loads_is_told(starter_model: Path) -> None:
    client = EngineClient()
    try:
        while not await _killed_in_load(client, starter_model):
            pass  # this time it was loaded before the kill came
        await client.load(plan_for(starter_model))
        assert (await reply_of(client, user("Hi."), SHORT)).text
    finally:
        await client.stop()


async def _killed_in_load(client: EngineClient, model: Path) -> bool:
    """Kill the child a moment after a load began; whether it was in the middle of it, and that was told."""
    await client.start()
    load = asyncio.create_task(client.load(plan_for(model, use_mmap=False)))
    await asyncio.sleep(0.02)
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSTOP)
    await asyncio.sleep(0.02)  # what it said before is heard
    in_the_middle = not load.done()
    os.kill(client.pid, signal.SIGKILL)
    if in_the_middle:
        with pytest.raises(EngineError):
            await load
    return in_the_middle


OWNER = """
import asyncio, sys
from pathlib import Path
from tests.support.engine_replies import user, plan_for
from desktop.engine.client import EngineClient
from desktop.engine.protocol import Sampling, TextDelta

async def main(path, when):
    client = EngineClient()
    await client.start()
    load = asyncio.create_task(client.load(plan_for(path, use_mmap=False)))
    if when == "loading":
        await asyncio.sleep(0)
        print(client.pid, flush=True)
    await load
    if when == "decoding":
        endless = Sampling(max_length=0, ignore_end=True)
        reply = client.generate(messages=user("Tell me a story."), sampling=endless, context_shift=True)
        while not isinstance(await anext(reply), TextDelta):
            pass
    print(client.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.parametrize("when", ["idle", "loading", "decoding"])
def test_no_orphan_outlives_an_owner_that_was_killed(when: str, starter_model: Path, project_root: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(starter_model), when]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project_root
    ) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    gone, alive = psutil.wait_procs([child], timeout=60)
    assert not alive
    assert gone
