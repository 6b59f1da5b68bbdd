"""How many bytes a second all transfers of this program take together."""

import asyncio
import threading
import time
from collections.abc import Callable

LOOK_AGAIN = 0.1
"""Seconds after which somebody who waits asks for the limit again, so that a change takes effect at once."""

BURST = 0.25
"""Seconds' worth of bytes that may come at once after a pause."""


def no_limit() -> int:
    """Say that there is none."""
    return 0


class BandwidthLimiter:
    """Shared by everything that fetches files. limit: reads bytes per second, 0 is none; it may be called anywhere."""

    def __init__(self, limit: Callable[[], int] = no_limit) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._credit = 0.0
        self._last = time.monotonic()

    async def pace(self, count: int) -> None:
        """Wait until the line has been idle long enough for the `count` bytes that have just come."""
        if not self._limit():
            return
        self._settle(count)
        while (wait := self._settle(0)) > 0:  # noqa: ASYNC110 - time passes, nothing happens
            await asyncio.sleep(min(wait, LOOK_AGAIN))

    def _settle(self, count: int) -> float:
        """Take `count` bytes off the credit; returns the seconds until it is paid."""
        rate, now = self._limit(), time.monotonic()
        with self._lock:
            elapsed, self._last = now - self._last, now
            if not rate:
                self._credit = 0.0
                return 0.0
            self._credit = min(self._credit + elapsed * rate, rate * BURST) - count
            return max(0.0, -self._credit / rate)
