"""What the requests of a step have to say, gathered and written to the owner in one piece.

Each line wakes the owner, which costs decode speed on the same cores: text of all streams crosses together, at most
every INTERVAL (twice that where many speak); what a person waits for (the first word, an end) crosses at once.
"""

import time
from collections.abc import Callable, Sequence

from desktop.engine.protocol import ChosenToken, EngineMessage, ReasoningDelta, TextDelta, ToolCallDelta
from desktop.runtime.replies.parts import Part

INTERVAL = 0.05
"""Seconds between two lines of a reply's text: 20 a second look even, and each takes 0.4 ms from the cores."""
FEW = 4
"""Replies whose text crosses so often. From twice as many on it crosses half as often: they write slower each, and the
lines of all wake the owner."""


class _Stretch:
    """Text of one request and one kind that has not crossed yet."""

    __slots__ = ("part", "texts", "tokens")

    def __init__(self, part: Part) -> None:
        self.part, self.texts, self.tokens = part, [part.text], list[ChosenToken]()

    def goes_on(self, part: Part) -> bool:
        """Whether `part` is more of the same."""
        mine = self.part
        return (part.kind, part.index, part.withdrawn) == (mine.kind, mine.index, mine.withdrawn)


class Outbox:
    """Keeps the order of each request's messages."""

    def __init__(self, send_all: Callable[[Sequence[EngineMessage]], None]) -> None:
        self._send_all = send_all
        self._ready: list[EngineMessage] = []
        self._open: dict[str, _Stretch] = {}
        self._tokens: dict[str, list[ChosenToken]] = {}  # whose text has not come yet
        self._told: dict[str, float] = {}  # when text of a reply was last handed over, by those who have begun to speak
        self._urgent = False
        self._last = 0.0

    def add_part(self, request_id: str, part: Part) -> None:
        """Take a piece of a reply."""
        stretch = self._open.get(request_id)
        if stretch is not None and stretch.goes_on(part):
            stretch.texts.append(part.text)
        else:
            self._close(request_id)
            self._open[request_id] = stretch = _Stretch(part)
        stretch.tokens += self._tokens.pop(request_id, ())
        if request_id not in self._told:
            self._told[request_id] = 0.0
            self._urgent = True

    def add_token(self, request_id: str, token: ChosenToken) -> None:
        """Take the description of a token; it crosses with the text that comes with it or after it, or with the end."""
        self._tokens.setdefault(request_id, []).append(token)

    def add(self, message: EngineMessage, *, request_id: str = "", last: bool = False) -> None:
        """Take a whole message, behind what its request said before. last: nothing comes after it."""
        if last and request_id in self._tokens:
            self.add_part(request_id, Part("text", ""))
        self._close(request_id)
        self._ready.append(message)
        self._urgent = True
        if last:
            self._told.pop(request_id, None)

    def awaits(self, request_id: str) -> bool:
        """Whether text of this request should be here by the next flush: it is the first, or the interval is over.

        The time of each is its own: what others have to say in every step (how far a prompt is read) puts no text off.
        """
        return self._urgent or time.monotonic() - self._told.get(request_id, 0.0) >= self._interval

    def flush(self, *, now: bool = False) -> None:
        """Write what is due; everything with `now`."""
        if not (now or self._urgent or time.monotonic() - self._last >= self._interval):
            return
        for request_id in list(self._open):
            self._close(request_id)
        self._urgent = False
        if self._ready:
            messages, self._ready = self._ready, []
            self._send_all(messages)
            self._last = time.monotonic()

    @property
    def _interval(self) -> float:
        return INTERVAL * min(max(len(self._told) / FEW, 1.0), 2.0)

    def _close(self, request_id: str) -> None:
        stretch = self._open.pop(request_id, None)
        if stretch is not None:
            self._told[request_id] = time.monotonic()
            self._ready.append(_delta(request_id, stretch))


def _delta(request_id: str, stretch: _Stretch) -> EngineMessage:
    text, part = "".join(stretch.texts), stretch.part
    if part.kind == "reasoning":
        return ReasoningDelta(request_id=request_id, text=text, tokens=tuple(stretch.tokens))
    if part.kind == "tool_call":
        return ToolCallDelta(
            request_id=request_id,
            index=part.index,
            name=part.name,
            arguments=text,
            withdrawn=part.withdrawn,
            tokens=tuple(stretch.tokens),
        )
    return TextDelta(request_id=request_id, text=text, tokens=tuple(stretch.tokens))
