"""The store, the session and the real engine with the real starter model, without a window."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from desktop.chat.messages import MessageState
from desktop.chat.session import ChatSession
from desktop.chat.store import ChatStore
from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineError
from desktop.engine.protocol import Done, LoadPlan, Sampling, TextDelta

GREEDY = Sampling(temperature=0.0, max_length=24)


@pytest_asyncio.fixture
async def engine(starter_model: Path) -> AsyncIterator[EngineClient]:
    engine = EngineClient()
    await engine.load(LoadPlan(model_path=str(starter_model), model_name="SmolLM2 135M", n_ctx=1024))
    yield engine
    await engine.stop()


@pytest.mark.asyncio
async def test_a_real_reply_is_streamed_and_there_after_a_restart(engine: EngineClient, tmp_path: Path) -> None:
    path = tmp_path / "chats.sqlite3"
    store = ChatStore.open(path)
    conversation = store.create_conversation(system_prompt="You answer in one sentence.")
    session = ChatSession(store, engine, conversation.id)
    events = [event async for event in session.send(text="What is the capital of France?", sampling=GREEDY)]
    store.close()
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert "Paris" in said
    assert isinstance(events[-1], Done)
    store = ChatStore.open(path)
    asked, reply = store.messages(conversation.id)
    store.close()
    assert asked.text == "What is the capital of France?"
    assert (reply.text, reply.state, reply.model) == (said, MessageState.COMPLETE, "SmolLM2 135M")
    assert reply.stats is not None
    assert reply.stats.completion_tokens > 0
    assert reply.stats.decode_speed > 0


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
async def test_a_killed_engine_keeps_the_words_and_answers_the_next_message(
    engine: EngineClient, tmp_path: Path
) -> None:
    store = ChatStore.open(tmp_path / "chats.sqlite3")
    session = ChatSession(store, engine, store.create_conversation().id)
    said: list[str] = []

    async def read_and_kill() -> None:
        sampling = Sampling(temperature=0.0, min_length=900, max_length=900)  # it still comes when it is killed
        async for event in session.send(text="Count from one to fifty in words.", sampling=sampling):
            if isinstance(event, TextDelta):
                said.append(event.text)
                if len(said) == 5:
                    assert engine.pid is not None
                    os.kill(engine.pid, signal.SIGKILL)

    with pytest.raises(EngineError):
        await read_and_kill()
    _, reply = store.messages(session.conversation_id)
    assert reply.state is MessageState.INTERRUPTED
    assert reply.text == "".join(said) != ""
    assert reply.failure is not None
    events = [event async for event in session.send(text="What is the capital of France?", sampling=GREEDY)]
    assert isinstance(events[-1], Done)
    assert store.messages(session.conversation_id)[-1].state is MessageState.COMPLETE
    store.close()
