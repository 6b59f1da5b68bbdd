"""What a thread tells an event loop and how its end is waited for; one that hangs keeps no program from ending."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from desktop.threads import in_daemon_thread, tell_loop, until_ended


def test_what_the_thread_returns_reaches_who_waits() -> None:
    assert asyncio.run(in_daemon_thread(lambda: 6 * 7, name="sum")) == 42


def test_a_thread_that_hangs_does_not_keep_the_program_from_ending(project_root: Path) -> None:
    code = (
        "import asyncio, time\n"
        "from desktop.threads import in_daemon_thread\n"
        "try: asyncio.run(in_daemon_thread(lambda: time.sleep(60), name='slow', timeout=0.1))\n"
        "except TimeoutError: print('ended')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, timeout=50, check=True
    )
    assert result.stdout == "ended\n"
    assert result.stderr == ""


def test_an_error_in_the_thread_reaches_who_waits() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_daemon_thread(lambda: 1 // 0, name="wrong"))


@pytest.mark.asyncio
async def test_a_cancelled_wait_tells_the_thread_to_stop_and_outlasts_it() -> None:
    begun, stop, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert stop.wait(30)
        ended.set()

    waiting = asyncio.create_task(until_ended(asyncio.ensure_future(asyncio.to_thread(work)), stop=stop.set))
    await asyncio.to_thread(begun.wait, 30)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


@pytest.mark.asyncio
async def test_a_thread_that_does_not_stop_is_left_to_itself_after_a_while() -> None:
    released = threading.Event()
    running = asyncio.ensure_future(in_daemon_thread(lambda: released.wait(30), name="stubborn"))
    waiting = asyncio.create_task(until_ended(running, at_most=0.05))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not running.done()
    released.set()
    assert await running


def test_a_loop_that_is_closed_is_told_nothing_more() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    tell_loop(loop, pytest.fail, "it was called")
