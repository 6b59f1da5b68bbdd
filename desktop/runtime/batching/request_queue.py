"""Who waits, in which order (turns.py), and who is told so."""

import time
from collections.abc import Callable, Iterator

from desktop.engine.protocol import FailureKind, Generate, Queued
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.preparation import Job
from desktop.runtime.batching.prompt import Prompt
from desktop.runtime.batching.turns import Place
from desktop.runtime.failures import EngineError

LIMIT = 1024
"""Requests that may wait; more are refused at once instead of being promised an answer."""
POSITION_INTERVAL = 0.5
"""Seconds between two messages about a place in the queue."""


class Waiting:
    """A request with its place; received: in seconds of the monotonic clock.

    prompt: once it is made; job: while it is being made elsewhere.
    """

    def __init__(self, request: Generate, place: Place) -> None:
        self.request, self.place = request, place
        self.received = time.monotonic()
        self.prompt: Prompt | None = None
        self.job: Job | None = None


class RequestQueue:
    """Requests that wait for their turn. clock: of their places in the line."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._told: dict[str, int] = {}
        self._last_told = 0.0

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, request_id: str) -> bool:
        return any(waiting.request.request_id == request_id for waiting in self._waiting)

    def add(self, request: Generate) -> None:
        """Take a request in. Raises EngineError(QUEUE_FULL)."""
        if len(self._waiting) >= LIMIT:
            raise EngineError(FailureKind.QUEUE_FULL, waiting=str(len(self._waiting)))
        self._waiting.append(Waiting(request, Place(request.priority, self._clock())))

    def in_order(self) -> list[Waiting]:
        """Who is next, and after them, as it stands now."""
        now = self._clock()
        return sorted(self._waiting, key=lambda one: one.place.order(now))

    def remove(self, waiting: Waiting) -> None:
        """Its turn came, or it was cancelled."""
        if waiting.job is not None:
            waiting.job.wanted = False
        self._waiting.remove(waiting)
        self._told.pop(waiting.request.request_id, None)

    def tell_positions(self, outbox: Outbox) -> None:
        """Tell who has come that it waits; tell those whose place changed, at most every POSITION_INTERVAL."""
        now = time.monotonic()
        due = now - self._last_told >= POSITION_INTERVAL
        if not self._waiting or not (due or len(self._told) < len(self._waiting)):
            return
        if due:
            self._last_told = now
        for position, waiting in enumerate(self.in_order(), start=1):
            request_id = waiting.request.request_id
            told = self._told.get(request_id)
            # The owner takes who waits for innocent of a crash, and one whose text is being read is not.
            if waiting.job is not None and waiting.job.began:
                continue
            if told is None or (due and told != position):
                self._told[request_id] = position
                outbox.add(Queued(request_id=request_id, position=position), request_id=request_id)
