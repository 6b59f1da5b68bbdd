import os
import subprocess
import sys
from pathlib import Path

import pytest

from desktop import files
from desktop.files import FileNotSaved, locked, move_aside, read_bounded, try_hold, write_atomically


def test_a_file_is_replaced_and_no_other_is_left(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, b"old")

    def fail(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(FileNotSaved, match="Input/output error"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.json"]


def test_moving_aside_keeps_the_content_under_a_new_name(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"bad")
    target = move_aside(path)
    assert not path.exists()
    assert target.name.startswith("file.json.bad-20")
    assert target.read_bytes() == b"bad"


def test_moving_aside_what_is_not_there_is_explained(tmp_path: Path) -> None:
    with pytest.raises(FileNotSaved):
        move_aside(tmp_path / "gone.json")


def test_a_lock_keeps_others_out_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOCK_TIMEOUT", 0.05)
    path = tmp_path / "file.json"
    with locked(path), pytest.raises(FileNotSaved), locked(path):
        pass
    with locked(path):
        pass


def test_a_hold_ends_when_its_process_is_killed(tmp_path: Path, project_root: Path) -> None:
    path = tmp_path / "mark"
    script = (
        "import sys, pathlib, desktop.files as f; assert f.try_hold(pathlib.Path(sys.argv[1])) is not None;"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=project_root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        assert try_hold(path) is None
    finally:
        holder.kill()
        holder.communicate()
    descriptor = try_hold(path)
    assert descriptor is not None
    os.close(descriptor)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes and devices are files elsewhere only")
def test_a_pipe_or_a_device_is_refused_instead_of_read_for_ever(tmp_path: Path) -> None:
    pipe = tmp_path / "settings.json"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(OSError, match="pipe or a device"):
            read_bounded(path, most=1000)


def test_what_looks_like_a_file_and_has_nothing_to_say_now_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kmsg").touch()
    reader, writer = os.pipe()  # in place of /proc/kmsg, which only root may read
    os.set_blocking(reader, False)
    monkeypatch.setattr("stat.S_ISREG", lambda _mode: True)
    monkeypatch.setattr(files, "_open_at_once", lambda _path, _flags: reader)
    with pytest.raises(BlockingIOError, match="not a file"):
        read_bounded(tmp_path / "kmsg")
    os.close(writer)


def test_a_file_is_read_up_to_its_limit_and_refused_beyond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2**20)
    assert read_bounded(path, most=2**20) == b"x" * 2**20
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_bounded(path, most=2**20)
