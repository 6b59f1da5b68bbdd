"""Finding GGUF files below a folder, within bounds, so that no folder a person adds can keep the scan for ever."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from desktop.gguf.shards import all_shards, parse_shard_name
from desktop.library.work import Work

SUFFIX = ".gguf"

_MOUNT_POINT = 0xA0000003  # stat.IO_REPARSE_TAG_MOUNT_POINT, which Python knows on Windows alone
_KERNEL_FOLDERS = ("/proc", "/sys", "/dev") if os.name == "posix" else ()


class Bounds(NamedTuple):
    """How far a scan goes in one folder. depth: folders below it; entries: names looked at; seconds: of time."""

    depth: int = 8
    entries: int = 200_000
    seconds: float = 60.0


class FileStamp(NamedTuple):
    """How a model's files were when somebody looked.

    size: bytes of all shards. times: when each of them was changed last, in one number.
    """

    size: int
    times: int


class Walk:
    """The names below some folders. Links are followed, but no folder is entered twice.

    complete: whether the folder walked last was seen to its end, which bounds can keep from it.
    unreadable: folders that could not be looked into, and why. refused: links that lead to all of a disk, or to what
    holds the folder itself: nobody who put one there means everything beside. Both grow until somebody empties them.
    """

    def __init__(self, bounds: Bounds | None = None, *, work: Work | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.complete = True
        self.unreadable: list[tuple[Path, OSError]] = []
        self.refused: list[Path] = []
        self.work = work or Work()
        self._left = 0
        self._deadline = 0.0
        self._entered: set[tuple[int, int]] = set()
        self._root = ""

    def files(self, root: Path, *, suffix: str = SUFFIX, hidden: bool = False) -> Iterator[Path]:
        """Yield the files below `root` whose names end in `suffix`, of a split model only the first shard.

        hidden: whether names that begin with a dot count, too. Raises Stopped, and OSError when `root` itself
        cannot be read.
        """
        self.complete = True
        self._root = os.path.realpath(root)
        self._left = self.bounds.entries
        self._deadline = time.monotonic() + self.bounds.seconds
        self._entered = _kernel_folders()
        yield from self._below(str(root), 0, suffix, hidden)

    def files_of_part(self, folder: Path, *, suffix: str = SUFFIX) -> Iterator[Path]:
        """Yield what `files` does of one folder among several, which is as unreadable as one further below.

        complete: of this folder and of those before it. Raises Stopped.
        """
        before = self.complete
        try:
            yield from self.files(folder, suffix=suffix)
        except FileNotFoundError:  # gone meanwhile
            pass
        except OSError as error:
            self.unreadable.append((folder, error))
        self.complete = before and self.complete

    def folders(self, folder: Path) -> Iterator[Path]:
        """Yield the folders in `folder`, the newest first; none where that is gone or none, or is now `unreadable`."""
        found: list[tuple[int, str]] = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                        if _is_folder(entry):
                            found.append((-entry.stat().st_mtime_ns, entry.path))
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.unreadable.append((folder, error))
        yield from (Path(path) for _, path in sorted(found))

    def _below(self, folder: str, depth: int, suffix: str, hidden: bool) -> Iterator[Path]:
        if not self._enter(folder):
            return
        folders: list[str] = []
        for entry in self._entries(folder, hidden):
            if _is_folder(entry):
                folders.append(entry.path)
            elif entry.name.lower().endswith(suffix) and _is_first(entry):
                yield Path(entry.path)
        if depth == self.bounds.depth:
            self.complete = self.complete and not folders
            return
        for path in filter(self._may_be_entered, sorted(folders)):
            try:
                yield from self._below(path, depth + 1, suffix, hidden)
            except FileNotFoundError:  # gone meanwhile
                continue
            except OSError as error:
                self.unreadable.append((Path(path), error))

    def _entries(self, folder: str, hidden: bool) -> Iterator["os.DirEntry[str]"]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not self._goes_on():
                    return
                if not entry.name.startswith(("$",) if hidden else ("$", ".")):  # $RECYCLE.BIN
                    yield entry

    def _may_be_entered(self, folder: str) -> bool:
        if not _is_link(folder):
            return True
        target = os.path.realpath(folder)
        holds_root = target != self._root and Path(self._root).is_relative_to(target)
        if holds_root or os.path.ismount(target):
            self.refused.append(Path(folder))
            return False
        return True

    def _enter(self, folder: str) -> bool:
        key = identity_of(folder)
        if key in self._entered:
            return False
        self._entered.add(key)
        return True

    def _goes_on(self) -> bool:
        self.work.check()
        self._left -= 1
        if self._left < 0 or time.monotonic() > self._deadline:
            self.complete = False
            return False
        return True


def stamp_of(first: Path) -> FileStamp:
    """Look at all shards of a model. Raises FileNotFoundError, IsADirectoryError and other OSErrors, as for a pipe."""
    size = times = 0
    for shard in all_shards(first):
        status = os.stat(shard)  # noqa: PTH116 - five hundred of them in a list
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(f"{shard} is no file")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
        size += status.st_size
        # Of one file its time; of several each counts, and their order.
        times = (times * 31 + status.st_mtime_ns) % 2**62
    return FileStamp(size, times)


def identity_of(path: Path | str) -> tuple[int, int]:
    """Return what tells a file or folder from every other, however its path is spelled. Raises OSError."""
    status = os.stat(path)  # noqa: PTH116 - of many files
    return status.st_dev, status.st_ino


def same_one(path: Path, others: Iterable[Path]) -> Path | None:
    """Return the path among `others` that is `path`: as it is spelled, else by what lies there; None for none."""
    others = tuple(others)
    if path in others:
        return path
    try:
        wanted = identity_of(path)
    except (OSError, ValueError):  # nothing is there, or nothing that one may look at; a NUL
        return None
    for other in others:
        with contextlib.suppress(OSError):
            if identity_of(other) == wanted:
                return other
    return None


def absent_file(first: Path) -> Path | None:
    """Return the first file of a model that is not there; None where all are, whatever they are."""
    return next((shard for shard in all_shards(first) if not os.path.exists(shard)), None)  # noqa: PTH110 - as above


def is_junction(status: os.stat_result) -> bool:
    """Whether what `lstat` looked at is one of Windows' junctions, which `islink` does not know, or a disk in a folder.

    Other reparse points, such as what OneDrive fetches when it is opened, are what they seem to be.
    """
    attributes, tag = getattr(status, "st_file_attributes", 0), getattr(status, "st_reparse_tag", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT) and tag == _MOUNT_POINT


def _is_link(folder: str) -> bool:
    try:
        status = os.lstat(folder)
    except OSError:  # gone meanwhile, which whoever enters it is told
        return False
    return stat.S_ISLNK(status.st_mode) or (is_junction(status) and not os.path.ismount(folder))


def _kernel_folders() -> set[tuple[int, int]]:
    """Where a kernel shows processes and devices: below a process lies the whole disk again, while it runs."""
    places = [os.stat(path) for path in _KERNEL_FOLDERS if os.path.isdir(path)]  # noqa: PTH112, PTH116
    return {(place.st_dev, place.st_ino) for place in places}


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link into nowhere that may not be read
        return False


def _is_first(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file of its own, or the first of several; a later one counts only with its first."""
    shard = parse_shard_name(entry.name)
    if shard is not None and shard.index != 1:
        return False
    try:
        return entry.is_file()
    except OSError:
        return False
