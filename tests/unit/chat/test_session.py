import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from desktop.chat import session as session_module
from desktop.chat.messages import Message, MessageState
from desktop.chat.session import ChatSession, ReplyEvent, ReplyIncomplete, ReplyStarted, ReplyUnderWay
from desktop.chat.store import ChatStore
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import Done, EngineFailure, FailureKind, ReasoningDelta, TextDelta
from desktop.errors import AppError
from tests.support.fake_engine import Call, FakeEngine, Finish, Step, Thought
from tests.unit.chat.sessions import SAMPLING, last, read, session_with


def crash(kind: FailureKind = FailureKind.KILLED, **fields: Any) -> AppError:
    return explain_failure(EngineFailure(kind=kind, **fields))


async def until_text(events: AsyncGenerator[ReplyEvent, None], text: str) -> None:
    async for event in events:
        if isinstance(event, TextDelta) and event.text == text:
            return


@pytest.mark.asyncio
async def test_a_reply_streams_and_is_kept_with_its_figures(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["Hel", "lo."]))
    events = await read(session.send(text="Hi", sampling=SAMPLING))
    assert isinstance(events[0], ReplyStarted)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo."]
    assert isinstance(events[-1], Done)
    asked, reply = store.messages(session.conversation_id)
    assert (asked.text, reply.text, reply.state) == ("Hi", "Hello.", MessageState.COMPLETE)
    assert (reply.model, reply.finish_reason, reply.stats) == ("Fake 1B", "stop", events[-1].stats)


@pytest.mark.asyncio
async def test_the_question_is_on_the_disk_before_the_engine_hears_of_it(store: ChatStore, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    class Engine(FakeEngine):
        def generate(self, **request: Any) -> Any:
            other = ChatStore.open(tmp_path / "chats.sqlite3")  # as another process would see it
            seen.extend((m.text, m.state) for m in other.messages(session.conversation_id))
            other.close()
            return super().generate(**request)

    session = session_with(store, Engine(["x"]))
    await read(session.send(text="Hi", sampling=SAMPLING))
    assert seen == [("Hi", "complete"), ("", "streaming")]


@pytest.mark.asyncio
async def test_the_model_is_told_the_whole_conversation(store: ChatStore) -> None:
    engine = FakeEngine(["One."], [Thought("secret"), "Two."], ["Three."])
    session = session_with(store, engine, system_prompt="Be kind.")
    for text in ("1?", "2?", "3?"):
        await read(session.send(text=text, sampling=SAMPLING))
    assert [(m.role, m.content) for m in engine.requests[-1].messages] == [
        ("system", "Be kind."),
        ("user", "1?"),
        ("assistant", "One."),
        ("user", "2?"),
        ("assistant", "Two."),
        ("user", "3?"),
    ]
    assert engine.requests[-1].sampling == SAMPLING
    # By this name the engine can forget it.
    assert {request.options["conversation"] for request in engine.requests} == {session.conversation_id}


@pytest.mark.asyncio
async def test_reasoning_is_kept_apart_from_the_text(store: ChatStore) -> None:
    session = session_with(store, FakeEngine([Thought("Let me "), Thought("see."), "42"]))
    events = await read(session.send(text="?", sampling=SAMPLING))
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["Let me ", "see."]
    assert (last(store, session).reasoning, last(store, session).text) == ("Let me see.", "42")


@pytest.mark.asyncio
async def test_a_tool_call_that_was_cut_is_kept_as_the_text_that_it_comes_as(store: ChatStore) -> None:
    words = '<tool_call>{"name": "add", "arguments": {"a": '
    steps: list[Step | Finish] = [
        "Well. ",
        Call("add"),
        Call("", '{"a": '),
        Call(withdrawn=True),
        words,
        Finish("length"),
    ]
    session = session_with(store, FakeEngine(steps))
    await read(session.send(text="Hi", sampling=SAMPLING))
    reply = last(store, session)
    assert (reply.text, reply.state, reply.finish_reason) == (f"Well. {words}", MessageState.COMPLETE, "length")


@pytest.mark.asyncio
async def test_text_is_saved_while_the_engine_pauses(store: ChatStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SAVE_INTERVAL", 0.02)
    gate, saved, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    save_text = store.save_text

    def save_and_tell(*arguments: str) -> None:
        save_text(*arguments)
        loop.call_soon_threadsafe(saved.set)

    monkeypatch.setattr(store, "save_text", save_and_tell)
    session = session_with(store, FakeEngine(["said ", "before", gate, " and after"]))
    task = asyncio.create_task(read(session.send(text="?", sampling=SAMPLING)))
    async with asyncio.timeout(60):
        await saved.wait()
    kept = last(store, session)
    assert kept.text == "said before"
    assert kept.state is MessageState.STREAMING
    gate.set()
    await task
    assert last(store, session).text == "said before and after"


def test_a_reply_is_saved_at_least_once_a_second() -> None:
    assert session_module.SAVE_INTERVAL <= 1.0


@pytest.mark.asyncio
async def test_saving_never_runs_on_the_loops_own_thread(store: ChatStore, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_with(store, FakeEngine(["a", "b"]))
    threads: set[int] = set()
    for name in ("add_turn", "save_text", "finish", "path", "conversation"):
        original = getattr(store, name)

        def note(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            threads.add(threading.get_ident())
            return _original(*args, **kwargs)

        monkeypatch.setattr(store, name, note)
    monkeypatch.setattr(session_module, "SAVE_INTERVAL", 0.01)
    async for _ in session.send(text="?", sampling=SAMPLING):
        await asyncio.sleep(0.03)
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.asyncio
async def test_stopping_by_leaving_keeps_the_text_and_cancels_the_engine(store: ChatStore) -> None:
    engine = FakeEngine(["One ", "two ", asyncio.Event()])
    session = session_with(store, engine)
    events = session.send(text="?", sampling=SAMPLING)
    await until_text(events, "two ")
    await events.aclose()
    assert (last(store, session).text, last(store, session).state) == ("One two ", MessageState.STOPPED)
    assert engine.cancelled == 1


@pytest.mark.asyncio
async def test_cancelling_the_reader_keeps_the_text_and_cancels_the_engine(store: ChatStore) -> None:
    engine = FakeEngine(["One ", "two ", asyncio.Event()])
    session = session_with(store, engine)
    reached = asyncio.Event()

    async def reader() -> None:
        async for event in session.send(text="?", sampling=SAMPLING):
            if isinstance(event, TextDelta) and event.text == "two ":
                reached.set()

    task = asyncio.create_task(reader())
    await reached.wait()
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (last(store, session).text, last(store, session).state) == ("One two ", MessageState.STOPPED)
    assert engine.cancelled == 1


@pytest.mark.asyncio
async def test_cancelling_twice_keeps_the_text_all_the_same(store: ChatStore, monkeypatch: pytest.MonkeyPatch) -> None:
    saved, finish, loop = asyncio.Event(), store.finish, asyncio.get_running_loop()

    def slow_finish(*arguments: Any, **words: Any) -> Message:
        time.sleep(0.05)
        message = finish(*arguments, **words)
        loop.call_soon_threadsafe(saved.set)
        return message

    monkeypatch.setattr(store, "finish", slow_finish)
    reached = asyncio.Event()

    async def reader(session: ChatSession) -> None:
        async for event in session.send(text="?", sampling=SAMPLING):
            if isinstance(event, TextDelta):
                reached.set()

    session = session_with(store, FakeEngine(["One ", asyncio.Event()]))
    task = asyncio.create_task(reader(session))
    await reached.wait()
    task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(60):
        await saved.wait()
    assert (last(store, session).text, last(store, session).state) == ("One ", MessageState.STOPPED)


@pytest.mark.asyncio
async def test_cancelling_at_the_very_beginning_leaves_no_reply_that_streams_for_ever(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["never"]))
    task = asyncio.create_task(read(session.send(text="?", sampling=SAMPLING)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [m.state for m in store.messages(session.conversation_id)] == [MessageState.COMPLETE, MessageState.STOPPED]


@pytest.mark.asyncio
async def test_a_stop_by_the_engine_is_a_stop(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["par", Finish("cancelled")]))
    await read(session.send(text="?", sampling=SAMPLING))
    assert (last(store, session).text, last(store, session).state) == ("par", MessageState.STOPPED)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "error",
    [crash(exit_code=-9), crash(FailureKind.UNRESPONSIVE), crash(FailureKind.OUT_OF_MEMORY, exit_code=-6)],
)
async def test_a_crashed_engine_keeps_the_words_that_were_said(store: ChatStore, error: AppError) -> None:
    session = session_with(store, FakeEngine(["One ", "two ", error], ["back again"]))
    with pytest.raises(type(error)):
        await read(session.send(text="?", sampling=SAMPLING))
    kept = last(store, session)
    assert (kept.text, kept.state) == ("One two ", MessageState.INTERRUPTED)
    assert kept.failure is not None
    assert kept.failure.message.render() == error.explain().message
    await read(session.send(text="again?", sampling=SAMPLING))
    assert last(store, session).text == "back again"


@pytest.mark.asyncio
async def test_a_conversation_that_does_not_fit_is_explained_and_stays_whole(store: ChatStore) -> None:
    error = crash(FailureKind.CONTEXT_FULL, arguments={"needed": "9000", "available": "8192"})
    engine = FakeEngine([error])
    session = session_with(store, engine)
    with pytest.raises(type(error), match="9000"):
        await read(session.send(text="long", sampling=SAMPLING))
    asked, reply = store.messages(session.conversation_id)
    assert asked.text == "long"
    assert reply.state is MessageState.FAILED


@pytest.mark.asyncio
async def test_a_context_that_fills_up_in_mid_reply_is_told_with_the_reply(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["par", Finish("context_full")]))
    events = await read(session.send(text="?", sampling=SAMPLING))
    assert isinstance(events[-1], Done)
    kept = last(store, session)
    assert (kept.text, kept.state, kept.finish_reason) == ("par", MessageState.STOPPED, "context_full")
    assert kept.failure is not None
    assert "context is full" in kept.failure.message.render()


@pytest.mark.asyncio
async def test_a_fault_of_the_program_is_not_hidden(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["par", ZeroDivisionError("fault")]))
    with pytest.raises(ZeroDivisionError):
        await read(session.send(text="?", sampling=SAMPLING))
    kept = last(store, session)
    assert (kept.text, kept.state) == ("par", MessageState.FAILED)
    assert kept.failure is not None
    assert "ZeroDivisionError" in kept.failure.message.render()


@pytest.mark.asyncio
async def test_a_stream_without_an_end_is_not_taken_for_a_whole_reply(store: ChatStore) -> None:
    class Engine(FakeEngine):
        async def generate(self, **request: Any) -> Any:
            yield TextDelta(request_id="r", text="par")

    session = session_with(store, Engine())
    with pytest.raises(ReplyIncomplete):
        await read(session.send(text="?", sampling=SAMPLING))
    assert (last(store, session).text, last(store, session).state) == ("par", MessageState.FAILED)


@pytest.mark.asyncio
async def test_a_conversation_answers_one_message_at_a_time(store: ChatStore) -> None:
    session = session_with(store, FakeEngine(["a", asyncio.Event()], ["free again"]))
    first = session.send(text="1", sampling=SAMPLING)
    await until_text(first, "a")
    with pytest.raises(ReplyUnderWay):
        await read(session.send(text="2", sampling=SAMPLING))
    await first.aclose()
    await read(session.send(text="3", sampling=SAMPLING))
    assert [m.text for m in store.messages(session.conversation_id)] == ["1", "a", "3", "free again"]


@pytest.mark.asyncio
async def test_regenerating_keeps_the_old_reply_as_a_version(store: ChatStore) -> None:
    engine = FakeEngine(["old"], ["new"])
    session = session_with(store, engine)
    await read(session.send(text="Q", sampling=SAMPLING))
    old = last(store, session)
    await read(session.regenerate(message_id=old.id, sampling=SAMPLING))
    assert [m.text for m in store.versions(old.id)] == ["old", "new"]
    assert [m.text for m in store.messages(session.conversation_id)] == ["Q", "new"]
    assert [(m.role, m.content) for m in engine.requests[1].messages] == [("user", "Q")]


@pytest.mark.asyncio
async def test_continuing_goes_on_in_the_same_message(store: ChatStore) -> None:
    engine = FakeEngine(["Once upon ", crash(exit_code=-11)], ["a time."])
    session = session_with(store, engine)
    with pytest.raises(AppError):
        await read(session.send(text="Tell", sampling=SAMPLING))
    await read(session.continue_reply(message_id=last(store, session).id, sampling=SAMPLING))
    kept = last(store, session)
    assert (kept.text, kept.state, kept.failure) == ("Once upon a time.", MessageState.COMPLETE, None)
    assert engine.requests[1].continue_last
    assert [(m.role, m.content) for m in engine.requests[1].messages][-1] == ("assistant", "Once upon ")
