import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from desktop.daemon_thread import in_daemon_thread


def test_what_the_thread_returns_reaches_who_waits() -> None:
    assert asyncio.run(in_daemon_thread(lambda: 6 * 7, name="sum")) == 42


def test_a_thread_that_hangs_does_not_keep_the_program_from_ending(project_root: Path) -> None:
    code = (
        "import asyncio, time\n"
        "from desktop.daemon_thread import in_daemon_thread\n"
        "try: asyncio.run(in_daemon_thread(lambda: time.sleep(60), name='slow', timeout=0.1))\n"
        "except TimeoutError: print('ended')\n"
    )
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "ended\n"
    assert result.stderr == ""
    assert time.monotonic() - began < 15


def test_an_error_in_the_thread_reaches_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_daemon_thread(lambda: 1 // 0, name="wrong"))
