"""Between Qt and asyncio: tasks whose failures are reported, calls that are coalesced, and words of the core."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, QTimer

from desktop.errors import AppError, Explanation, Phrase

T = TypeVar("T")

FRAME = 25
"""Milliseconds between two updates of what streams (40 Hz)."""


def translate_core(text: str) -> str:
    """Translate a template of the rooms below ui (the context "core")."""
    return QCoreApplication.translate("core", text)


def render(phrase: Phrase) -> str:
    """A phrase in the person's language."""
    return phrase.render(translate_core)


def explain(error: BaseException) -> Explanation:
    """What happened and what to do, in the person's language; also for an error nobody expected."""
    if isinstance(error, AppError):
        return error.explain(translate_core)
    return AppError(reason=f"{type(error).__name__}: {error}").explain(translate_core)


class Tasks:
    """Starts coroutines from slots, keeps them alive, and hands their failures to `on_error`."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str = "") -> "asyncio.Task[T]":
        """Run `coroutine` in the running loop."""
        task = asyncio.ensure_future(coroutine)
        if name:
            task.set_name(name)
        self._running.add(task)
        task.add_done_callback(self._on_done)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        for task in running:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(task, return_exceptions=True)

    def _on_done(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_error(error)


class Coalescer(QObject):
    """Calls `action` at most once per frame, however often `request` is called."""

    def __init__(self, action: Callable[[], None], parent: QObject, *, milliseconds: int = FRAME) -> None:
        super().__init__(parent)
        self._action = action
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(self._on_timeout)

    def request(self) -> None:
        """Ask for a call within one frame."""
        if not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Call at once if a call is due."""
        if self._timer.isActive():
            self._timer.stop()
            self._action()

    def _on_timeout(self) -> None:
        self._action()
