"""What crosses together, with which tokens, and when."""

from types import SimpleNamespace

import pytest

from desktop.engine.protocol import (
    ChosenToken,
    ContextShifted,
    Done,
    EngineMessage,
    GenerationStats,
    PromptProgress,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
)
from desktop.runtime.batching import outbox
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.replies.parts import Part


def token(number: int) -> ChosenToken:
    return ChosenToken(chosen=TokenLogprob(token=number, text=f"{number}", logprob=-1.0))


class Told:
    """An outbox, and what crossed."""

    def __init__(self) -> None:
        self.messages: list[EngineMessage] = []
        self.outbox = Outbox(self.messages.extend)

    def step(self, number: int, *parts: Part) -> None:
        """A token, and the parts that it brings."""
        self.outbox.add_token("a", token(number))
        for part in parts:
            self.outbox.add_part("a", part)

    def end(self) -> list[EngineMessage]:
        done = Done(request_id="a", finish_reason="stop", stats=GenerationStats())
        self.outbox.add(done, request_id="a", last=True)
        self.outbox.flush()
        assert self.messages[-1] is done
        return self.messages[:-1]


def call(text: str, *, index: int = 0, name: str = "", withdrawn: bool = False) -> Part:
    return Part("tool_call", text, index, name, withdrawn)


def delta(arguments: str, *tokens: int, index: int = 0, name: str = "", withdrawn: bool = False) -> ToolCallDelta:
    return ToolCallDelta(
        request_id="a",
        index=index,
        name=name,
        arguments=arguments,
        withdrawn=withdrawn,
        tokens=tuple(map(token, tokens)),
    )


def test_pieces_of_a_call_that_come_together_cross_as_one_with_their_tokens() -> None:
    told = Told()
    told.step(1, call("", name="f"))
    told.step(2, call('{"a"'))
    told.step(3, call(": 1}"))
    assert told.end() == [delta('{"a": 1}', 1, 2, 3, name="f")]


def test_another_call_and_a_withdrawal_are_messages_of_their_own() -> None:
    told = Told()
    told.step(1, call("", name="f"), call("{}"))
    told.step(2, call("", index=1, name="g"), call("{", index=1))
    told.step(3, call("", index=1, withdrawn=True), Part("text", "oops"))
    assert told.end() == [
        delta("{}", 1, name="f"),
        delta("{", 2, index=1, name="g"),
        delta("", 3, index=1, withdrawn=True),
        TextDelta(request_id="a", text="oops"),
    ]


def test_a_token_crosses_with_the_text_that_it_brings_and_not_with_the_text_before() -> None:
    told = Told()
    told.step(1, Part("reasoning", "hm"))
    told.step(2, Part("text", "yes"))
    assert told.end() == [
        ReasoningDelta(request_id="a", text="hm", tokens=(token(1),)),
        TextDelta(request_id="a", text="yes", tokens=(token(2),)),
    ]


def test_a_token_without_text_waits_for_text_or_the_end() -> None:
    told = Told()
    told.step(1)
    told.outbox.add(ContextShifted(request_id="a", kept=1, discarded=1), request_id="a")
    told.step(2, Part("text", "b"))
    told.step(3)
    assert told.end()[1:] == [TextDelta(request_id="a", text="b", tokens=tuple(map(token, (1, 2, 3))))]


def test_tokens_alone_cross_at_the_end() -> None:
    told = Told()
    told.step(1)
    assert told.end() == [TextDelta(request_id="a", text="", tokens=(token(1),))]


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One number, the time."""
    now = [1000.0]
    monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_the_first_words_cross_at_once_and_the_others_after_the_interval(clock: list[float]) -> None:
    told = Told()
    assert told.outbox.awaits("a")
    told.outbox.add_part("a", Part("text", "One"))
    told.outbox.flush()
    assert len(told.messages) == 1
    told.outbox.add_part("a", Part("text", " two"))
    clock[0] += outbox.INTERVAL / 2
    told.outbox.flush()
    assert not told.outbox.awaits("a")
    assert len(told.messages) == 1
    clock[0] += outbox.INTERVAL
    assert told.outbox.awaits("a")
    told.outbox.flush()
    assert told.messages[1:] == [TextDelta(request_id="a", text=" two")]


@pytest.mark.parametrize(("replies", "intervals"), [(1, 1.0), (4, 1.0), (6, 1.5), (8, 2.0), (32, 2.0)])
def test_text_of_many_crosses_less_often(clock: list[float], replies: int, intervals: float) -> None:
    told = Told()
    for number in range(replies):
        told.outbox.add_part(f"{number}", Part("text", "One"))
    told.outbox.flush()
    told.outbox.add_part("0", Part("text", " two"))
    clock[0] += outbox.INTERVAL * (intervals - 0.1)
    told.outbox.flush()
    assert len(told.messages) == replies
    clock[0] += outbox.INTERVAL * 0.2
    told.outbox.flush()
    assert len(told.messages) == replies + 1


def test_what_another_has_to_say_in_every_step_puts_no_text_off(clock: list[float]) -> None:
    """A reply whose tokens are read when their text is awaited, beside a prompt that is read in short steps."""
    told = Told()
    told.outbox.add_part("a", Part("text", "One"))
    told.outbox.flush()
    for step in range(10):
        clock[0] += outbox.INTERVAL / 4
        if told.outbox.awaits("a"):
            told.outbox.add_part("a", Part("text", f" {step}"))
        told.outbox.add(PromptProgress(request_id="b", done=step, total=10), request_id="b")
        told.outbox.flush()
    assert [message.text for message in told.messages if isinstance(message, TextDelta)] == ["One", " 3", " 7"]
