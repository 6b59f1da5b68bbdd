"""The engine works under the window's event loop: a reply, a kill in the middle of one, and the next."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
import qasync
from PySide6.QtWidgets import QApplication

from desktop.engine.failure import EngineError
from desktop.engine.protocol import Sampling, TextDelta
from tests.support.engine_replies import loaded_client, reply_of, user

SHORT = Sampling(temperature=0.0, max_length=5)
LONG = Sampling(min_length=400, max_length=400)
"""Still coming when the engine is killed, however slow this process is."""


async def _talk(path: Path) -> None:
    async with loaded_client(path) as client:
        assert (await reply_of(client, user("Hi."), SHORT)).text

        async def listen() -> None:
            async for event in client.generate(messages=user("Tell me a story."), sampling=LONG):
                if isinstance(event, TextDelta) and client.pid is not None:
                    os.kill(client.pid, signal.SIGKILL)

        with pytest.raises(EngineError):
            await listen()
        assert (await reply_of(client, user("Hi."), SHORT)).text


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
def test_a_killed_engine_comes_back_under_the_window(qapp: QApplication, starter_model: Path) -> None:
    with qasync.QEventLoop(qapp, already_running=False) as loop:
        try:
            loop.run_until_complete(asyncio.wait_for(_talk(starter_model), 100))
        finally:
            asyncio.set_event_loop(None)
