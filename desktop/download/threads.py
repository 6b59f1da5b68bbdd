"""Blocking work beside an event loop, that a cancellation waits for: no two threads write one file."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread; when cancelled, wait for it first."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def stoppable(work: Callable[[threading.Event], T]) -> T:
    """Run `work` in a thread that is told to stop when this is cancelled."""
    stop = threading.Event()
    try:
        return await asyncio.shield(task := asyncio.ensure_future(asyncio.to_thread(work, stop)))
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        raise
