"""Blocking work beside an event loop, that a cancellation waits for: no two threads write one file."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from desktop.daemon_thread import until_ended

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, stop: Callable[[], object] = lambda: None) -> T:
    """Run blocking `work` in a thread; when cancelled, call `stop`, which may tell it to end, and wait for it."""
    return await until_ended(asyncio.ensure_future(asyncio.to_thread(work)), stop=stop)
