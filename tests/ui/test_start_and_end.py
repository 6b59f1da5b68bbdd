"""The window's first and last moments in a process of its own, where something is in the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_CLOSED_AFTER = """
import sys
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
