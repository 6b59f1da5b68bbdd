"""The guards around every test really fail a test: each is run on one that breaks its rule."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GUILTY = """
import logging
import subprocess
import sys
import threading

import pytest

RELEASE = threading.Event()
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_child():
    kept.append(subprocess.Popen(SLEEPER))


def test_thread():
    threading.Thread(target=RELEASE.wait, args=(60,), name="forgotten").start()


def test_log():
    logging.getLogger("some.library").warning("disk is nearly full")


@pytest.mark.allow_log("nearly full")
def test_expected_log():
    logging.getLogger("some.library").warning("disk is nearly full")


@pytest.mark.allow_leaks("shows that the marker works")
def test_allowed_thread():
    threading.Thread(target=RELEASE.wait, args=(60,)).start()


def test_tidy():
    subprocess.run([sys.executable, "-c", ""], check=True)
    thread = threading.Thread(target=lambda: None)
    thread.start()


kept = []


def test_warning():
    import warnings

    warnings.warn("old", DeprecationWarning, stacklevel=1)
"""

CONFTEST = """
import sys

import tests.support.leaks
from tests.support.leaks import no_leaks, qt_garbage
from tests.support.loud_log import loud_log

tests.support.leaks.GRACE = 0.3


def pytest_unconfigure():
    sys.modules["test_guilty"].RELEASE.set()
    for child in tests.support.leaks.live_children().values():
        child.kill()
        child.wait()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> str:
    """What pytest prints for the guilty tests, run in a process of their own."""
    folder = tmp_path_factory.mktemp("guilty")
    (folder / "test_guilty.py").write_text(GUILTY)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
        "markers =\n  allow_log(pattern): x\n  allow_leaks(reason): x\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:randomly",
        "-p",
        "no:pytest-qt",
        "-p",
        "no:cacheprovider",
        "-rA",
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(project_root)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_test_that_leaves_a_child_behind_fails_and_its_line_is_named(report: str) -> None:
    assert "ERROR test_guilty.py::test_child" in report
    assert "child process" in report
    assert "kept.append(subprocess.Popen(SLEEPER))" in report


def test_a_test_that_leaves_a_thread_behind_fails_and_its_line_is_named(report: str) -> None:
    assert "ERROR test_guilty.py::test_thread" in report
    assert "thread 'forgotten', begun at" in report
    assert 'name="forgotten").start()' in report


def test_an_unexpected_warning_in_the_log_fails_the_test(report: str) -> None:
    assert "ERROR test_guilty.py::test_log" in report
    assert "WARNING some.library: disk is nearly full" in report


def test_a_python_warning_fails_the_test(report: str) -> None:
    assert "FAILED test_guilty.py::test_warning" in report


@pytest.mark.parametrize("innocent", ["test_expected_log", "test_allowed_thread", "test_tidy"])
def test_tidy_and_expected_behaviour_passes(report: str, innocent: str) -> None:
    assert f"PASSED test_guilty.py::{innocent}" in report
    assert f"ERROR test_guilty.py::{innocent}" not in report


def test_the_user_folders_of_a_test_are_its_own(snug_home: Path, tmp_path: Path) -> None:
    from desktop.paths import user_paths

    assert snug_home.is_relative_to(tmp_path)
    assert user_paths().data.is_relative_to(snug_home)
