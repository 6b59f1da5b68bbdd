"""Long work on files: it asks whether to go on, and tells how far it is."""

import threading
import time
from collections.abc import Callable

BETWEEN_WORDS = 0.05
"""Seconds between two words about how far work is, at least: nobody reads more of them."""


class Stopped(Exception):
    """Somebody cancelled the work; what a caller has to know of that the work itself says."""


class Work:
    """One piece of long work. on_progress is told of bytes done and bytes in all, at most twenty times a second.

    stop: set by whoever wants it to end, from any thread.
    """

    def __init__(
        self, *, stop: threading.Event | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._stop = stop or threading.Event()
        self._on_progress = on_progress
        self._done = 0
        self._total = 0
        self._told = 0.0

    def check(self) -> None:
        """Raise Stopped when somebody wants the work to end."""
        if self._stop.is_set():
            raise Stopped

    def expect(self, more: int) -> None:
        """Say that `more` bytes are to come."""
        self._total += more

    def advance(self, done: int) -> None:
        """Say that `done` more bytes are done. Raises Stopped."""
        self.check()
        self._done += done
        now = time.monotonic()
        if self._on_progress is not None and (self._done >= self._total or now - self._told > BETWEEN_WORDS):
            self._told = now
            self._on_progress(self._done, self._total)
