"""How fast it goes, over the last seconds only, so that a pause or a slow start is soon forgotten."""

from collections import deque

WINDOW = 5.0
"""Seconds that count."""


class SpeedMeter:
    """Bytes per second over the last WINDOW seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """Note that `done` bytes were there at `now` (seconds, monotonic). Fewer than before begins anew."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[0][0] > WINDOW:
            self._samples.popleft()

    @property
    def speed(self) -> float | None:
        """Bytes per second, None while nobody can tell."""
        if len(self._samples) < 2:
            return None
        (begin, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - begin) if end > begin else None

    def seconds_left(self, missing: int) -> float | None:
        """Seconds until `missing` bytes have come at this speed."""
        speed = self.speed
        return missing / speed if speed else None
