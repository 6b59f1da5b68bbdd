"""Between threads and event loops: blocking work beside a loop, how its end is waited for, and word from a thread.

A thread of asyncio.to_thread keeps the program from ending: the interpreter joins it, and neither a driver call, nor a
name look-up, nor a read of the terminal has a time-out. So what may hang runs in a daemon thread.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def in_daemon_thread(work: Callable[[], T], *, name: str, timeout: float | None = None) -> T:
    """Run `work` in a daemon thread called `name` and return what it returns, or raise what it raises.

    Raises TimeoutError after `timeout` seconds; the thread goes on then, and nobody hears of its outcome.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle = partial(outcome.set_result, work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            settle = partial(outcome.set_exception, error)
        tell_loop(loop, lambda: None if outcome.done() else settle())

    threading.Thread(target=run, name=name, daemon=True).start()
    async with asyncio.timeout(timeout):
        return await outcome


async def in_thread(work: Callable[[], T], *, stop: Callable[[], object] = lambda: None) -> T:
    """Run blocking `work` in a thread of the loop's executor, that a cancellation waits for: see `until_ended`.

    So no two threads write one file.
    """
    return await until_ended(asyncio.ensure_future(asyncio.to_thread(work)), stop=stop)


async def until_ended(
    work: "asyncio.Future[T]", *, stop: Callable[[], object] = lambda: None, at_most: float | None = None
) -> T:
    """Wait for `work` that cannot be cancelled, for it runs in a thread, and return what it returns.

    When this is cancelled, it calls `stop`, which may tell the work to end, and waits until it has, so that nothing is
    in use any more; at most `at_most` seconds.
    """
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        await asyncio.wait([work], timeout=at_most)
        if work.done() and not work.cancelled() and (error := work.exception()) is not None:
            _log.debug("what was cancelled ended with: %r", error)
        raise


def tell_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> None:
    """Have `function` called in `loop`, from any thread; once the loop is closed, nobody is left to be told."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError as error:
        _log.debug("a loop was told too late: %s", error)
