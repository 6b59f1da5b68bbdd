"""When a child that crashed is started again, and when not any more."""

from collections import deque

LIMIT, WINDOW = 3, 300.0
"""Crashes, and the seconds in which they open the breaker unless a reply was completed between them."""
LONGEST_DELAY = 30.0
"""Seconds."""


class Breaker:
    """Counts crashes without a completed reply between them."""

    def __init__(self) -> None:
        self._crashes: deque[float] = deque(maxlen=LIMIT)
        self._in_a_row = 0

    def crashed(self, now: float) -> None:
        """Take note of a crash; `now` in seconds of any clock that does not go back."""
        if self._crashes and now - self._crashes[-1] > WINDOW:
            self._in_a_row = 0
        self._crashes.append(now)
        self._in_a_row += 1

    def reset(self) -> None:
        """A reply was completed, or a person asked to try again."""
        self._crashes.clear()
        self._in_a_row = 0

    @property
    def is_open(self) -> bool:
        """Whether starting again by itself would only crash again."""
        return len(self._crashes) == LIMIT and self._crashes[-1] - self._crashes[0] <= WINDOW

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start: none at first, then 1, 2, 4 ... up to LONGEST_DELAY."""
        return 0.0 if self._in_a_row <= 1 else min(LONGEST_DELAY, 2.0 ** min(self._in_a_row - 2, 10))
