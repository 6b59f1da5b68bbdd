"""Blocking work in a thread that cannot keep the program from ending.

asyncio.to_thread can: the interpreter joins the executor's threads, and neither a driver call, nor a name look-up, nor
a read of the terminal has a time-out.
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
        _deliver(loop, outcome, settle)

    threading.Thread(target=run, name=name, daemon=True).start()
    async with asyncio.timeout(timeout):
        return await outcome


def _deliver(loop: asyncio.AbstractEventLoop, outcome: "asyncio.Future[T]", settle: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(lambda: None if outcome.done() else settle())
    except RuntimeError as error:  # the loop was closed: nobody waits any more
        _log.debug("an outcome came too late: %s", error)
