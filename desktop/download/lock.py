"""One writer per file, across processes: a lock that the operating system drops when its holder dies."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from desktop.files import explained_write, try_lock

POLL = 0.2
"""Seconds between two looks at a lock that another process holds."""


@contextlib.asynccontextmanager
async def exclusive(destination: Path, *, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Be the only one to write `destination`; its lock file, and its folder if it is missing, are made.

    `on_wait` is called at every look while another is at it. Raises DiskFull and FileNotSaved.
    """
    path = lock_path(destination)
    while (descriptor := _try(destination, path)) is None:
        on_wait()
        await asyncio.sleep(POLL)
    try:
        yield
    finally:
        release(path, descriptor)


def lock_path(destination: Path) -> Path:
    """Return the lock file of a download to `destination`."""
    return destination.with_name(destination.name + ".lock")


def acquire(path: Path) -> int | None:
    """Return the descriptor that holds the lock file `path`, None while another has it. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = try_lock(descriptor) and _is_still(path, descriptor)
    except BaseException:  # a network share without locks
        os.close(descriptor)
        raise
    if held:
        return descriptor
    os.close(descriptor)
    return None


def _try(destination: Path, path: Path) -> int | None:
    with explained_write(destination):
        path.parent.mkdir(parents=True, exist_ok=True)
        return acquire(path)


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether `path` is the file that was locked: its last holder may have removed it in between."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def release(path: Path, descriptor: int) -> None:
        """Let go of what `acquire` returned, and remove the lock file."""
        os.close(descriptor)
        # An open file cannot be removed here, so this fails when another process waits for the lock.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)

else:

    def release(path: Path, descriptor: int) -> None:
        """Let go of what `acquire` returned, and remove the lock file."""
        with contextlib.suppress(OSError):  # one that stays does no harm
            path.unlink(missing_ok=True)  # while the lock is held, so that nobody can lock a file that is going away
        os.close(descriptor)
