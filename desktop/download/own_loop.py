"""An event loop in a thread of its own, so that bytes from the network never make the window wait."""

import asyncio
import socket
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from desktop.threads import in_daemon_thread, tell_loop, until_ended

T = TypeVar("T")

_THREADS = 6
"""For files to be put on the disk."""


class _Loop(asyncio.SelectorEventLoop):
    """Looks names up in threads for which the program does not wait at its end: a name server may never answer.

    It remembers its connections, for one that came about just when its work was cancelled is closed by nobody else.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()

    async def create_connection(self, *arguments: Any, **options: Any) -> Any:
        """As the base class does."""
        transport, protocol = await super().create_connection(*arguments, **options)
        self._connections.add(transport)
        return transport, protocol

    async def close_connections(self) -> None:
        """Close those that are still open."""
        for transport in self._connections:
            transport.close()
        await asyncio.sleep(0)  # so that they end before the loop does

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name in the base class
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As the base class does."""
        look_up = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        return await in_daemon_thread(look_up, name=f"name {host!r}")


async def in_own_loop(work: Callable[[], Coroutine[Any, Any, T]], *, name: str) -> T:
    """Run `work` in another thread's loop and return what it returns, or raise what it raises.

    Cancelling cancels it there, and waits until it has ended.
    """
    here = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = here.create_future()
    # Not new_event_loop(): under the window that is Qt's.
    loop = _Loop()
    task = loop.create_task(work())

    def run() -> None:
        _run(loop, task)
        tell_loop(here, _settle, outcome, task)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await until_ended(outcome, stop=partial(tell_loop, loop, task.cancel))


def _run(loop: _Loop, task: "asyncio.Task[Any]") -> None:
    executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="download")
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(asyncio.wait([task]))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.close_connections())
    finally:
        executor.shutdown(wait=False)
        loop.close()


def _settle(outcome: "asyncio.Future[T]", task: "asyncio.Task[T]") -> None:
    if outcome.done():
        return
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())
