"""Files: written so that a crash, a full disk or a second process never costs the old one; read within bounds."""

import contextlib
import errno
import io
import os
import stat
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, FileUnreadable

FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)
LOCK_TIMEOUT = 5.0
"""Seconds to wait for another process that writes the same file."""

SPARE = 8 << 20
"""Bytes that are left free beside a model that is written to a disk, for everything else on it."""

_BINARY: int = getattr(os, "O_BINARY", 0)


class FileNotSaved(AppError):
    """A file could not be written; the old one is as it was."""

    message = QT_TRANSLATE_NOOP("core", "{path} could not be saved: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Check that you may write to this folder. The old file is unchanged.")


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read, unbuffered. A pipe or a device, which may never end or never begin, is refused.

    Raises OSError; so does a read from what only looks like a file and has nothing to say now (/proc/kmsg).
    """
    stream = _AtOnce(path, "rb", opener=_open_at_once)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
    return stream


def read_bounded(path: Path, *, most: int = 16 * 2**20) -> bytes:
    """Return the whole of a file of at most `most` bytes; raises OSError, as open_regular, or where it is larger."""
    with open_regular(path) as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most // 2**20} MiB")
    return data


def folder_problem(folder: str) -> str:
    """Say why `folder` does not mean one place from wherever the program is started; "" where it does, or is empty."""
    if "\0" in folder:
        return "it holds a NUL character"
    if folder and not os.path.isabs(os.path.expanduser(folder)):  # noqa: PTH111, PTH117 - Path's own raises
        return "it is not a full path"
    return ""


@contextlib.contextmanager
def explained_read(path: Path, unreadable: type[FileUnreadable] = FileUnreadable) -> Iterator[None]:
    """Turn the operating system's refusal to read `path` into an `unreadable`."""
    try:
        yield
    except OSError as error:
        raise unreadable(path=str(path), reason=error.strerror or str(error), detail=error) from error


@contextlib.contextmanager
def explained_write(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into DiskFull or FileNotSaved."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK_ERRORS:
            raise DiskFull(path=str(path.parent), detail=error) from error
        raise FileNotSaved(path=str(path), reason=error.strerror or str(error), detail=error) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: whole or not at all, and on the disk when this returns.

    A link stays a link: what it points to is replaced.
    Raises DiskFull and FileNotSaved; the old file is then as it was.
    """
    path = path.resolve()
    with explained_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # tempfile would import a dozen modules before the first window.
        unfinished = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def move_aside(path: Path) -> Path:
    """Rename a file that cannot be used to `<name>.bad-<UTC stamp>`, never over another one; returns the new path.

    Raises FileNotSaved.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = path.with_name(f"{path.name}.bad-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.bad-{stamp}-{number}")
    with explained_write(path):
        path.rename(target)
    return target


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` against other processes and threads, through a lock file beside it that stays there, empty.

    Raises FileNotSaved when another process holds it for more than LOCK_TIMEOUT seconds.
    """
    lock = path.with_name(f".{path.name}.lock")
    with explained_write(path):
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with explained_write(path):
            _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # releases the lock


def try_hold(path: Path) -> int | None:
    """Lock `path` (created where missing) until the returned descriptor is closed or this process ends, in any way.

    None when somebody else holds it. Raises FileNotSaved and DiskFull.
    """
    with explained_write(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = try_lock(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    if held:
        return descriptor
    os.close(descriptor)
    return None


class _AtOnce(io.FileIO):
    """A file whose `read` raises BlockingIOError where FileIO's own returns None."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if piece is None:
            raise BlockingIOError(errno.EAGAIN, "it is a device, not a file")
        return piece


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _wait_for_lock(descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            raise BlockingIOError(errno.EAGAIN, "another program is writing to it")
        time.sleep(0.01)


if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; returns whether nobody else has it. Raises OSError."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def sync_folder(folder: Path) -> None:
        """Windows has no way to put a rename on the disk; replace() is durable enough there."""

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file until it is closed; returns whether nobody else has it. Raises OSError."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def sync_folder(folder: Path) -> None:
        """Put the names in `folder`, such as a rename, on the disk. Raises OSError."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
