"""How fast the disk with the models is: a short write and read of a temporary file there, past the page cache.

What a model costs at its first load is the disk's reading; later loads come from the page cache, if it is large enough.
"""

import mmap
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase

MOST_BYTES = 48 << 20
_BLOCK = 4 << 20
_SECONDS = 0.8
"""For writing, and again for reading; the block under way is finished."""

KEPT_FREE = 2 << 30
"""Bytes: a disk with less room than this is not written to."""

_NEARLY_FULL = QT_TRANSLATE_NOOP("core", "not measured: the disk with {path} is nearly full")
_READ_ONLY = QT_TRANSLATE_NOOP("core", "not measured: this user may not write to {path}")
_FROM_MEMORY = QT_TRANSLATE_NOOP(
    "core", "not known: this system answers from memory what was just written (it writes {write:,.0f} MB/s)"
)


class DiskSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes per second, measured in `folder`; `unknown` says why `read` could not be measured."""

    folder: str
    read: float | None = None
    write: float | None = None
    unknown: Phrase | None = None


def measure_disk(models_folder: Path, *, most_bytes: int = MOST_BYTES, seconds: float = _SECONDS) -> DiskSpeed:
    """Return the speed of the disk that holds, or will hold, `models_folder`. Blocks for about two seconds at most.

    The file has no name (or, on Windows, is deleted by the system when it is closed), so nothing stays behind,
    whatever ends this program. Raises OSError where the disk fails.
    """
    folder = models_folder.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    place = str(existing)
    if shutil.disk_usage(existing).free < KEPT_FREE:
        return DiskSpeed(folder=place, unknown=Phrase.of(_NEARLY_FULL, path=place))
    if not os.access(existing, os.W_OK):
        return DiskSpeed(folder=place, unknown=Phrase.of(_READ_ONLY, path=place))
    with tempfile.TemporaryFile(dir=existing, prefix="snug-speed-", buffering=0) as file:
        written, write = _write(file.fileno(), most_bytes, seconds)
        read = _read(file.fileno(), written, seconds)
    if read is None:
        return DiskSpeed(folder=place, write=write, unknown=Phrase.of(_FROM_MEMORY, write=write / 1e6))
    return DiskSpeed(folder=place, read=read, write=write)


def _write(file: int, most_bytes: int, seconds: float) -> tuple[int, float]:
    """Write a block that no file system can compress, again and again, each time down to the disk."""
    _write_past_cache(file)
    block = os.urandom(_BLOCK)
    written, begin = 0, time.perf_counter()
    while written < most_bytes and (not written or time.perf_counter() - begin < seconds):
        count = os.write(file, block)
        os.fsync(file)
        written += count
    return written, written / (time.perf_counter() - begin)


def _read(file: int, size: int, seconds: float) -> float | None:
    """Read it back from the disk; None where only the page cache would answer."""
    os.lseek(file, 0, os.SEEK_SET)
    if not _past_cache(file):
        return None
    # An anonymous map is aligned to pages, as direct reads must be.
    with mmap.mmap(-1, _BLOCK) as buffer, open(file, "rb", buffering=0, closefd=False) as reader:
        read, begin = 0, time.perf_counter()
        while read < size and (not read or time.perf_counter() - begin < seconds):
            count = reader.readinto(buffer)
            if not count:
                break
            read += count
        return read / (time.perf_counter() - begin) if read else None


if sys.platform == "linux":
    import fcntl

    def _past_cache(file: int) -> bool:
        """Make reads of `file` go to the disk. False where the file system cannot (some keep files in memory).

        Some accept direct reads and still go through the page cache, so that is emptied of this file as well.
        """
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_DIRECT)
        except OSError:
            return False
        return True

    def _write_past_cache(file: int) -> None:
        """Nothing to do: what was written is past the cache once it is synchronized."""

elif sys.platform == "darwin":
    import fcntl

    def _past_cache(file: int) -> bool:
        """The pages were kept from the cache when they were written."""
        return True

    def _write_past_cache(file: int) -> None:
        """Keep the pages from the cache; it must be told before they are written."""
        fcntl.fcntl(file, fcntl.F_NOCACHE, 1)

else:

    def _past_cache(file: int) -> bool:
        """Windows decides when a file is opened, and Python does not hand that on."""
        return False

    def _write_past_cache(file: int) -> None:
        """As above."""
