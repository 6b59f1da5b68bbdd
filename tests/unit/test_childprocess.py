"""No child outlives its owner: not even one that is stopped, or whose pipe somebody else holds open."""

import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from desktop.childprocess import child_options

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="each system has its own way; this one is Linux's")

CHILD = """
import sys
from desktop.childprocess import end_with_owner
end_with_owner()
print("up", flush=True)
import time; time.sleep(60)
"""
OWNER = f"""
import subprocess, sys
from desktop.childprocess import child_options
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdout=subprocess.PIPE, **child_options())
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def _owner_and_child() -> tuple["subprocess.Popen[str]", psutil.Process]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    return owner, psutil.Process(int(owner.stdout.readline()))


@pytest.mark.parametrize("stopped", [False, True])
def test_a_child_ends_with_an_owner_that_was_killed(stopped: bool) -> None:
    owner, child = _owner_and_child()
    with owner:
        if stopped:
            child.suspend()
        owner.kill()
    gone, _ = psutil.wait_procs([child], timeout=30)
    assert gone


def test_a_child_whose_owner_died_before_it_asked_ends_at_once() -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    environment = dict(os.environ, SNUG_OWNER=str(dead.pid))
    done = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, timeout=50, check=False)
    assert done.stdout == b""


def test_a_launcher_between_owner_and_child_is_fine() -> None:
    command = ["sh", "-c", '"$0" -c "$1"; true', sys.executable, CHILD.replace("time.sleep(60)", "print('alive')")]
    done = subprocess.run(command, capture_output=True, timeout=50, check=True, **child_options())
    assert done.stdout.split() == [b"up", b"alive"]


def test_a_child_that_a_passing_thread_started_lives_on_when_the_thread_ends() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, **child_options()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    with started[0] as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)


def test_grandchildren_do_not_take_the_owner_for_theirs() -> None:
    script = "import os; from desktop.childprocess import end_with_owner\n"
    script += "end_with_owner(); print('SNUG_OWNER' in os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=50, check=True, **child_options()
    )
    assert done.stdout.strip() == b"False"
