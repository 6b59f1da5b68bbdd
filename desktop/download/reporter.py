"""Turns bytes into progress, not more often than anybody can read."""

import time
from collections.abc import Callable

from desktop.download.speed import SpeedMeter
from desktop.download.types import DownloadProgress, DownloadState
from desktop.errors import Phrase

Report = Callable[[DownloadProgress], None]


def ignore_progress(_progress: DownloadProgress) -> None:
    """Report to nobody."""


class Reporter:
    """Tells `on_progress` how far a file of `total` bytes is; at most every `interval` seconds, and what is new.

    resumed_from: bytes that were there when this transfer began.
    """

    def __init__(self, total: int, on_progress: Report, interval: float) -> None:
        self.resumed_from = 0
        self._total = total
        self._on_progress = on_progress
        self._interval = interval
        self._meter = SpeedMeter()
        self._last: tuple[DownloadState, Phrase | None, bool] | None = None
        self._last_time = 0.0

    def say(
        self, state: DownloadState, done: int, message: Phrase | None = None, *, verified: float | None = None
    ) -> None:
        """Report, unless the same was said a moment ago. message: what keeps it from going on."""
        now = time.monotonic()
        what = (state, message, verified == 1.0)  # that all was read is told, however soon
        if self._last == what and now - self._last_time < self._interval:
            return
        moving = state == "downloading" and message is None
        if moving:
            self._meter.add(now, done)
        self._last, self._last_time = what, now
        speed = self._meter.speed if moving else None
        left = self._meter.seconds_left(self._total - done) if speed is not None else None
        self._on_progress(
            DownloadProgress(
                state=state,
                done=done,
                total=self._total,
                speed=speed,
                seconds_left=left,
                message=message,
                resumed_from=self.resumed_from,
                verified=verified,
            )
        )
