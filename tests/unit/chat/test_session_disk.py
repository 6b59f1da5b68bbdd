"""What becomes of a reply when the disk or the database refuses it."""

import asyncio

import pytest

from desktop.chat import session as session_module
from desktop.chat.messages import MessageState
from desktop.chat.session import ReplyEvent
from desktop.chat.store import ChatStore
from desktop.database import DatabaseBusy
from desktop.engine.protocol import TextDelta
from desktop.errors import DiskFull
from tests.support.fake_engine import FakeEngine
from tests.unit.chat.sessions import SAMPLING, last, read, session_with


@pytest.mark.asyncio
async def test_a_disk_that_fills_up_in_mid_reply_is_explained_and_stops_it(
    store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull(path="/data")

    monkeypatch.setattr(session_module, "SAVE_INTERVAL", 0.01)
    monkeypatch.setattr(store, "save_text", full)
    engine = FakeEngine(["a", *["b"] * 10_000])
    session = session_with(store, engine)
    taken: list[ReplyEvent] = []

    async def read_slowly() -> None:
        async for event in session.send(text="?", sampling=SAMPLING):
            taken.append(event)
            await asyncio.sleep(0.005)

    with pytest.raises(DiskFull):
        await read_slowly()
    assert len(taken) < 5000
    assert last(store, session).state is MessageState.FAILED
    assert last(store, session).text.startswith("ab")
    assert engine.cancelled == 1


@pytest.mark.asyncio
async def test_the_word_that_comes_after_a_save_has_failed_is_kept_as_well(
    store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull(path="/data")

    def still_saving() -> bool:
        return any(task.get_name() == "reply saver" for task in asyncio.all_tasks())

    monkeypatch.setattr(session_module, "SAVE_INTERVAL", 0.0)
    monkeypatch.setattr(store, "save_text", full)
    session = session_with(store, FakeEngine(["first ", "second ", "third"]))

    async def read_after_the_failure() -> None:
        async for event in session.send(text="?", sampling=SAMPLING):
            if isinstance(event, TextDelta):
                async with asyncio.timeout(60):
                    while still_saving():
                        await asyncio.sleep(0.001)

    with pytest.raises(DiskFull):
        await read_after_the_failure()
    assert last(store, session).text == "first second "


@pytest.mark.asyncio
@pytest.mark.allow_log("could not be saved yet")
async def test_a_database_that_is_busy_for_a_while_does_not_end_a_reply(
    store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    def busy(_message_id: str, text: str, _reasoning: str) -> None:
        tries.append(text)
        if len(tries) == 2:
            loop.call_soon_threadsafe(gate.set)
        raise DatabaseBusy(path="/data", seconds=5)

    monkeypatch.setattr(session_module, "SAVE_INTERVAL", 0.01)
    monkeypatch.setattr(store, "save_text", busy)
    gate, loop = asyncio.Event(), asyncio.get_running_loop()
    session = session_with(store, FakeEngine(["a", "b", gate, "c"]))
    async with asyncio.timeout(60):
        await read(session.send(text="?", sampling=SAMPLING))
    assert len(tries) > 1
    assert (last(store, session).text, last(store, session).state) == ("abc", MessageState.COMPLETE)


@pytest.mark.asyncio
async def test_a_disk_too_full_for_the_end_of_a_reply_leaves_none_that_seems_to_stream(
    store: ChatStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull(path="/data")

    monkeypatch.setattr(store, "finish", full)
    session = session_with(store, FakeEngine(["a"]))
    with pytest.raises(DiskFull):
        await read(session.send(text="?", sampling=SAMPLING))
    assert last(store, session).state is MessageState.INTERRUPTED
