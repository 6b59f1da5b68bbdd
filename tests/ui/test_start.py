"""Starting the window: what is said without a display, who is first, and what is not loaded before the first paint."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from desktop.paths import user_paths
from desktop.ui.app import missing_display
from desktop.ui.crash import install_crash_hook
from desktop.ui.main_window import MainWindow
from desktop.ui.page_list import PAGES
from desktop.ui.profile_lock import ProfileLock
from desktop.ui.shell import Shell
from desktop.ui.single_instance import RaiseListener, raise_first_window
from tests.support.loud_log import LoudLog

HEAVY = ("asyncio", "qasync", "apsw", "httpx2", "huggingface_hub", "markdown_it", "pygments", "psutil", "jinja2")
LOOK = """
import json, sys
from desktop.paths import user_paths
from desktop.settings_store import SettingsStore
from desktop.ui import app
application = app.make_application([])
window, shell = app.open_window(application, SettingsStore.open(user_paths().settings_file))
assert window.isVisible()
print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))
"""


def run(code: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("page", ["welcome", "chat"])
def test_nothing_heavy_is_loaded_before_the_first_paint(page: str, snug_home: Path) -> None:
    if page == "chat":
        settings = snug_home / "config" / "settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"general.welcome_done": True, "general.window_state": {"last_page": "chat"}}))
    finished = run(LOOK, *HEAVY)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == []


def test_what_asks_the_hub_is_not_imported_with_the_window() -> None:
    finished = run(
        "import sys, desktop.ui.fetch, desktop.ui.pages.models.view; print('desktop.catalog.hub' in sys.modules)"
    )
    assert finished.stdout == "False\n", finished.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be missing")
def test_without_a_display_one_sentence_says_so() -> None:
    code = (
        "import os, sys\n"
        "for name in ('DISPLAY', 'WAYLAND_DISPLAY', 'QT_QPA_PLATFORM'): os.environ.pop(name, None)\n"
        "from desktop.ui.app import run_window\n"
        "sys.exit(run_window([]))"
    )
    finished = run(code)
    assert finished.returncode == 1
    assert finished.stderr.startswith("There is no display to open a window on")
    assert "snug --help" in finished.stderr


def test_a_display_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    assert missing_display() == ""


@pytest.fixture
def first_window(qapp: QApplication) -> Iterator[RaiseListener]:
    lock = ProfileLock(user_paths().instance_lock)
    assert lock.acquire()
    listener = RaiseListener(user_paths().instance_lock)
    assert listener.listening
    yield listener
    listener.close()
    lock.release()


def test_a_second_start_raises_the_first_window_and_ends(first_window: RaiseListener) -> None:
    raised: list[bool] = []
    first_window.raise_requested.connect(lambda: raised.append(True))
    second = subprocess.Popen(
        [sys.executable, "-c", "import sys; from desktop.ui.app import run_window; sys.exit(run_window([]))"]
    )
    while second.poll() is None:
        QCoreApplication.processEvents()
    QCoreApplication.processEvents()
    assert second.returncode == 0
    assert raised == [True]


def test_a_second_start_waits_for_a_first_window_that_is_still_starting(qapp: QApplication, snug_home: Path) -> None:
    lock_path = user_paths().instance_lock
    with ThreadPoolExecutor(1) as second:
        answered = second.submit(raise_first_window, lock_path)
        time.sleep(0.3)  # it holds the profile, and does not listen yet
        listener = RaiseListener(lock_path)
        assert answered.result(20)
    listener.close()


def test_another_profile_is_another_window(first_window: RaiseListener, tmp_path: Path) -> None:
    other = ProfileLock(tmp_path / "other" / "window.lock")
    assert other.acquire()
    other.release()


def test_the_window_is_as_it_was_left(styled: QApplication) -> None:
    first = MainWindow(pages=PAGES[:1], shell=Shell())
    first.resize(900, 700)
    geometry = first.geometry_text()
    second = MainWindow(pages=PAGES[:1], shell=Shell())
    second.restore(geometry)
    assert (second.width(), second.height()) == (900, 700)
    second.restore("nonsense")
    assert (second.width(), second.height()) == (900, 700)
    for window in (first, second):
        window.deleteLater()


def test_an_error_nobody_caught_is_told_and_logged(loud_log: LoudLog) -> None:
    loud_log.allow("unhandled")
    told: list[BaseException] = []
    undo = install_crash_hook(told.append)
    error = ValueError("x")
    try:
        sys.excepthook(ValueError, error, None)
    finally:
        undo()
    assert told == [error]
