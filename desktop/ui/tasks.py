"""Coroutines started from slots: kept alive, and their failures reported."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    """Starts coroutines from slots, keeps them alive, and hands their failures to `on_error`."""

    def __init__(
        self, on_error: Callable[[BaseException], None], *, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Use `loop`, by default the one that runs now. A slot may be called while it pauses; the task then waits."""
        self._on_error = on_error
        self._loop = loop or asyncio.get_running_loop()
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str = "") -> "asyncio.Task[T]":
        """Run `coroutine`; after `close` it ends before it begins."""
        task = self._loop.create_task(coroutine)
        if name:
            task.set_name(name)
        self._running.add(task)
        task.add_done_callback(self._on_done)
        if self._closed:
            task.cancel()
        return task

    async def close(self) -> None:
        """Cancel what still runs, and what that starts in its last moment; wait for the end of it all."""
        self._closed = True
        while self._running:
            running = tuple(self._running)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _on_done(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._on_error(error)
