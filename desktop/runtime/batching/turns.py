"""Whose turn it is: in which order those come in who wait, and when one that runs gives way to the next of them.

A person in the window comes before a batch client; within a class, first come first served. A batch request that has
waited PATIENCE seconds counts as a person. What was paused waits in the same line as what has not begun: at its own
place, or, where it had its turn, behind everybody who waits.
"""

import time
from collections.abc import Callable, Iterable

from desktop.engine.protocol import Priority

PATIENCE = 30.0
"""Seconds after which a batch request counts as a person's."""
TIME_SLICE = 30.0
"""Seconds that the first in the line waits before a request that might never end gives way to it."""
MANY_SLICES = 20
"""How many times as long a request may take that ends with its context at the latest: a long answer of a slow machine
is not to stand still because a queue is behind it."""


class Place:
    """A place in the line, taken at `since` (seconds of the monotonic clock)."""

    def __init__(self, priority: Priority, since: float) -> None:
        self.priority, self.since = priority, since
        self.first_since: float | None = None
        """When it came first and could not begin; None before that."""

    def order(self, now: float) -> tuple[bool, float]:
        """Sorts the line as it stands now."""
        return self.priority == "batch" and not self.is_late(now), self.since

    def is_late(self, now: float) -> bool:
        """Whether it has waited as long as nobody should."""
        return now - self.since >= PATIENCE


class Turn:
    """A request that has begun. place: where it waits while it is paused; scales: see Turns.

    limit: seconds that a turn of it may take. began: its turn; insists_until: it is not sent away for a person before.
    """

    def __init__(self, place: Place, *, scales: tuple[float, ...], limit: float, now: float) -> None:
        self.place, self.scales, self.limit = place, scales, limit
        self.began = now
        self.insists_until = now


class Turns:
    """The turns of those who have begun, by request. scales: of the adapters, with which alone it can go on."""

    def __init__(self, *, time_slice: float = TIME_SLICE, clock: Callable[[], float] = time.monotonic) -> None:
        self._slice, self.now = time_slice, clock
        self._turns: dict[str, Turn] = {}
        self._last_end = clock()

    def begin(self, request_id: str, place: Place, *, scales: tuple[float, ...], endless: bool) -> None:
        """Its first turn. endless: it may go on longer than its context holds."""
        limit = self._slice if endless else self._slice * MANY_SLICES
        self._turns[request_id] = Turn(place, scales=scales, limit=limit, now=self.now())

    def pause(self, request_id: str) -> None:
        """It waits again, at the place that it came with."""
        self._turns[request_id].place.first_since = None

    def go_behind(self, request_id: str) -> None:
        """It waits behind everybody who waits now."""
        self._turns[request_id].place.since = self.now()

    def resume(self, request_id: str) -> None:
        """It goes on; one that had to wait too long cannot be sent away at once by the next person."""
        turn, now = self._turns[request_id], self.now()
        turn.began = now
        turn.insists_until = now + self._slice if turn.place.is_late(now) else now

    def end(self, request_id: str) -> None:
        """It is over; who waits may find room now."""
        del self._turns[request_id]
        self._last_end = self.now()

    def place(self, request_id: str) -> Place:
        """Where it stands in the line while it is paused."""
        return self._turns[request_id].place

    def scales(self, request_id: str) -> tuple[float, ...]:
        """What it was begun with."""
        return self._turns[request_id].scales

    def insists(self, request_id: str) -> bool:
        """Whether it keeps its turn also before a person."""
        return self.now() < self._turns[request_id].insists_until

    def who_yields(self, first: Place, running: Iterable[str]) -> list[str]:
        """Those whose turn is over for the first in the line, who could not come in; the longest first.

        Nobody before that one has waited a whole slice in which nobody ended: an ordinary queue moves on by itself.
        The first call for it notes since when it is the first.
        """
        now = self.now()
        if first.first_since is None:
            first.first_since = now
        if now - max(first.first_since, self._last_end) < self._slice:
            return []
        over = [one for one in running if now - self._turns[one].began >= self._turns[one].limit]
        return sorted(over, key=lambda one: self._turns[one].began)
