"""Async generators that are left early under Qt's loop."""

import asyncio
import gc
import sys
from collections.abc import AsyncGenerator

from PySide6.QtWidgets import QApplication

from desktop.ui.generators import generators_finished_by
from tests.support.page_person import AlwaysRunningLoop


def test_a_generator_that_is_left_early_is_closed_and_may_wait_for_it(styled: QApplication) -> None:
    said: list[str] = []

    async def inner() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            said.append("closed")

    async def outer() -> None:
        async for _ in inner():
            break
        gc.collect()
        for _ in range(20):
            await asyncio.sleep(0.01)

    loop = AlwaysRunningLoop(styled, already_running=False)
    asyncio.set_event_loop(loop)
    before = sys.get_asyncgen_hooks()
    try:
        with generators_finished_by(loop):
            loop.run_until_complete(outer())
        assert said == ["closed"]
        assert sys.get_asyncgen_hooks() == before
    finally:
        loop.close()
        asyncio.set_event_loop(None)
