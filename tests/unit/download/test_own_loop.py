"""A loop beside the one of the window."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from desktop.download.own_loop import in_own_loop

STOPPED_WHILE_A_NAME_IS_LOOKED_UP = """
import asyncio, socket, time
socket.getaddrinfo = lambda *_arguments: time.sleep(60)
from desktop.download.own_loop import in_own_loop
async def look_up():
    await asyncio.get_running_loop().getaddrinfo("slow.example", 443)
async def main():
    await asyncio.wait_for(in_own_loop(look_up, name="look-up"), 0.2)
try: asyncio.run(main())
except TimeoutError: print("ended")
"""


def test_a_name_server_that_never_answers_does_not_keep_the_program_from_ending(project_root: Path) -> None:
    command = [sys.executable, "-c", STOPPED_WHILE_A_NAME_IS_LOOKED_UP]
    result = subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=60, check=True)
    assert (result.stdout, result.stderr) == ("ended\n", "")


@pytest.mark.asyncio
async def test_a_connection_that_its_work_left_open_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[Any] = []

        async def connect() -> None:
            kept.append(await asyncio.get_running_loop().create_connection(asyncio.Protocol, *server.getsockname()))

        await in_own_loop(connect, name="connect")
        assert kept
        other_end, _ = server.accept()
        with other_end:
            other_end.settimeout(10)
            assert await asyncio.to_thread(other_end.recv, 1) == b""
