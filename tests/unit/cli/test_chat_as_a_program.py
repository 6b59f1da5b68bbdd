"""The verb as a program of its own: signals, a terminal, streams that are closed or full."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

# The verb with an engine that says three words and then waits; the real command line around it.
_SCRIPT = """
import asyncio, sys
from types import SimpleNamespace
import desktop.actions.load as loading
import desktop.actions.models as models
import desktop.services as services
from desktop.catalog.types import Catalog
from desktop.cli.main import run_command_line
from tests.support.fake_engine import FakeEngine

class Engine(FakeEngine):
    async def stop(self):
        print("engine stopped", file=sys.stderr, flush=True)

def create_services(paths):
    made = create(paths)
    engine = Engine(["One ", "two ", "three ", asyncio.Event()], ["Second reply."])
    return services.Services(paths=made.paths, settings=made.settings, engine=engine)

async def load_model(*_, **__):
    pass

create, services.create_services = services.create_services, create_services
loading.load_model = load_model
models.find_model = lambda *_: SimpleNamespace(name="Fake", model_id="", sampling_id="fake")
sys.exit(run_command_line(["chat", *sys.argv[1:]]))
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pseudo-terminals")


def _start(root: Path, *words: str, **streams: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", _SCRIPT, *words], cwd=root, **streams)


@posix
def test_ctrl_c_ends_the_reply_with_what_was_said(project_root: Path) -> None:
    child = _start(project_root, "Hi", stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    said = b""
    while b"three " not in said:  # streamed to a pipe as it comes
        said += child.stdout.read1()  # type: ignore[attr-defined]
    child.send_signal(signal.SIGINT)
    rest, errors = child.communicate(timeout=60)
    assert (said + rest).decode() == "One two three \n"
    assert child.returncode == 130
    assert errors.decode() == "engine stopped\n"


@posix
def test_a_reader_that_goes_away_is_no_error(project_root: Path) -> None:
    child = _start(project_root, "Hi", stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    assert child.stderr.read().decode() == "engine stopped\n"
    assert child.wait(60) == 0
    child.stderr.close()


def _read_until(terminal: int, wanted: str) -> str:
    seen = ""
    deadline = time.monotonic() + 60
    while wanted not in seen and time.monotonic() < deadline:
        seen += os.read(terminal, 4096).decode()
    return seen


@pytest.fixture
def terminal(project_root: Path) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    """A dialogue on a pseudo-terminal: our end, and the program."""
    import pty

    ours, theirs = pty.openpty()
    child = _start(
        project_root, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=_take_terminal
    )
    os.close(theirs)
    yield ours, child
    child.kill()
    child.wait()
    os.close(ours)


@posix
def test_in_a_dialogue_ctrl_c_stops_the_reply_and_exit_leaves(terminal: "tuple[int, subprocess.Popen[bytes]]") -> None:
    ours, child = terminal
    _read_until(ours, "> ")
    os.write(ours, b"Hi\n")
    _read_until(ours, "three ")
    os.write(ours, b"\x03")
    assert "stopped" in _read_until(ours, "> ")
    os.write(ours, "再来\n".encode())
    assert "Second reply." in _read_until(ours, "\n> ")
    os.write(ours, b"/exit\n")
    assert child.wait(60) == 0


@posix
def test_ctrl_c_at_the_prompt_of_a_dialogue_leaves(terminal: "tuple[int, subprocess.Popen[bytes]]") -> None:
    ours, child = terminal
    _read_until(ours, "> ")
    time.sleep(0.2)  # the prompt stands before the program reads
    os.write(ours, b"\x03")
    assert child.wait(60) == 130


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _wait_for_threads(pid: int, count: int) -> None:
    deadline = time.monotonic() + 60
    while psutil.Process(pid).num_threads() < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _command(tmp_path: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    return [sys.executable, "-m", "desktop", *words], dict(os.environ, SNUG_HOME=str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_ctrl_c_ends_the_wait_for_a_pipe_that_says_nothing(tmp_path: Path) -> None:
    command, environment = _command(tmp_path, "chat")
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _wait_for_threads(process.pid, 2)  # the second reads stdin
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of another kind")
def test_closed_streams_are_not_missed(tmp_path: Path) -> None:
    command, environment = _command(tmp_path, "probe", "--json")
    closed = ["sh", "-c", '"$@" <&- >&-', "sh", *command]
    done = subprocess.run(closed, check=False, env=environment, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="a device of Linux")
def test_output_that_finds_no_room_is_explained(tmp_path: Path) -> None:
    command, environment = _command(tmp_path, "models")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            command, check=False, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "hint:" in done.stderr
