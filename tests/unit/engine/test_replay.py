"""What happens to requests when the engine dies under them: asked again where nothing was seen, once it is back."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.engine import breaker, process
from desktop.engine.client import EngineClient
from desktop.engine.failure import EngineKilled, InternalFailure, NoModel, RequestCancelled
from desktop.engine.protocol import Done, Sampling, TextDelta
from desktop.engine.state import EnginePhase
from tests.support.engine_replies import plan_for, reply_of, user
from tests.support.stand_in_child import stand_in_child

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems"),
]

Client = Callable[[str], EngineClient]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the children were asked, one after the other."""
    path = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(path))
    return lambda: path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


@pytest.fixture
def child_does(notes: object, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a child that loads everything, notes what it is asked, and goes on as the script says."""

    def use(script: str) -> EngineClient:
        monkeypatch.setattr(process, "child_command", lambda _role: stand_in_child(script))
        return EngineClient()

    return use


async def _answer(client: EngineClient, text: str) -> str:
    return (await reply_of(client, user(text))).text


async def _listen(client: EngineClient, text: str, seen: list[str]) -> None:
    async for part in client.generate(messages=user(text), sampling=Sampling()):
        seen.extend([part.text] if isinstance(part, TextDelta) else [])


async def test_a_request_that_nothing_was_heard_of_is_asked_again(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if text == 'hello':\n    if len(notes()) == 1: die()\n    word(request, 'fine'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    assert await _answer(client, "hello") == "fine"
    assert notes() == ["hello", "hello"]
    await client.stop()


async def test_what_was_seen_is_kept_and_the_reply_is_not_asked_again(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if text == 'tell': word(request, 'Once'); die()\nif text == 'hello': word(request, 'fine'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    seen: list[str] = []
    with pytest.raises(EngineKilled):
        await _listen(client, "tell", seen)
    assert seen == ["Once"]
    assert await _answer(client, "hello") == "fine"
    assert notes() == ["tell", "hello"]
    await client.stop()


async def test_a_request_that_kills_the_engine_is_given_up_and_takes_no_other_with_it(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if len(notes()) == 3 or len(notes()) > 3 and text == 'poison': die()\n"
        "if len(notes()) > 3: word(request, text); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    answers = await asyncio.gather(*(_answer(client, text) for text in ("a", "poison", "b")), return_exceptions=True)
    assert answers[0] == "a"
    assert isinstance(answers[1], EngineKilled)
    assert answers[2] == "b"
    assert notes() == ["a", "poison", "b", "a", "poison", "b"]  # one by one after the crash
    assert client.state.phase == EnginePhase.READY
    await client.stop()


async def test_one_that_waits_for_its_turn_is_not_blamed_but_asked_again_at_most_twice(
    child_does: Client, notes: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "LONGEST_DELAY", 0.01)
    client = child_does("say(type='Queued', request_id=request, position=1); die()")
    await client.load(plan_for(Path("/m")))
    with pytest.raises(EngineKilled):
        await _answer(client, "hello")
    assert notes() == ["hello"] * 3
    await client.stop()


async def test_a_request_that_ran_alone_at_two_crashes_is_not_asked_a_third_time(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if text == 'poison': begin(request); die()\nif text == 'ok': word(request, 'ok'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    with pytest.raises(EngineKilled):
        await _answer(client, "poison")
    assert notes() == ["poison"] * 2
    assert await _answer(client, "ok") == "ok"  # the breaker is closed
    await client.stop()


async def test_others_wait_until_one_that_was_there_at_a_crash_has_shown_words(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if len(notes()) == 2: die()\n"
        "if len(notes()) == 3: time.sleep(0.3); word(request, 'x'); waiting.append(request)\n"
        "if len(notes()) == 4: done(waiting[0]); word(request, 'y'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    answers: list[str] = await asyncio.gather(*(_answer(client, text) for text in ("first", "second")))
    assert answers == ["x", "y"]
    assert notes() == ["first", "second", "first", "second"]
    await client.stop()


async def test_embeddings_are_asked_again_too(child_does: Client, notes: Callable[[], list[str]]) -> None:
    client = child_does(
        "if kind == 'Embed':\n    if len(notes()) == 1: die()\n"
        "    say(type='Embedded', request_id=request, vectors=[[0.5, 1]], prompt_tokens=1)\n"
        "if kind == 'Rerank': say(type='Reranked', request_id=request, scores=[2, 1], prompt_tokens=1)"
    )
    await client.load(plan_for(Path("/m")))
    assert await client.embed(["a"]) == ((0.5, 1.0),)
    assert await client.rerank("q", ["d", "e"]) == (2.0, 1.0)
    assert await client.count_tokens(user("Hi.")) == (5, 9)
    assert (await client.status()).active == 3
    await client.stop()
    with pytest.raises(NoModel):
        await client.status()
    with pytest.raises(NoModel):
        await client.embed(["a"])


async def test_questions_of_tokens_and_a_wish_to_forget_are_asked_again_too(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if len(notes()) < 3: continue\n"
        "if len(notes()) == 3: die()\n"
        "if kind == 'Tokenize': say(type='Tokenized', request_id=request, tokens=[7], pieces=['YQ=='])\n"
        "if kind == 'Detokenize': say(type='Detokenized', request_id=request, text=str(message['tokens']))\n"
        "if kind == 'ForgetConversations':\n"
        "    say(type='ConversationsForgotten', request_id=request, entries=len(message['conversations']), size=9)"
    )
    await client.load(plan_for(Path("/m")))
    words, text, gone = await asyncio.gather(
        client.tokenize("a"), client.detokenize([7, 8]), client.forget_conversations(["ann", "bob"])
    )
    assert (words.tokens, words.pieces) == ((7,), (b"a",))
    assert text == "[7, 8]"
    assert (gone.entries, gone.size, gone.left) == (2, 9, 0)
    assert len(notes()) == 6
    await client.stop()


async def test_an_answer_to_something_else_is_a_failure_and_no_wait_without_end(child_does: Client) -> None:
    client = child_does("say(type='Detokenized', request_id=request, text='')")
    await client.load(plan_for(Path("/m")))
    with pytest.raises(InternalFailure, match="Tokenize with Detokenized"):
        await client.tokenize("a")
    with pytest.raises(InternalFailure, match="ForgetConversations with Detokenized"):
        await client.forget_conversations(None)
    await client.stop()


async def test_another_model_does_not_answer_what_the_first_was_asked(child_does: Client) -> None:
    client, crashed = child_does("if text == 'hello': die()"), asyncio.Event()
    client.subscribe(lambda state: crashed.set() if state.phase == EnginePhase.CRASHED else None)
    await client.load(plan_for(Path("/first")))
    asked = asyncio.create_task(_answer(client, "hello"))
    await crashed.wait()
    await client.load(plan_for(Path("/second")))
    with pytest.raises(EngineKilled):
        await asked
    await client.stop()


async def test_stopping_ends_what_waits_as_cancelled(child_does: Client, notes: Callable[[], list[str]]) -> None:
    client = child_does("pass")
    await client.load(plan_for(Path("/m")))
    asked = asyncio.create_task(reply_of(client, user("hello")))
    embedding = asyncio.create_task(client.embed(["a"]))
    while len(notes()) < 2:
        await asyncio.sleep(0.01)
    assert client.busy
    await client.stop()
    assert (await asked).done.finish_reason == "cancelled"
    with pytest.raises(RequestCancelled):
        await embedding
    assert not client.busy


async def test_cancel_all_ends_what_runs_and_what_is_held_back(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does("if len(notes()) == 2: die()")
    await client.load(plan_for(Path("/m")))
    asked = [asyncio.create_task(reply_of(client, user(text))) for text in ("a", "b")]
    while len(notes()) < 3:
        await asyncio.sleep(0.02)
    await client.cancel_all()
    assert [(await reply).done.finish_reason for reply in asked] == ["cancelled", "cancelled"]
    await client.stop()


async def test_a_request_that_cannot_be_written_fails_alone(child_does: Client) -> None:
    client = child_does("word(request, 'ok'); done(request)")
    await client.load(plan_for(Path("/m")))
    with pytest.raises(Exception, match="surrogates"):
        await _answer(client, "\ud800")
    assert await _answer(client, "hello") == "ok"
    await client.stop()


async def test_closing_a_reply_that_is_asked_again_lets_the_others_go_on(
    child_does: Client, notes: Callable[[], list[str]]
) -> None:
    client = child_does(
        "if len(notes()) == 2: die()\nif text == 'b' and len(notes()) > 2: word(request, 'fine'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    first = asyncio.create_task(_answer(client, "a"))
    second = asyncio.create_task(_answer(client, "b"))
    while len(notes()) < 3:
        await asyncio.sleep(0.02)
    assert notes()[2] == "a"
    first.cancel()
    assert await asyncio.wait_for(second, 50) == "fine"
    await client.stop()


async def test_looking_at_the_devices_does_not_cost_the_model_that_comes_back(child_does: Client) -> None:
    client = child_does(
        "if text == 'die': word(request, 'x'); die()\nif text == 'hello': word(request, 'ok'); done(request)"
    )
    await client.load(plan_for(Path("/m")))
    with pytest.raises(EngineKilled):
        await _answer(client, "die")
    await client.start()
    assert await _answer(client, "hello") == "ok"
    await client.stop()


async def test_done_is_the_last_part(child_does: Client) -> None:
    client = child_does("begin(request); word(request, 'ok'); done(request)")
    await client.load(plan_for(Path("/m")))
    parts = [part async for part in client.generate(messages=user("hi"), sampling=Sampling())]
    assert isinstance(parts[-1], Done)
    assert len(parts) == 3
    await client.stop()
