"""One set-up at a time: a file lock that the system releases when its holder ends, however it ends."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL = 0.2
"""Seconds between two tries."""


@contextlib.contextmanager
def locked(path: Path, *, waiting: Callable[[float], None]) -> Iterator[None]:
    """Hold the lock file `path`; calls `waiting(seconds so far)` before each new try while another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _try_lock(descriptor):
            waiting(time.monotonic() - began)
            time.sleep(POLL)
        yield
    finally:
        os.close(descriptor)  # which also releases the lock


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
