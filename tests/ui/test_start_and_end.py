"""The window's first and last moments in a process of its own, where something is in the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

_CLOSED_AFTER = """
import sys
import time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from desktop.ui import app

make = app.make_application
def make_and_close(arguments):
    application = make(arguments)
    QTimer.singleShot({milliseconds}, lambda: [each.close() for each in QApplication.topLevelWidgets()])
    return application
app.make_application = make_and_close
sys.exit(app.run_window([]))
"""


def open_and_close(home: Path, *, milliseconds: int) -> subprocess.CompletedProcess[str]:
    """Start the window as `snug` does and close it that long after."""
    return subprocess.run(
        [sys.executable, "-c", _CLOSED_AFTER.format(milliseconds=milliseconds)],
        cwd=ROOT,
        env={**os.environ, "SNUG_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.timeout(90)
def test_a_window_that_is_closed_with_its_first_paint_ends(tmp_path: Path) -> None:
    finished = open_and_close(tmp_path, milliseconds=0)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.timeout(90)
def test_where_nothing_can_be_saved_the_window_opens_and_ends_all_the_same(tmp_path: Path) -> None:
    no_folder = tmp_path / "a file"
    no_folder.write_text("in the way")
    finished = open_and_close(no_folder / "snug", milliseconds=1500)
    assert finished.returncode == 0, finished.stderr
    assert "already running" not in finished.stderr
    assert "Traceback" not in finished.stderr
    assert no_folder.read_text() == "in the way"


_WAIT_FOR_NOTICE = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from desktop.ui import app
from desktop.ui.main_window import MainWindow

def step():
    for each in QApplication.topLevelWidgets():
        if isinstance(each, MainWindow):
            if each.current_page != "models":
                each.show_page("models")
            elif told := [text for text in each.notices.texts() if "begins anew" in text]:
                print(*told, sep=chr(10), flush=True)
                timer.stop()
                QTimer.singleShot(2500, each.close)

make = app.make_application
def make_and_watch(arguments):
    global timer
    application = make(arguments)
    timer = QTimer()
    timer.timeout.connect(step)
    timer.start(100)
    return application
app.make_application = make_and_watch
sys.exit(app.run_window([]))
"""


@pytest.mark.timeout(120)
def test_what_was_learned_and_lost_is_told_once(tmp_path: Path) -> None:
    learned = tmp_path / "data" / "observed.sqlite3"
    learned.parent.mkdir(parents=True)
    learned.write_bytes(b"no database at all, though it is as long as a page" * 200)
    finished = subprocess.run(
        [sys.executable, "-c", _WAIT_FOR_NOTICE],
        cwd=ROOT,
        env={**os.environ, "SNUG_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    told = finished.stdout.splitlines()
    assert len(told) == 1
    assert told[0].startswith("What Snug had learned of this machine could not be read")
    assert any(each.name.startswith("observed") and each != learned for each in learned.parent.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent these signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.timeout(90)
def test_an_interrupted_window_ends_as_if_it_had_been_closed(tmp_path: Path, number: signal.Signals) -> None:
    code = _CLOSED_AFTER.format(milliseconds=45_000)
    settings = tmp_path / "config" / "settings.json"
    environment = {**os.environ, "SNUG_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    started = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.PIPE)
    try:
        wait_for_first_child(started.pid)
        started.send_signal(number)
        _, complaint = started.communicate(timeout=30)
    finally:
        started.kill()
    assert started.returncode == 0, complaint
    assert b"Traceback" not in complaint
    assert "window_state" in settings.read_text()


def wait_for_first_child(pid: int) -> None:
    """Wait until the window has its first child: then its event loop runs."""
    deadline = time.monotonic() + 30
    while not psutil.Process(pid).children():
        assert time.monotonic() < deadline, "no child came"
        time.sleep(0.05)
