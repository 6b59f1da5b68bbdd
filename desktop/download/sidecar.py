"""The note beside an unfinished file: what it is a part of, and which bytes of it are on the disk. All of it blocks.

The first line is JSON and says what was put on the disk (fsync) before it was written. A line "first-end" per write
follows, which costs next to nothing and holds after the program was killed, because the system has the bytes; after
the machine itself went down nobody knows whether it has, so such lines count only within the boot they name.
"""

import contextlib
import os
import re
from pathlib import Path

import msgspec
import psutil

from desktop.catalog.hub import HubFile
from desktop.download.answers import STRONG_ETAG
from desktop.download.ranges import Range, RangeSet
from desktop.files import read_bounded

_LINE = re.compile(rb"(\d{1,19})-(\d{1,19})")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAME_BOOT = 30.0
"""Seconds that two readings of when the machine was started may differ, because its clock was set meanwhile."""


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """What the part belongs to.

    etag: a strong validator of the host that sent the bytes, "" without one. ranges: what is surely on the disk.
    boot: the start of the machine in which the lines below were written.
    """

    repo: str
    file: str
    revision: str
    sha256: str
    size: int
    etag: str = ""
    ranges: tuple[Range, ...] = ()
    boot: str = ""

    def is_for(self, file: HubFile) -> bool:
        """Tell whether the bytes are a part of `file`: the same content, whatever commit it is found at."""
        return (self.sha256, self.size) == (file.sha256, file.size)


def this_boot() -> str:
    """Name the current start of this machine."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # not Linux
        return f"{psutil.boot_time():.0f}"


def is_this_boot(name: str) -> bool:
    """Tell whether `this_boot` gave `name` since the machine was started."""
    current = this_boot()
    try:
        return name == current or abs(float(name) - float(current)) < _SAME_BOOT
    except ValueError:  # Linux names them by chance
        return False


def sidecar_path(destination: Path) -> Path:
    """Return where the note about the unfinished `destination` lies."""
    return destination.with_name(destination.name + ".part.json")


def unfinished_sidecar_path(destination: Path) -> Path:
    """Return where the next note is written before it takes the place of the last one."""
    return destination.with_name(destination.name + ".part.json.new")


def read_sidecar(destination: Path) -> tuple[Sidecar, RangeSet] | None:
    """Return what the part at `destination` belongs to and what is there of it, None when nobody can tell."""
    try:
        first, *lines = read_bounded(sidecar_path(destination)).split(b"\n")
        sidecar = msgspec.json.decode(first, type=Sidecar)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if sidecar.etag and not STRONG_ETAG.fullmatch(sidecar.etag):  # would be sent, and refused each time
        return None
    found = RangeSet()
    for start, end in (*sidecar.ranges, *(_lines_of(lines) if is_this_boot(sidecar.boot) else ())):
        if 0 <= start < end <= sidecar.size:
            found.add(start, end)
    return sidecar, found


def claimed_bytes(destination: Path) -> int:
    """Return how many bytes of the unfinished `destination` are there; 0 without a note."""
    found = read_sidecar(destination)
    return found[1].total if found is not None else 0


def _lines_of(lines: list[bytes]) -> list[Range]:
    """The whole lines; the last one may have been cut off, and has no newline then."""
    matches = [_LINE.fullmatch(line) for line in lines[:-1]]
    return [(int(match[1]), int(match[2])) for match in matches if match is not None]


class SidecarFile:
    """The note that is being kept. One thread at a time."""

    def __init__(self, destination: Path) -> None:
        self._path = sidecar_path(destination)
        self._new = unfinished_sidecar_path(destination)
        self._descriptor: int | None = None

    def prepare(self, sidecar: Sidecar) -> None:
        """Put the next note on the disk, beside the one that holds; raises OSError."""
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        try:
            _write_all(descriptor, msgspec.json.encode(sidecar) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, since: tuple[Range, ...]) -> None:
        """Let the note that was prepared hold, with lines for what came `since`. Raises OSError."""
        descriptor = _append_to(self._new)
        try:
            _write_all(descriptor, b"".join(b"%d-%d\n" % each for each in since))
        finally:
            os.close(descriptor)
        self.close()  # Windows replaces no file that is open
        self._new.replace(self._path)
        self._descriptor = _append_to(self._path)

    def add(self, start: int, end: int) -> None:
        """Note bytes that were handed to the system. Raises OSError."""
        if self._descriptor is None:
            raise ValueError("there is no note yet")
        _write_all(self._descriptor, b"%d-%d\n" % (start, end))

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def discard(self) -> None:
        """Remove what there is."""
        self.close()
        for path in (self._path, self._new):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _append_to(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
