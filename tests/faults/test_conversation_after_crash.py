"""A conversation with the real engine, which is killed under it: the words stay, and the reply goes on from them."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from desktop.chat.messages import MessageState
from desktop.chat.session import ChatSession
from desktop.chat.store import ChatStore
from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError
from desktop.engine.protocol import PromptProgress, Sampling, TextDelta
from tests.support.engine_replies import loaded_client, reply_of, user

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
QUESTION = "Write a long story about a lighthouse."
LONG, REST = Sampling(temperature=0.0, max_length=3000, ignore_end=True), Sampling(temperature=0.0, max_length=60)
"""Half a minute of a reply: it is still coming when the engine is killed, however slow this process is. The rest of it.
"""


async def _send_and_kill(session: ChatSession, engine: EngineClient, after: int) -> None:
    """Ask, and kill the engine when `after` pieces of text came."""
    seen = 0
    async with aclosing(session.send(text=QUESTION, sampling=LONG)) as events:
        async for event in events:
            seen += isinstance(event, TextDelta)
            if seen == after and isinstance(event, TextDelta):
                assert engine.pid is not None
                os.kill(engine.pid, signal.SIGKILL)


@pytest.mark.asyncio
async def test_a_reply_that_was_cut_by_a_crash_goes_on_where_it_was(starter_model: Path, tmp_path: Path) -> None:
    store = ChatStore.open(tmp_path / "chats.sqlite3")
    conversation = store.create_conversation()
    async with loaded_client(starter_model, n_ctx=4096) as engine:
        session = ChatSession(store, engine, conversation.id)
        with pytest.raises(EngineError):
            await _send_and_kill(session, engine, 2)
        cut = store.messages(conversation.id)[-1]
        assert cut.state == MessageState.INTERRUPTED
        assert cut.text
        async for _event in session.continue_reply(message_id=cut.id, sampling=REST):
            pass
        whole = store.messages(conversation.id)[-1]
    store.close()
    assert whole.id == cut.id
    assert whole.state == MessageState.COMPLETE
    assert whole.text.startswith(cut.text)
    assert len(whole.text) > len(cut.text)


@pytest.mark.asyncio
async def test_a_question_that_was_being_read_when_the_engine_died_is_answered_as_if_nothing_was(
    starter_model: Path,
) -> None:
    question = user("Count from one. " * 60 + "What is the capital of France?")
    short = Sampling(temperature=0.0, max_length=12)
    async with loaded_client(starter_model, n_batch=64, n_ubatch=64) as engine:
        expected = (await reply_of(engine, question, short)).text
    async with loaded_client(starter_model, n_batch=64, n_ubatch=64) as engine:
        killed, text = False, ""
        async for part in engine.generate(messages=question, sampling=short):
            if isinstance(part, PromptProgress) and part.done < part.total and not killed:
                killed = True
                assert engine.pid is not None
                os.kill(engine.pid, signal.SIGKILL)
            text += part.text if isinstance(part, TextDelta) else ""
    assert killed
    assert text == expected


OWNER = """
import asyncio, sys
from pathlib import Path
from tests.support.engine_replies import plan_for
from desktop.engine.client import EngineClient

async def main(path):
    client = EngineClient()
    await client.load(plan_for(path))
    print(client.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a stopped child with its owner")
def test_a_stopped_engine_ends_with_an_owner_that_was_killed(starter_model: Path, project_root: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(starter_model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=project_root) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        child.suspend()
        owner.kill()
    gone, _alive = psutil.wait_procs([child], timeout=60)
    assert gone


@pytest.mark.asyncio
async def test_requests_that_wait_for_a_dead_engine_are_answered_in_their_turn(starter_model: Path) -> None:
    short = Sampling(temperature=0.0, max_length=4)
    async with loaded_client(starter_model) as engine:
        expected = [(await reply_of(engine, user(f"Say {word}."), short)).text for word in ("one", "two", "three")]
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        replies = await asyncio.gather(
            *(reply_of(engine, user(f"Say {word}."), short) for word in ("one", "two", "three"))
        )
    assert [bool(reply.text) for reply in replies] == [bool(text) for text in expected]
    assert all(reply.done.finish_reason in {"stop", "length"} for reply in replies)
