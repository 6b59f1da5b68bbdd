"""A loop beside the one of the window."""

import subprocess
import sys
from pathlib import Path

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
    result = subprocess.run(command, cwd=project_root, capture_output=True, text=True, timeout=30, check=True)
    assert (result.stdout, result.stderr) == ("ended\n", "")
