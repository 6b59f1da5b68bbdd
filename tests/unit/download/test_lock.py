"""The lock of a file that is being written."""

import errno
import sys
from pathlib import Path

import pytest

from desktop.download import lock
from desktop.download.lock import acquire, exclusive, release
from desktop.files import FileNotSaved


def refuse(_descriptor: int) -> bool:
    """What the system says on a network share without locks."""
    raise OSError(errno.ENOLCK, "No locks available")


def is_open(path: Path) -> bool:
    """Whether this process has it open; others of its files come and go with what else runs."""
    names = (str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink())
    return any(name.startswith(str(path)) for name in names)


@pytest.mark.skipif(sys.platform != "linux", reason="the open files of a process are listed there")
def test_a_file_system_without_locks_costs_no_descriptor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "try_lock", refuse)
    for _ in range(3):
        with pytest.raises(OSError, match="No locks"):
            acquire(tmp_path / "m.gguf.lock")
    assert not is_open(tmp_path / "m.gguf.lock")


@pytest.mark.asyncio
async def test_a_file_system_without_locks_is_told_of_the_file_that_was_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "try_lock", refuse)
    with pytest.raises(FileNotSaved) as raised:
        async with exclusive(tmp_path / "new" / "m.gguf", on_wait=lambda: None):
            pass
    assert f"{tmp_path / 'new' / 'm.gguf'} could not be saved" in raised.value.explain().message


def test_one_has_it_and_the_next_has_it_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf.lock"
    held = acquire(path)
    assert held is not None
    assert acquire(path) is None
    release(path, held)
    again = acquire(path)
    assert again is not None
    release(path, again)
    assert not path.exists()
