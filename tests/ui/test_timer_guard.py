"""The guard around every test also sees a QTimer that still runs."""

import os
import subprocess
import sys
from pathlib import Path

GUILTY = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

kept = []


def test_forgotten(qapp):
    timer = QTimer()
    timer.start(1000)
    kept.append(timer)


def test_stopped(qapp):
    timer = QTimer()
    timer.start(1000)
    timer.stop()
    kept.append(timer)


def test_gone_with_its_widget(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    QTimer(widget).start(1000)
"""

CONFTEST = """
import PySide6.QtCore
from tests.support.leaks import no_leaks, qt_garbage
"""


def test_a_test_that_leaves_a_timer_running_fails_and_its_line_is_named(tmp_path: Path, project_root: Path) -> None:
    (tmp_path / "test_guilty.py").write_text(GUILTY)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  allow_leaks(reason): x\nasyncio_default_fixture_loop_scope = function\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(project_root), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ERROR test_guilty.py::test_forgotten" in done.stdout, done.stdout + done.stderr
    assert "timer.start(1000)" in done.stdout
    assert "3 passed, 1 error" in done.stdout
