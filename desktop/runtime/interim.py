"""For the hour in which the parts around the scheduler are rewritten: the new interfaces over the old parts."""

from typing import Any

from desktop.runtime import stops
from desktop.runtime.replies.parts import Part
from desktop.runtime.vocabulary import TextDecoder


class ReplyFormat:
    def is_open_at_end(self, text: str) -> bool:
        return text.rstrip().endswith("<think>")


PLAIN = ReplyFormat()


class ReplyReader:
    def __init__(self, vocabulary: Any, reply_format: Any, *, stops: Any, reasoning_open: bool, tools: bool) -> None:
        self._words, self._decoder = vocabulary, TextDecoder()
        self._stops = stops_filter(stops)
        self._reasoning = reasoning_filter(reasoning_open)

    @property
    def stopped(self) -> bool:
        return bool(self._stops.stopped)

    def feed(self, token: int) -> list[Part]:
        text = self._decoder.feed(self._words.piece(token))
        return [Part(p.kind, p.text) for p in self._reasoning.feed(self._stops.feed(text))] if text else []

    def finish(self) -> list[Part]:
        text = self._stops.feed(self._decoder.finish()) + self._stops.finish()
        return [Part(p.kind, p.text) for p in [*self._reasoning.feed(text), *self._reasoning.finish()]]


def stops_filter(words: Any) -> Any:
    return stops.StopFilter(words)


def reasoning_filter(open_at_start: bool) -> Any:
    return stops.ReasoningFilter(open_at_start=open_at_start)


def render(template: Any, messages: Any, *, continue_last: bool, tools: Any, options: Any) -> Any:
    try:
        return template.render(messages, continue_last=continue_last, tools=tools, options=options)
    except TypeError:
        return template.render(messages, continue_last=continue_last)
