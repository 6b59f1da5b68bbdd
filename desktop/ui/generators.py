"""Async generators that are left early, finished under Qt's loop as asyncio's own loop finishes them.

qasync's run_forever (0.28) installs no hooks for them, so that the inner generators of an HTTP answer that is not read
to its end would be collected without being closed, each with a RuntimeError on stderr.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def generators_finished_by(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the block runs, have `loop` close every async generator of this thread that nobody holds any more."""
    closing: set[asyncio.Task[None]] = set()

    async def close(generator: AsyncGenerator[Any, Any]) -> None:
        await generator.aclose()

    def start(generator: AsyncGenerator[Any, Any]) -> None:
        task = loop.create_task(close(generator), name="close a generator")
        closing.add(task)
        task.add_done_callback(closing.discard)

    def finish(generator: AsyncGenerator[Any, Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(start, generator)

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=finish)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*before)
