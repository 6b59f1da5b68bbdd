"""A child that says random and broken things: the owner never raises, ends it with a reason, and starts the next."""

import asyncio
import contextlib
import gc
import random
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desktop.engine import process
from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError
from desktop.engine.protocol import PROTOCOL_VERSION, Done, EngineMessage, Hello, ReplyPart, Sampling
from tests.support.engine_replies import plan_for, user
from tests.support.protocol_fuzz import EVENTS, broken_lines, random_message

pytestmark = pytest.mark.asyncio

# Says hello, loads whatever it is told to, and answers a request with the lines of a file, which it takes away. Then,
# depending on argv[2], it stays silent ("stay"), ends with that exit code, or dies of that signal ("-11"). Without the
# file it behaves.
CHILD = """
import json, os, signal, sys, time
out = sys.stdout.buffer
def say(line): out.write(line + b"\\n"); out.flush()
devices = dict(version="0", system_info="", supports_gpu_offload=False, supports_rpc=False, devices=[])
say(json.dumps(dict(type="Hello", version=VERSION, pid=os.getpid(), engine=devices)).encode())
model = dict(name="m", architecture="a", n_layer=1, n_ctx=9, n_ctx_train=9, n_vocab=9, n_params=9, n_threads=1,
             has_chat_template=True, layers=["CPU"], memory=[], load_seconds=0.1)
for line in sys.stdin.buffer:
    message = json.loads(line)
    if message["type"] == "Load":
        say(json.dumps(dict(type="Loaded", model=model, load_id=message["load_id"])).encode())
    elif message["type"] == "Generate":
        name = message["request_id"].encode()
        if not os.path.exists(sys.argv[1]):
            say(b'{"type":"TextDelta","request_id":"' + name + b'","text":"fine"}')
            say(b'{"type":"Done","request_id":"' + name + b'","finish_reason":"stop","stats":{}}')
            continue
        try:
            with open(sys.argv[1], "rb") as file:
                lines = file.read().split(b"\\n")
            os.unlink(sys.argv[1])
            for line in lines:
                say(line.replace(b"THE-REQUEST", name))
        except BrokenPipeError:
            pass
        if sys.argv[2] == "stay":
            time.sleep(600)
        elif sys.argv[2].startswith("-"):
            os.kill(os.getpid(), -int(sys.argv[2]))
        os._exit(int(sys.argv[2]))
"""

Use = Callable[..., None]
PATIENCE = 60.0
"""Seconds for what takes milliseconds, on a machine that has much else to do."""


@pytest.fixture
def child_says(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Put the stand-in in the place of the engine child."""
    script = CHILD.replace("VERSION", str(PROTOCOL_VERSION))

    def use(*arguments: str) -> None:
        monkeypatch.setattr(process, "child_command", lambda _role: [sys.executable, "-S", "-c", script, *arguments])

    return use


@contextlib.asynccontextmanager
async def nothing_raised_in_a_task() -> AsyncIterator[None]:
    """Fail when a task or a callback of the loop raised something that nobody caught."""
    problems: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: problems.append(context))
    before = asyncio.all_tasks()
    try:
        yield
        gc.collect()  # a task that failed tells it when it is collected
        left = {task for task in asyncio.all_tasks() - before if not task.done()}
        assert not left
    finally:
        loop.set_exception_handler(None)
    assert not problems


def _lines(chance: random.Random, count: int) -> tuple[bytes, bool]:
    """A file of events, and whether the owner can read them all."""
    decoder, readable = msgspec.json.Decoder(EngineMessage), True
    lines: list[bytes] = []
    for _ in range(count):
        kind = chance.choice(EVENTS)
        fixed: dict[str, Any] = {}
        if "request_id" in kind.__struct_fields__ and chance.random() < 0.8:
            fixed = {"request_id": "THE-REQUEST"}
        line = msgspec.json.encode(random_message(kind, chance, **fixed))
        lines += [line] if chance.random() < 0.9 else broken_lines(line, chance)
    for line in lines:
        try:
            message = decoder.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            readable = False
        else:
            # Another version is the end of a child as well.
            readable &= not (isinstance(message, Hello) and message.version != PROTOCOL_VERSION)
    return b"\n".join(lines), readable


async def _listen(client: EngineClient, text: str) -> list[ReplyPart]:
    return [part async for part in client.generate(messages=user(text), sampling=Sampling())]


async def _ask(client: EngineClient) -> list[ReplyPart] | EngineError:
    try:
        return await _listen(client, "Hi.")
    except EngineError as error:
        return error


@pytest.mark.timeout(900)
async def test_random_events_never_reach_beyond_the_reply(
    child_says: Use, tmp_path: Path, campaign_factor: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance, script = random.Random(20260101), tmp_path / "events"
    ended: list[str] = []
    messages = 150 if campaign_factor == 1 else 1000
    for _ in range(messages // 10):
        content, readable = _lines(chance, 10)
        script.write_bytes(content)
        stay = not readable and chance.random() < 0.5
        how = "stay" if stay else chance.choice(("0", "7", "255", "-6", "-9", "-11"))
        ended.append(await _one_child(child_says, script, how))
    print({name: ended.count(name) for name in set(ended)})
    assert len(set(ended)) > 2


async def _one_child(child_says: Use, script: Path, how: str) -> str:
    """Let one child talk and end; how the reply ended."""
    async with nothing_raised_in_a_task():
        client = EngineClient()
        child_says(str(script), how)
        try:
            await client.load(plan_for(Path("/m.gguf")))
            talker = client.pid
            outcome = await asyncio.wait_for(_ask(client), PATIENCE)
            async with asyncio.timeout(PATIENCE):
                while client.pid == talker:
                    await asyncio.sleep(0.005)
            await asyncio.wait_for(client.load(plan_for(Path("/m.gguf"))), PATIENCE)
            after = await asyncio.wait_for(_ask(client), PATIENCE)
        finally:
            await client.stop()
    assert isinstance(after, list), after
    assert isinstance(after[-1], Done)
    if isinstance(outcome, EngineError):
        assert outcome.explain().hint
        return type(outcome).__name__
    assert isinstance(outcome[-1], Done)
    return "Done"


async def test_a_message_that_no_wire_can_carry_is_refused_in_words(child_says: Use, tmp_path: Path) -> None:
    child_says(str(tmp_path / "nothing"), "0")
    client = EngineClient()
    try:
        await client.load(plan_for(Path("/m.gguf")))
        async with nothing_raised_in_a_task():
            with pytest.raises(EngineError) as caught:
                await asyncio.wait_for(_listen(client, "\ud800"), PATIENCE)
            assert caught.value.explain().hint
            assert isinstance((await asyncio.wait_for(_listen(client, "Hi."), PATIENCE))[-1], Done)
    finally:
        await client.stop()
