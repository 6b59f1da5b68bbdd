"""The unfinished file: `<name>.part` with a sidecar that says what it is a part of. Everything here blocks.

Nothing exists under the final name before the SHA-256 of every byte was found right and the bytes are on the disk.
"""

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from desktop.catalog.hub import HubFile
from desktop.download.lock import acquire, lock_path, release
from desktop.download.types import ChecksumMismatch, FileTooLarge, NoRoomForDownload
from desktop.files import FULL_DISK_ERRORS, FileNotSaved, read_bounded, sync_folder, write_atomically
from desktop.sizes import gb

SPARE = 8 << 20
"""Bytes that are left free beside a download, for everything else on the disk."""

_PIECE = 4 << 20


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What the part belongs to. `etag`: a strong validator of the host that sent the bytes, "" without one."""

    repo: str
    file: str
    revision: str
    sha256: str
    size: int
    etag: str = ""

    def is_for(self, file: HubFile) -> bool:
        """Tell whether the bytes are a part of `file`: the same content, whatever commit it is found at."""
        return (self.sha256, self.size) == (file.sha256, file.size)


class PartFile:
    """The part of `file` that is on its way to `destination`. One thread at a time."""

    def __init__(self, file: HubFile, destination: Path) -> None:
        self.file = file
        self.destination = destination
        self.path = part_path(destination)
        self.etag = ""
        self.offset = 0
        self._hash = hashlib.sha256()
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open or begin the part. A part of something else is discarded. Raises NoRoomForDownload, FileNotSaved."""
        sidecar = read_sidecar(self.destination)
        if sidecar is None or not sidecar.is_for(self.file) or self.path.is_symlink():
            discard_part(self.destination)
        else:
            self.etag = sidecar.etag
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise self._explain(error) from error

    def hash_existing(self, stop: threading.Event, on_progress: Callable[[int], None]) -> None:
        """Read what is already there into the SHA-256; `offset` is then where the rest goes."""
        descriptor = self._open_descriptor()
        if os.fstat(descriptor).st_size > self.file.size:
            self.restart()
            return
        os.lseek(descriptor, 0, os.SEEK_SET)
        while not stop.is_set() and (piece := os.read(descriptor, _PIECE)):
            self._hash.update(piece)
            self.offset += len(piece)
            on_progress(self.offset)

    def remember(self, etag: str) -> None:
        """Write the sidecar, without which the part is of no use. Raises DiskFull, FileNotSaved."""
        self.etag = etag
        file = self.file
        sidecar = Sidecar(
            repo=file.repo, file=file.file, revision=file.revision, sha256=file.sha256, size=file.size, etag=etag
        )
        write_atomically(_sidecar_path(self.destination), msgspec.json.encode(sidecar))

    def write(self, data: bytes | bytearray) -> None:
        """Append; `offset` and the SHA-256 count exactly what the disk took. Raises NoRoomForDownload, FileTooLarge."""
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._open_descriptor(), view)
            except OSError as error:
                raise self._explain(error) from error
            self._hash.update(view[:written])
            self.offset += written
            view = view[written:]

    def restart(self) -> None:
        """Forget every byte."""
        os.ftruncate(self._open_descriptor(), 0)
        os.lseek(self._open_descriptor(), 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.offset = 0

    def check_space(self) -> None:
        """Raise NoRoomForDownload when the rest does not fit on the disk."""
        have = os.fstat(self._open_descriptor()).st_size
        need = max(0, self.file.size - have) + SPARE
        if shutil.disk_usage(self.path.parent).free < need:
            raise self._no_room(None)

    def finish(self) -> None:
        """Give the whole file its final name, after its bytes are on the disk and were found right.

        Raises ChecksumMismatch (the part is then removed) and FileNotSaved; an older file stays as it was.
        """
        if self._hash.hexdigest() != self.file.sha256:
            self.close()
            discard_part(self.destination)
            raise ChecksumMismatch(file=self.file.file, detail=(self.file.sha256, self._hash.hexdigest()))
        try:
            os.fsync(self._open_descriptor())
            self.close()
            self.path.replace(self.destination)
            sync_folder(self.destination.parent)
        except OSError as error:
            raise self._explain(error) from error
        _sidecar_path(self.destination).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the part; it stays for the next time, unless nothing came at all."""
        if self._descriptor is None:
            return
        empty = os.fstat(self._descriptor).st_size == 0
        os.close(self._descriptor)
        self._descriptor = None
        if empty:
            discard_part(self.destination)

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise ValueError("the part is not open")
        return self._descriptor

    def _explain(self, error: OSError) -> Exception:
        if error.errno in FULL_DISK_ERRORS:
            return self._no_room(error)
        if error.errno == errno.EFBIG:
            return FileTooLarge(path=str(self.path.parent), size=gb(self.file.size), detail=error)
        return FileNotSaved(path=str(self.destination), reason=error.strerror or str(error), detail=error)

    def _no_room(self, error: OSError | None) -> NoRoomForDownload:
        have = self.path.stat().st_size if self.path.exists() else 0
        free = shutil.disk_usage(self.path.parent).free
        need = gb(max(0, self.file.size - have) + SPARE)
        return NoRoomForDownload(path=str(self.path.parent), need=need, free=gb(free), detail=error)


def part_path(destination: Path) -> Path:
    """Return where the unfinished file lies."""
    return destination.with_name(destination.name + ".part")


def _sidecar_path(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part.json")


def read_sidecar(destination: Path) -> Sidecar | None:
    """Return what the part at `destination` belongs to, None when nobody can tell."""
    try:
        return msgspec.json.decode(read_bounded(_sidecar_path(destination)), type=Sidecar)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def discard_part(destination: Path) -> None:
    """Remove the unfinished file and its sidecar."""
    part_path(destination).unlink(missing_ok=True)
    _sidecar_path(destination).unlink(missing_ok=True)


def discard_unless_used(destination: Path) -> bool:
    """Remove the unfinished file, unless another process is at it; returns whether it is gone."""
    if not destination.parent.is_dir():
        return True
    descriptor = acquire(lock_path(destination))
    if descriptor is None:
        return False
    try:
        discard_part(destination)
    finally:
        release(lock_path(destination), descriptor)
    return True


def sha256_of(path: Path, stop: threading.Event) -> str | None:
    """Return the SHA-256 of a file, None when `stop` was set meanwhile. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if stop.is_set():
                return None
            digest.update(piece)
    return digest.hexdigest()
