"""The way of a reply's text: tokens -> whole characters -> stop strings -> reasoning -> a few lines on the wire."""

import time
from collections.abc import Callable

from desktop.engine.protocol import EngineMessage, ReasoningDelta, TextDelta
from desktop.runtime.stops import Part, ReasoningFilter, StopFilter
from desktop.runtime.vocabulary import TextDecoder

INTERVAL = 0.04
"""Seconds between two lines of text: each line wakes the owner, which costs decode speed on the same cores."""


class DeltaWriter:
    """Sends the first text at once and later text at most every INTERVAL."""

    def __init__(self, request_id: str, send: Callable[[EngineMessage], None]) -> None:
        self._request_id = request_id
        self._send = send
        self._kind = "text"
        self._pending: list[str] = []
        self._last = 0.0

    def add(self, part: Part) -> None:
        """Take more text."""
        if part.kind != self._kind:
            self.flush()
            self._kind = part.kind
        self._pending.append(part.text)
        if time.monotonic() - self._last >= INTERVAL:
            self.flush()

    def flush(self) -> None:
        """Send what is waiting."""
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        delta = ReasoningDelta if self._kind == "reasoning" else TextDelta
        self._send(delta(request_id=self._request_id, text=text))
        self._last = time.monotonic()


class ReplyText:
    """Feeds token bytes through to the writer; `stopped` once a stop string was found."""

    def __init__(self, writer: DeltaWriter, *, stops: tuple[str, ...], reasoning_open: bool) -> None:
        self._decoder = TextDecoder()
        self._stops = StopFilter(stops)
        self._reasoning = ReasoningFilter(open_at_start=reasoning_open)
        self._writer = writer

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the reply."""
        return self._stops.stopped

    def feed(self, piece: bytes) -> None:
        """Take the bytes of one token."""
        if text := self._decoder.feed(piece):
            for part in self._reasoning.feed(self._stops.feed(text)):
                self._writer.add(part)

    def finish(self) -> None:
        """Send everything that was held back."""
        text = self._stops.feed(self._decoder.finish()) + self._stops.finish()
        for part in [*self._reasoning.feed(text), *self._reasoning.finish()]:
            self._writer.add(part)
        self._writer.flush()
