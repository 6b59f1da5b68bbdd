"""The set-up as a person meets it: progress, failures in plain words, interruption, two at a time."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from snug_setup import checks, program, progress
from snug_setup.environment import Environment
from snug_setup.locking import locked
from snug_setup.missing import SetupError


def test_a_failed_command_shows_the_last_lines_and_what_to_do(tmp_path: Path) -> None:
    code = "print('compiling'); print('error: No space left on device'); raise SystemExit(3)"
    with pytest.raises(SetupError) as caught:
        progress.run([sys.executable, "-c", code], title="Building", log=tmp_path / "setup.log")
    assert "Building failed" in caught.value.message
    assert "No space left on device" in caught.value.message
    assert "disk is full" in caught.value.hint
    assert "compiling" in (tmp_path / "setup.log").read_text()


def test_a_slow_command_shows_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, say = tmp_path / "seen", progress.say

    def say_and_look(text: str) -> None:
        say(text)
        if "12 of 240" in text:
            seen.touch()

    monkeypatch.setattr(progress, "INTERVAL", 0.1)
    monkeypatch.setattr(progress, "say", say_and_look)
    code = "import pathlib, time; print('[12/240] Building', flush=True)\n"
    code += f"while not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    progress.run([sys.executable, "-c", code], title="Building the engine", log=tmp_path / "setup.log")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "  Building the engine ..."
    assert any(re.fullmatch(r"  Building the engine \.\.\. \d:\d\d \(12 of 240 files\)", line) for line in lines)
    assert re.fullmatch(r"  Building the engine: done in \d:\d\d", lines[-1])


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
def test_an_interrupted_command_takes_what_it_started_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(child: object, **_: object) -> None:
        while not (tmp_path / "grandchild").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "_wait", interrupt)
    code = f"sleep 60 & echo $! > {tmp_path}/half; mv {tmp_path}/half {tmp_path}/grandchild; wait"
    with pytest.raises(KeyboardInterrupt):
        progress.run(["sh", "-c", code], title="Building", log=tmp_path / "setup.log")
    grandchild = int((tmp_path / "grandchild").read_text())
    deadline = time.monotonic() + 60
    while is_running(grandchild):
        assert time.monotonic() < deadline, "the grandchild goes on"
        time.sleep(0.02)


def test_a_time_is_written_in_minutes_and_seconds() -> None:
    assert progress.duration(75.4) == "1:15"
    assert progress.duration(605) == "10:05"


def test_only_what_this_command_wrote_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "setup.log"
    log.write_text("an older failure\n")
    with pytest.raises(SetupError) as caught:
        progress.run([sys.executable, "-c", "raise SystemExit('new trouble')"], title="Installing", log=log)
    assert "an older failure" not in caught.value.message
    assert "new trouble" in caught.value.message


def test_a_second_set_up_waits_for_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    waited = threading.Event()

    def second() -> None:
        with locked(tmp_path / "lock", waiting=lambda _seconds: waited.set()):
            order.append("second")

    with locked(tmp_path / "lock", waiting=lambda _seconds: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]


def copy_of_the_set_up(project_root: Path, target: Path) -> Path:
    """A checkout that holds only what the set-up reads."""
    shutil.copytree(project_root / "packaging", target / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(project_root / "requirements", target / "requirements")
    shutil.copy(project_root / "pyproject.toml", target)
    return target


def set_up(checkout: Path, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(checkout / "packaging" / "setup_environment.py"), *arguments]
    cache = {"XDG_CACHE_HOME": str(checkout / "cache")}
    return subprocess.run(
        command, env=os.environ | cache | environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_a_compiler_it_says_so_and_how_to_get_one(project_root: Path, tmp_path: Path) -> None:
    done = set_up(copy_of_the_set_up(project_root, tmp_path), CXX="no-such-compiler")
    assert done.returncode == 1
    assert "error: No C++ compiler that works was found (tried no-such-compiler)" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_backend_that_does_not_exist_is_one_clear_line(project_root: Path, tmp_path: Path) -> None:
    done = set_up(copy_of_the_set_up(project_root, tmp_path), BACKEND="rocket")
    assert done.returncode == 1
    assert done.stderr.startswith('error: There is no backend "rocket".\nhint: ')


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send there")
def test_an_interrupted_set_up_ends_at_once_and_leaves_nothing_half_made(project_root: Path, tmp_path: Path) -> None:
    checkout = copy_of_the_set_up(project_root, tmp_path)
    command = [sys.executable, str(checkout / "packaging" / "setup_environment.py")]
    (tmp_path / "tmp").mkdir()  # where pip, killed as it unpacks itself, leaves what it had
    places = {"XDG_CACHE_HOME": str(checkout / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that never answers
        index = {"PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple"}
        environ = os.environ | places | {"BACKEND": "cpu"} | index
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            next(line for line in child.stdout if "Backend" in line)
            time.sleep(0.3)  # in the middle of something
            child.send_signal(signal.SIGINT)
            _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Stopped." in errors
    assert "Traceback" not in errors
    assert list((checkout / "cache" / "snug" / "wheels").glob("*building*")) == []
    assert not (checkout / ".venv").exists()


@pytest.mark.skipif(shutil.which("sh") is None, reason="setup.sh is for systems with a POSIX shell")
def test_a_python_that_is_too_old_is_named_with_a_remedy(project_root: Path) -> None:
    script = str(project_root / "packaging" / "setup.sh")
    environ = os.environ | {"PYTHON": "/bin/false"}
    done = subprocess.run(["sh", script], env=environ, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "Snug needs Python 3.11 or newer" in done.stderr
    assert "hint: " in done.stderr


def test_a_library_that_a_display_needs_is_named_although_everything_is_set_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Environment, "lacks", lambda *_: [])
    monkeypatch.setattr(checks, "X11_LIBRARIES", ("libnot-on-any-machine.so.9",))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(SetupError, match=r"libnot-on-any-machine\.so\.9"):
        program._set_up(program._options(["--for", "run"]))
    program._set_up(program._options(["--for", "test"]))
