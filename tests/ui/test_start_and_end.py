"""The window's first and last moments in a process of its own, where something is in the way."""

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.window_process import closed_after, run_window, start_window


@pytest.mark.timeout(180)
def test_a_window_that_is_closed_with_its_first_paint_ends(tmp_path: Path) -> None:
    finished = run_window(tmp_path, closed_after(0), timeout=150)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.timeout(180)
def test_where_nothing_can_be_saved_the_window_opens_and_ends_all_the_same(tmp_path: Path) -> None:
    no_folder = tmp_path / "a file"
    no_folder.write_text("in the way")
    finished = run_window(no_folder / "snug", closed_after(1500), timeout=150)
    assert finished.returncode == 0, finished.stderr
    assert "already running" not in finished.stderr
    assert "Traceback" not in finished.stderr
    assert no_folder.read_text() == "in the way"


_WAIT_FOR_NOTICE = """
def step():
    shown = window()
    if shown is None:
        return
    if shown.current_page != "models":
        shown.show_page("models")
    elif told := [text for text in shown.notices.texts() if "begins anew" in text]:
        print(*told, sep=chr(10), flush=True)
        timer.stop()
        QTimer.singleShot(2500, shown.close)

def begin():
    global timer
    timer = every(100, step)
"""


@pytest.mark.timeout(180)
def test_what_was_learned_and_lost_is_told_once(tmp_path: Path) -> None:
    learned = tmp_path / "data" / "observed.sqlite3"
    learned.parent.mkdir(parents=True)
    learned.write_bytes(b"no database at all, though it is as long as a page" * 200)
    finished = run_window(tmp_path, _WAIT_FOR_NOTICE, timeout=150)
    assert finished.returncode == 0, finished.stderr
    told = finished.stdout.splitlines()
    assert len(told) == 1
    assert told[0].startswith("What Snug had learned of this machine could not be read")
    assert any(each.name.startswith("observed") and each != learned for each in learned.parent.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timeout(180)
def test_an_interrupted_window_ends_as_if_it_had_been_closed(tmp_path: Path, number: signal.Signals) -> None:
    settings = tmp_path / "config" / "settings.json"
    started = start_window(tmp_path, closed_after(170_000))
    try:
        wait_for_first_child(started.pid)
        started.send_signal(number)
        _, complaint = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 0, complaint
    assert "Traceback" not in complaint
    assert "window_state" in settings.read_text()


def wait_for_first_child(pid: int) -> None:
    """Wait until the window has its first child: then its event loop runs."""
    deadline = time.monotonic() + 60
    while not psutil.Process(pid).children():
        assert time.monotonic() < deadline, "no child came"
        time.sleep(0.05)
