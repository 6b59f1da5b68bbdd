"""Garbage that holds Qt objects is collected in the main thread, however busy other threads are."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, sys, threading
from PySide6.QtCore import QCoreApplication, QTimer
from desktop.ui.garbage import MainThreadCollector

application = QCoreApplication([])
collector = MainThreadCollector(application)
if sys.argv[1] == "with":
    collector.take_over()


class Page:
    def __init__(self):
        self.itself = self
        self.timer = QTimer()
        self.timer.start(0)


gc.collect()
for _ in range(20):
    Page()
worker = threading.Thread(target=lambda: [[] for _ in range(200_000)])
worker.start()
worker.join()
print("worker done", flush=True)
if sys.argv[1] == "with":
    collector._on_timeout()
    collector.give_back()
    application.processEvents()
    print("alive", gc.isenabled(), sum(isinstance(o, Page) for o in gc.get_objects()))
"""


def run(how: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_worker_that_allocates_does_not_destroy_timers_of_the_window() -> None:
    done = run("with")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["worker done", "alive True 0"]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="newer collectors run at other moments")
def test_without_it_they_are_destroyed_in_the_wrong_thread() -> None:
    assert "from another thread" in run("without").stderr
