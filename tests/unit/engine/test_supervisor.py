"""A child that misbehaves in every way there is; the owner explains it and goes on."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.childprocess import child_command
from desktop.engine import process, supervisor
from desktop.engine.client import EngineClient
from desktop.engine.failure import (
    EngineAborted,
    EngineError,
    EngineExited,
    EngineKilled,
    EngineMissing,
    EngineUnresponsive,
    InternalFailure,
    VersionMismatch,
)
from desktop.engine.inventory import list_devices
from desktop.engine.protocol import PROTOCOL_VERSION, EngineMessage, FailureKind, Pong
from desktop.engine.state import EnginePhase, EngineState
from tests.support.engine_replies import plan_for, reply_of, user

pytestmark = pytest.mark.asyncio

HELLO = (
    "import json, os, signal, sys, time\n"
    "def say(**fields): print(json.dumps(fields), flush=True)\n"
    'info = dict(version="0", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=[])\n'
    f"def hello(version={PROTOCOL_VERSION}): "
    'say(type="Hello", version=version, pid=os.getpid(), engine=info)\n'
)
SERVE = """hello()
load = 0
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "Ping": say(type="Pong", nonce=message["nonce"])
    if message["type"] == "Load": load = message["load_id"]
    if message["type"] == "CancelLoad": say(type="LoadFailed", load_id=load, failure=dict(kind="cancelled"))
"""
PATIENT = 50
"""Seconds for what comes in a moment, on a machine that has much else to do."""

Script = Callable[[str], None]


@pytest.fixture
def child_does(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Put a script in the place of the engine child."""

    def use(script: str) -> None:
        monkeypatch.setattr(process, "child_command", lambda _role: [sys.executable, "-c", HELLO + script])

    return use


async def _start_fails(kind: type[EngineError]) -> EngineError:
    client = EngineClient()
    try:
        with pytest.raises(kind) as caught:
            await client.start()
        return caught.value
    finally:
        await client.stop()
        assert client.state.phase == EnginePhase.STOPPED


async def test_a_child_that_talks_garbage_is_explained(child_does: Script) -> None:
    child_does("print('Traceback (most recent call last)', flush=True); time.sleep(600)")
    assert "not the protocol" in str(await _start_fails(InternalFailure))


async def test_a_child_that_sends_a_bottomless_message_is_explained(child_does: Script) -> None:
    child_does("""os.write(1, b'{"type":"Hello","x":' + b'[' * 60000 + b'\\n'); time.sleep(600)""")
    assert "not the protocol" in str(await _start_fails(InternalFailure))


async def test_a_child_that_sends_bytes_that_are_no_text_is_explained(child_does: Script) -> None:
    child_does("os.write(1, b'\\xff\\xfe\\n'); time.sleep(600)")
    await _start_fails(InternalFailure)


async def test_a_child_of_another_version_is_explained_and_not_tried_again(child_does: Script) -> None:
    child_does("hello(version=99); time.sleep(600)")
    client = EngineClient()
    with pytest.raises(VersionMismatch):
        await client.start()
    assert client.state.breaker_open
    assert client.state.restart_in is None
    await client.stop()


async def test_a_child_without_its_libraries_is_explained(child_does: Script) -> None:
    child_does("print('libllama.so: cannot open shared object file', file=sys.stderr); sys.exit(65)")
    assert "cannot open shared object" in str(await _start_fails(EngineMissing))


async def test_a_program_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "child_command", lambda _role: ["/no/such/program"])
    await _start_fails(EngineMissing)
    with pytest.raises(EngineMissing):
        await list_devices()


async def test_last_words_of_a_dying_child_reach_the_person(child_does: Script) -> None:
    child_does("print('GGML_ASSERT(x) failed', file=sys.stderr, flush=True); os.abort()")
    error = await _start_fails(EngineAborted)
    assert "GGML_ASSERT(x)" in str(error)
    assert error.failure is not None
    assert error.failure.last_lines[-1] == "GGML_ASSERT(x) failed"


async def test_a_child_that_never_says_hello_is_ended(child_does: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HELLO_TIMEOUT", 0.3)
    child_does("time.sleep(600)")
    await _start_fails(EngineUnresponsive)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
async def test_a_child_that_is_stopped_before_its_hello_is_found(
    child_does: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HEARTBEAT_INTERVAL", 0.1)
    child_does("os.kill(os.getpid(), signal.SIGSTOP)")
    await asyncio.wait_for(_start_fails(EngineUnresponsive), PATIENT)


async def test_a_child_that_is_slow_to_load_its_libraries_is_left_alone(
    child_does: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HEARTBEAT_INTERVAL", 0.05)
    child_does("time.sleep(1)\n" + SERVE)  # answers no ping meanwhile
    client = EngineClient()
    await client.start()
    assert client.state.phase == EnginePhase.READY
    await client.stop()


async def test_a_child_that_ignores_its_end_is_killed(child_does: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "SHUTDOWN_TIMEOUT", 0.2)
    monkeypatch.setattr(process, "TERMINATE_TIMEOUT", 0.2)
    child_does("signal.signal(signal.SIGTERM, signal.SIG_IGN); hello(); time.sleep(600)")
    client = EngineClient()
    await client.start()
    await asyncio.wait_for(client.stop(), PATIENT)
    assert client.pid is None


async def test_a_child_that_stops_answering_is_replaced(child_does: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HEARTBEAT_INTERVAL", 0.1)
    child_does("hello(); time.sleep(600)")
    client, states = EngineClient(), list[EngineState]()
    client.subscribe(states.append)
    await client.start()
    first = client.pid
    async with asyncio.timeout(PATIENT):
        while client.pid in {first, None}:
            await _next_state(client)
    await client.stop()
    crashed = [state for state in states if state.phase == EnginePhase.CRASHED]
    assert crashed[0].failure is not None
    assert crashed[0].failure.kind == FailureKind.UNRESPONSIVE


async def test_a_child_that_answers_its_pings_lives(child_does: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    # It may be two seconds late with its answer, and is asked more often than it may miss.
    monkeypatch.setattr(supervisor, "HEARTBEAT_INTERVAL", 0.02)
    monkeypatch.setattr(supervisor, "MISSED_HEARTBEATS", 100)
    child_does(SERVE)
    client, answered = EngineClient(), 0
    await client.start()
    first, hear = client.pid, client._supervisor._on_message

    def count(message: EngineMessage) -> None:
        nonlocal answered
        answered += isinstance(message, Pong)
        hear(message)

    monkeypatch.setattr(client._supervisor._process, "_on_message", count)
    async with asyncio.timeout(PATIENT):
        while answered < 150:
            assert client.pid == first
            await asyncio.sleep(0.02)
    await client.stop()


async def test_the_third_crash_in_a_row_opens_the_breaker_and_a_person_can_close_it(child_does: Script) -> None:
    child_does("hello(); time.sleep(0.05); os.kill(os.getpid(), 9)")
    client, states = EngineClient(), list[EngineState]()
    client.subscribe(states.append)
    await client.start()
    while not client.state.breaker_open:
        await asyncio.wait_for(_next_state(client), PATIENT)
    crashes = [state.restart_in for state in states if state.phase == EnginePhase.CRASHED]
    assert crashes == [0, 1, None]
    with pytest.raises(EngineKilled):
        await reply_of(client, user("Hi."))
    child_does(SERVE)
    await client.start()
    assert client.state.phase == EnginePhase.READY
    await client.stop()


async def _next_state(client: EngineClient) -> None:
    changed = asyncio.Event()
    unsubscribe = client.subscribe(lambda _state: changed.set())
    await changed.wait()
    unsubscribe()


async def test_a_crash_in_a_load_is_told_and_the_model_is_not_tried_again(child_does: Script) -> None:
    child_does("hello()\nfor line in sys.stdin:\n    if 'Load' in line: sys.exit(7)\n")
    client = EngineClient()
    with pytest.raises(EngineExited, match="exit code 7"):
        await client.load(plan_for(Path("/m.gguf")))
    assert client.plan is None
    await client.stop()


async def test_an_answer_longer_than_a_pipe_comes_through(child_does: Script) -> None:
    child_does("info['system_info'] = 'x' * 3_000_000\n" + SERVE)
    client = EngineClient()
    info = await client.start()
    assert len(info.system_info) == 3_000_000
    await client.stop()


async def test_stopping_twice_and_stopping_what_never_ran_is_fine(child_does: Script) -> None:
    child_does(SERVE)
    client = EngineClient()
    await client.stop()
    await client.start()
    await asyncio.gather(client.stop(), client.stop())
    assert client.pid is None


async def test_starting_twice_at_once_starts_one_child(child_does: Script) -> None:
    child_does(SERVE)
    client, states = EngineClient(), list[EngineState]()
    client.subscribe(states.append)
    await asyncio.gather(client.start(), client.start())
    assert [state.phase for state in states] == [EnginePhase.STARTING, EnginePhase.READY]
    await client.stop()


@pytest.mark.parametrize("turns", range(1, 9))
async def test_a_start_that_is_given_up_is_no_crash_and_brings_no_other_child(child_does: Script, turns: int) -> None:
    child_does(SERVE)
    client, states = EngineClient(), list[EngineState]()
    client.subscribe(states.append)
    starting = asyncio.create_task(client.start())
    for _ in range(turns):  # of the event loop, in which the child is made and its pipes are connected
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    async with asyncio.timeout(PATIENT):
        while client.state.phase == EnginePhase.STARTING:
            await asyncio.sleep(0.01)
    there = client.pid is not None
    assert [state.phase for state in states[1:]] == [EnginePhase.READY if there else EnginePhase.STOPPED]
    assert states[-1].failure is None
    await client.start()
    assert client.state.phase == EnginePhase.READY
    await client.stop()


async def test_a_start_that_one_gives_up_and_another_waits_for_goes_on(child_does: Script) -> None:
    child_does("time.sleep(0.3)\n" + SERVE)
    client, states = EngineClient(), list[EngineState]()
    client.subscribe(states.append)
    given_up, waited_for = asyncio.create_task(client.start()), asyncio.create_task(client.start())
    while client.pid is None:
        await asyncio.sleep(0.01)
    given_up.cancel()
    await waited_for
    assert given_up.cancelled()
    assert [state.phase for state in states] == [EnginePhase.STARTING, EnginePhase.READY]
    await client.stop()


async def test_a_silent_child_of_a_start_that_was_given_up_is_ended_all_the_same(
    child_does: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HELLO_TIMEOUT", 0.3)
    child_does("time.sleep(600)")
    client = EngineClient()
    starting = asyncio.create_task(client.start())
    while client.pid is None:
        await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.wait([starting])
    async with asyncio.timeout(PATIENT):
        while client.state.phase != EnginePhase.CRASHED:
            await asyncio.sleep(0.01)
    assert client.state.failure is not None
    assert client.state.failure.kind == FailureKind.UNRESPONSIVE
    await client.stop()


@pytest.mark.parametrize("turns", range(8))
async def test_a_load_that_is_given_up_while_another_brings_the_child_back_leaves_that_alone(
    child_does: Script, turns: int
) -> None:
    child_does(SERVE)
    client, dead = EngineClient(), asyncio.Event()
    client.subscribe(lambda state: dead.set() if state.restart_in else None)
    await client.start()
    client._supervisor.breaker.crashed(asyncio.get_running_loop().time())  # so that the next one is a second away
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    await asyncio.wait_for(dead.wait(), PATIENT)
    started, loading = asyncio.create_task(client.start()), asyncio.create_task(client.load(plan_for(Path("/m.gguf"))))
    for _ in range(turns):
        await asyncio.sleep(0)
    loading.cancel()
    await asyncio.wait([loading])
    await started
    async with asyncio.timeout(PATIENT):
        while client.state.phase != EnginePhase.READY:
            await asyncio.sleep(0.001)
    assert client.pid is not None
    await client.stop()
    assert client.pid is None


async def test_words_before_anybody_knows_of_the_child_are_heard(
    child_does: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its pipes are connected, something else takes long."""
    child_does("hello(version=99); time.sleep(600)")
    loop = asyncio.get_running_loop()
    connect, connected = loop.connect_read_pipe, asyncio.Event()

    async def late(*arguments: Any) -> Any:
        if connected.is_set():
            time.sleep(0.5)  # noqa: ASYNC251 - as a window that is drawn
            await asyncio.sleep(0.01)
        connected.set()
        return await connect(*arguments)

    monkeypatch.setattr(loop, "connect_read_pipe", late)
    async with asyncio.timeout(PATIENT):
        await _start_fails(VersionMismatch)


async def test_the_real_child_answers_garbage_and_goes_on() -> None:
    pipe = asyncio.subprocess.PIPE
    bottomless = b'{"type":"Ping","nonce":1,"x":' + b"[" * 200_000 + b"\n"
    child = await asyncio.create_subprocess_exec(*child_command("engine"), stdin=pipe, stdout=pipe, stderr=pipe)
    out, _ = await asyncio.wait_for(
        child.communicate(b'nonsense\n{"type":"Generate"}\n\xff\n{"type":"Cancel","request_id":"?"}\n' + bottomless),
        PATIENT,
    )
    assert child.returncode == 0
    assert out.count(b"bad_request") == 4


async def test_the_real_child_refuses_an_app_of_another_version() -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*child_command("engine"), stdin=pipe, stdout=pipe, stderr=pipe)
    assert child.stdin is not None
    child.stdin.write(b'{"type":"Open","version":99}\n')
    await child.stdin.drain()
    assert await asyncio.wait_for(child.wait(), PATIENT) == 64
    child.stdin.close()
