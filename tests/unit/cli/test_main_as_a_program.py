"""The command line as a program of its own whose output has nowhere to go, or that is interrupted early, or twice."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.usefixtures("snug_home"),
    pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, and pipes that are closed"),
]


def _start(root: Path, *words: str, **streams: Any) -> "subprocess.Popen[bytes]":
    # With PYTHONUNBUFFERED nothing would be left to write at the end, which is what this is about.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    streams = {"stderr": subprocess.PIPE, **streams}
    return subprocess.Popen([sys.executable, "-m", "desktop", *words], cwd=root, env=environment, **streams)


VERBS = pytest.mark.parametrize("words", [["--help"], ["models"], ["probe", "--json"]], ids=" ".join)


@VERBS
def test_a_reader_that_left_before_the_first_word_is_no_error(project_root: Path, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = _start(project_root, *words, stdout=writing)
    os.close(writing)
    _, errors = child.communicate(timeout=120)
    assert b"ignored" not in errors
    assert child.returncode == 0


def test_where_nobody_reads_the_error_its_code_stays(project_root: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    child = _start(project_root, "verify", "nobody-has-this", stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    out, _ = child.communicate(timeout=120)
    assert (child.returncode, out) == (1, b"")


@VERBS
def test_a_full_disk_is_explained(project_root: Path, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        child = _start(project_root, *words, stdout=full)
        _, errors = child.communicate(timeout=120)
    said = errors.decode()
    assert said.count("error: The system refused it: [Errno 28]") == 1
    assert "ignored" not in said
    assert child.returncode == 1


def test_an_interrupt_while_the_program_is_still_read_leaves_no_trace(project_root: Path) -> None:
    script = """
import signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "desktop.cli.main":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["snug", "probe"]
from desktop.__main__ import main
sys.exit(main())
"""
    words = [sys.executable, "-c", script]
    child = subprocess.run(words, cwd=project_root, capture_output=True, timeout=60, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (130, b"", b"")


TWICE = """
import asyncio, signal, sys
import desktop.interrupt
from desktop.interrupt import interrupt
desktop.interrupt.PATIENCE = float(sys.argv[1])
async def work():
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    with interrupt.cancels(lambda: loop.call_soon_threadsafe(task.cancel)):
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            signal.raise_signal(signal.SIGINT)
            print("kept", flush=True)
class Leaves:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
interrupt.install()
try:
    asyncio.run(work())
except asyncio.CancelledError:
    leaves = Leaves()  # an exception in it would be printed, as it is destroyed when Python ends
    sys.exit(desktop.interrupt.INTERRUPTED)
"""


@pytest.mark.parametrize(("patience", "said"), [("60", b"kept\n"), ("0", b"")])
def test_a_second_interrupt_waits_for_what_is_saved_unless_that_takes_too_long(
    project_root: Path, patience: str, said: bytes
) -> None:
    words = [sys.executable, "-c", TWICE, patience]
    child = subprocess.run(words, cwd=project_root, capture_output=True, timeout=60, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (130, said, b"")


def test_where_interrupts_are_switched_off_they_stay_so(project_root: Path) -> None:
    """As for `nohup`, and for a job that a shell started in the background."""
    script = """
import signal
from desktop.interrupt import interrupt
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupt.install()
signal.raise_signal(signal.SIGINT)
print("goes on")
"""
    words = [sys.executable, "-c", script]
    child = subprocess.run(words, cwd=project_root, capture_output=True, timeout=60, check=False)
    assert (child.returncode, child.stdout, child.stderr) == (0, b"goes on\n", b"")
