"""The unfinished file: `<name>.part` with a sidecar that says what of it is there. Everything here blocks.

Nothing exists under the final name before the SHA-256 of every byte was found right and the bytes are on the disk.
"""

import contextlib
import errno
import logging
import os
import shutil
import sys
import threading
from pathlib import Path

from desktop.catalog.hub import HubFile
from desktop.download.hashing import PrefixHasher
from desktop.download.lock import acquire, lock_path, release
from desktop.download.ranges import Range, RangeSet
from desktop.download.sidecar import Sidecar, SidecarFile, read_sidecar, this_boot
from desktop.download.types import ChecksumMismatch, FileTooLarge, NoRoomForDownload, PartRemoved
from desktop.errors import AppError
from desktop.files import FULL_DISK_ERRORS, SPARE, FileNotSaved, sync_folder
from desktop.sizes import gb

_log = logging.getLogger(__name__)


class PartFile:
    """The part of `file` that is on its way to `destination`.

    One thread writes; `sync` may run in another one meanwhile, and the SHA-256 follows in a third.
    """

    def __init__(self, file: HubFile, destination: Path) -> None:
        self.file = file
        self.destination = destination
        self.path = part_path(destination)
        self.etag = ""
        self._ranges = RangeSet()
        self._sidecar = SidecarFile(destination)
        self._lock = threading.Lock()
        self._syncing = threading.Lock()
        self._hasher: PrefixHasher | None = None
        self._descriptor: int | None = None
        self._unsynced = 0

    @property
    def done(self) -> int:
        """Bytes that are there."""
        return self._ranges.total

    @property
    def unsynced(self) -> int:
        """Bytes that came since `sync`."""
        return self._unsynced

    def missing(self) -> list[Range]:
        """Return what is not there."""
        return self._ranges.missing(self.file.size)

    def open(self) -> None:
        """Open or begin the part. A part of something else is discarded. Raises NoRoomForDownload, FileNotSaved."""
        known = read_sidecar(self.destination)
        try:
            if self.destination.is_dir():  # told now, not when all of it has come
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if known is None or not known[0].is_for(self.file) or self.path.is_symlink():
                discard_part(self.destination)
            else:
                self.etag, self._ranges = known[0].etag, known[1]
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            length = os.fstat(self._descriptor).st_size
            if length > self.file.size:  # somebody else has written into it
                self._forget()
            self._ranges = self._ranges.up_to(length)
        except OSError as error:
            raise self._explain(error) from error

    def begin(self) -> None:
        """Keep the first note and let the SHA-256 follow. Raises NoRoomForDownload, FileNotSaved."""
        self.sync()
        self._hasher = PrefixHasher(self.path, self.file.size)
        self._hasher.advance(self._ranges.prefix)

    def remember(self, etag: str) -> None:
        """Note the validator that goes with the bytes. Raises what `sync` raises."""
        self.etag = etag
        self.sync()

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put `data` at `offset`; what the disk took counts. Raises NoRoomForDownload, FileTooLarge, FileNotSaved."""
        view = memoryview(data)
        try:
            while view:
                written = _write_at(self._open_descriptor(), view, offset)
                with self._lock:
                    self._sidecar.add(offset, offset + written)
                    self._ranges.add(offset, offset + written)
                    self._unsynced += written
                offset += written
                view = view[written:]
        except OSError as error:
            raise self._explain(error) from error
        if self._hasher is not None:
            self._hasher.advance(self._ranges.prefix)

    def sync(self) -> None:
        """Put on the disk what came, and note that it is there.

        Raises NoRoomForDownload, PartRemoved, FileNotSaved.
        """
        try:
            with self._syncing:
                self._check_is_named()
                with self._lock:
                    claimed, self._unsynced = self._ranges.as_tuple(), 0
                os.fsync(self._open_descriptor())
                self._sidecar.prepare(self._note(claimed))
                with self._lock:
                    self._sidecar.replace(self._ranges.as_tuple())
        except OSError as error:
            raise self._explain(error) from error

    def restart(self) -> None:
        """Forget every byte. Raises FileNotSaved."""
        self.stop_hashing()
        try:
            self._forget()
        except OSError as error:
            raise self._explain(error) from error
        self.begin()

    def check_space(self) -> None:
        """Raise NoRoomForDownload when the rest does not fit on the disk, FileNotSaved when nobody can tell."""
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise self._explain(error) from error
        if free < self._needed():
            raise self._no_room(None)

    @property
    def verified(self) -> float:
        """The share of the file that was read for its SHA-256, from 0 to 1."""
        return self._hasher.share if self._hasher is not None else 0.0

    def digest(self) -> str:
        """Wait for the SHA-256 of all bytes; "" when the part was closed meanwhile. Raises FileNotSaved."""
        if self._hasher is None:
            return ""
        try:
            return self._hasher.result() or ""
        except OSError as error:
            raise self._explain(error) from error

    def finish(self, digest: str) -> None:
        """Give the whole file its final name, after its bytes are on the disk and were found right.

        Raises ChecksumMismatch (the part is then removed), PartRemoved and FileNotSaved; an older file stays as it was.
        """
        try:
            if digest != self.file.sha256:
                self.close(note=False)
                discard_part(self.destination)
                raise ChecksumMismatch(file=self.file.file, detail=(self.file.sha256, digest))
            os.fsync(self._open_descriptor())
            self._check_is_still()
            self.close(note=False)
            self.path.replace(self.destination)
            sync_folder(self.destination.parent)
        except OSError as error:
            raise self._explain(error) from error
        tidy(self.destination)

    def close(self, *, note: bool = True) -> None:
        """Close the part; it stays for the next time, unless nothing came at all. note: of what is on the disk."""
        self.stop_hashing()
        if self._descriptor is None:
            return
        if note and self._unsynced:
            try:
                self.sync()
            except AppError as error:  # what was noted before still holds
                _log.info("%s was closed without a last note: %s", self.path.name, error)
        os.close(self._descriptor)
        self._descriptor = None
        self._sidecar.close()
        if self.done == 0:
            tidy(self.destination)

    def _note(self, claimed: tuple[Range, ...]) -> Sidecar:
        file = self.file
        return Sidecar(
            repo=file.repo, file=file.file, revision=file.revision, sha256=file.sha256, size=file.size,
            etag=self.etag, ranges=claimed, boot=this_boot(),
        )  # fmt: skip

    def _forget(self) -> None:
        os.ftruncate(self._open_descriptor(), 0)
        self.etag, self._ranges, self._unsynced = "", RangeSet(), 0

    def stop_hashing(self) -> None:
        """End the thread that computes the SHA-256; `digest` has no answer then."""
        if self._hasher is not None:
            self._hasher.stop()
            self._hasher = None

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError("the part is not open")
        return self._descriptor

    def _check_is_still(self) -> None:
        """Raise OSError unless what is about to get the final name is what was found right."""
        self._check_is_named()
        if os.fstat(self._open_descriptor()).st_size != self.file.size:
            raise OSError("the unfinished file was changed by somebody else")

    def _check_is_named(self) -> None:
        """Raise PartRemoved unless the open file is still the one of that name: the rest would be fetched in vain."""
        try:
            named = self.path.lstat()
        except FileNotFoundError as error:
            raise PartRemoved(path=str(self.path), detail=error) from error
        if not os.path.samestat(os.fstat(self._open_descriptor()), named):
            raise PartRemoved(path=str(self.path))

    def _needed(self) -> int:
        return max(0, self.file.size - self.done) + SPARE

    def _explain(self, error: OSError) -> Exception:
        if error.errno in FULL_DISK_ERRORS:
            with contextlib.suppress(OSError):  # the folder is gone as well
                return self._no_room(error)
        if error.errno == errno.EFBIG:
            return FileTooLarge(path=str(self.path.parent), size=gb(self.file.size), detail=error)
        return FileNotSaved(path=str(self.destination), reason=error.strerror or str(error), detail=error)

    def _no_room(self, error: OSError | None) -> NoRoomForDownload:
        free = shutil.disk_usage(self.path.parent).free
        return NoRoomForDownload(path=str(self.path.parent), need=gb(self._needed()), free=gb(free), detail=error)


if sys.platform == "win32":

    def _write_at(descriptor: int, data: memoryview, offset: int) -> int:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.write(descriptor, data)

else:

    def _write_at(descriptor: int, data: memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)


def part_path(destination: Path) -> Path:
    """Return where the unfinished file lies."""
    return destination.with_name(destination.name + ".part")


def discard_part(destination: Path) -> None:
    """Remove the unfinished file and its sidecar. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        part_path(destination).unlink()
    SidecarFile(destination).discard()


def tidy(destination: Path) -> None:
    """Remove what nobody needs any more of an unfinished file; what cannot be removed stays, and does no harm."""
    try:
        discard_part(destination)
    except OSError as error:
        _log.info("what is left of %s stays: %s", destination.name, error)


def discard_unless_used(destination: Path, *, whole: bool) -> bool:
    """Remove the unfinished file and, where `whole` is set, the finished one, unless another process is at it.

    Returns whether it is gone. Raises OSError.
    """
    if not destination.parent.is_dir():
        return True
    descriptor = acquire(lock_path(destination))
    if descriptor is None:
        return False
    try:
        discard_part(destination)
        if whole:
            destination.unlink(missing_ok=True)
    finally:
        release(lock_path(destination), descriptor)
    return True
