"""The window in a process of its own, as `snug` starts it, watched from inside by a few lines of a test."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_RUN = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from desktop.ui import app
from desktop.ui.main_window import MainWindow

def window():
    return next((each for each in QApplication.topLevelWidgets() if isinstance(each, MainWindow)), None)

def close_all():
    for each in QApplication.topLevelWidgets():
        each.close()

def every(milliseconds, function):
    timer = QTimer()
    timer.timeout.connect(function)
    timer.start(milliseconds)
    return timer

{watch}

make = app.make_application
def make_and_watch(arguments):
    application = make(arguments)
    begin()
    return application
app.make_application = make_and_watch
sys.exit(app.run_window([]))
"""


def start_window(home: Path, watch: str) -> subprocess.Popen[str]:
    """Open the window with its data in `home`.

    watch: source of a function `begin()`, called before the window is there; it may use window(), close_all() and
    every(milliseconds, function), and sees to it that the window is closed.
    """
    return subprocess.Popen(
        [sys.executable, "-c", _RUN.replace("{watch}", watch)],
        cwd=ROOT,
        env={**os.environ, "SNUG_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_window(home: Path, watch: str, *, timeout: float) -> subprocess.CompletedProcess[str]:
    """The same, and wait until the process has ended, at most `timeout` seconds."""
    with start_window(home, watch) as process:
        try:
            output, complaints = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, complaints)


_CLOSED_AFTER = """
def look():
    if window() is not None and window().isVisible():
        timer.stop()
        QTimer.singleShot({milliseconds}, close_all)

def begin():
    global timer
    timer = every(0, look)
"""


def closed_after(milliseconds: int) -> str:
    """What to watch: nothing, but the window is closed when it has been there that long."""
    return _CLOSED_AFTER.replace("{milliseconds}", str(milliseconds))
