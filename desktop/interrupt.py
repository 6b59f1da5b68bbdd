"""Ctrl-C at any moment: the program ends with exit code 130, without a trace of Python's, and keeps what came.

Python's own answer to Ctrl-C, and asyncio's to a second one, is an exception wherever the program happens to be: in the
import system, in a destructor, in the loop while it ends. There it is printed, or swallowed, or ends by the signal what
was about to be saved.
"""

import atexit
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

INTERRUPTED = 130
"""Exit code, as shells have it: 128 and the number of the signal."""

PATIENCE = 1.0
"""Seconds after the first Ctrl-C in which others are taken for the same one; a later one does not wait for the end."""


class Interrupt:
    """What Ctrl-C does: it cancels the work, once there is some; else, and when that takes too long, it ends at once.

    To end at once loses no more than `kill` does: what came of a download is on the disk, databases keep themselves.
    """

    def __init__(self) -> None:
        self._cancel: Callable[[], object] | None = None
        self._first: float | None = None

    def install(self) -> None:
        """Answer Ctrl-C from now on, unless somebody has switched it off (`nohup`, a job in the background)."""
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return
        # What is registered first is called last: by then nothing is left that an interrupt could spare.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGINT, self._on_signal)

    @contextlib.contextmanager
    def cancels(self, cancel: Callable[[], object]) -> Iterator[None]:
        """While there is work to be cancelled; `cancel` is called from a signal handler."""
        self._cancel = cancel
        try:
            yield
        finally:
            self._cancel = None

    @property
    def came(self) -> bool:
        """Whether somebody pressed it: what was written then may have been cut off, however the work ended."""
        return self._first is not None

    def _on_signal(self, _number: int, _frame: object) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            if self._cancel is not None:
                self._cancel()
                return
        elif now - self._first < PATIENCE:
            return
        os._exit(INTERRUPTED)


interrupt = Interrupt()
"""The one of the process."""
