"""The folder on the disk that all models and all processes share.

    <folder>/<32 hex of the model's key>/<16 hex at random>.kv                    an entry
                                        /<16 hex>.<pid>.<start>.writing           one that a process is writing
                                        /<16 hex>.<pid>.<start>.loading           a process is giving it to native code
            /quarantine/<16 hex>.bad                                              entries that were found damaged

No name comes from content. Whatever is called otherwise is none of ours: it is neither counted nor touched. Any file
may vanish at any moment, since other processes keep to the limit too.
"""

import contextlib
import hashlib
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

import msgspec

from desktop.runtime.cache.processes import Process, is_alive, this_process

MOST_QUARANTINED = 4

MOST_FILES = 1024
"""Of all models together: more are not worth their place, and would only make looking slow."""

_MOST_LISTED = 4 * MOST_FILES
"""Files of one folder that are looked at where it holds too many; the next write removes the surplus."""

Kind = Literal["kv", "writing", "loading", "bad"]

_MODEL = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(
    r"(?P<stem>[0-9a-f]{16})(?:\.(?P<pid>\d{1,10})\.(?P<start>\d{1,20}))?\.(?P<kind>kv|writing|loading|bad)"
)
_QUARANTINE = "quarantine"


class CacheFile(msgspec.Struct, frozen=True):
    """A file of ours. stem: the entry it belongs to; process: who made it, where it is no entry."""

    folder: Path
    name: str
    stem: str
    kind: Kind
    process: Process
    size: int
    modified: float

    @property
    def path(self) -> Path:
        """Where it is; made when it is asked for, which is not the case for most of many files."""
        return self.folder / self.name

    @property
    def abandoned(self) -> bool:
        """Whether it is the work of a process that has died."""
        return self.kind in ("writing", "loading") and not is_alive(self.process)


class CacheFolder:
    """The files of one model, and the limit over those of all."""

    def __init__(self, root: Path, model_key: str) -> None:
        self.root = root
        self.own = root / hashlib.sha256(model_key.encode()).hexdigest()[:32]
        self._quarantine = root / _QUARANTINE

    def prepare(self) -> None:
        """Make the folder where it is missing, for this user only; a link in its place is refused. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(self.own)

    def changed(self) -> int:
        """When the list of this model's files last changed, in ns; 0 where there are none."""
        try:
            return self.own.lstat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def entry(self, stem: str) -> Path:
        """Return the path of an entry."""
        return self.own / f"{stem}.kv"

    def unfinished(self, stem: str) -> Path:
        """Return the path under which this process writes an entry."""
        return self.own / _made_by(this_process(), stem, "writing")

    def mark(self, stem: str) -> None:
        """Note that this process gives an entry to native code. Raises OSError."""
        os.close(os.open(self._mark(stem), os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600))

    def unmark(self, stem: str) -> None:
        """Note that it was good."""
        remove(self._mark(stem))

    def files(self) -> list[CacheFile]:
        """Return the files of this model. Raises OSError."""
        return [] if self.own.is_symlink() else list(itertools.islice(_files_of(self.own), _MOST_LISTED))

    def quarantine(self, stem: str, reason: str) -> None:
        """Move an entry to where nobody loads it; only the newest of those are kept."""
        say(f"a waiting conversation cannot be used and was put aside ({stem}): {reason}")
        try:
            _make_private(self._quarantine)
            self.entry(stem).replace(self._quarantine / f"{stem}.bad")
            by_age = sorted(_files_of(self._quarantine), key=lambda file: file.modified)
        except FileNotFoundError:
            return
        except OSError as error:
            say(f"it could not be moved: {error.strerror}")
            return
        for file in by_age[:-MOST_QUARANTINED]:
            remove(file.path)

    def sweep(self) -> list[CacheFile]:
        """Remove what processes that died left unfinished, of any model; returns what is there. Raises OSError."""
        files = [file for folder in self._folders() for file in _files_of(folder)]
        stems = {file.stem for file in files if file.kind == "kv"}
        # The mark of a dead process stays where its entry is: it says that loading it may have been the end.
        abandoned = {
            file.name for file in files if not (file.kind == "loading" and file.stem in stems) and file.abandoned
        }
        for file in files:
            if file.name in abandoned:
                remove(file.path)
        return [file for file in files if file.name not in abandoned]

    def keep_to(self, limit: int) -> tuple[bool, list[str]]:
        """Remove what was not used for the longest time, of any model, until all has at most `limit` bytes.

        Nor are there ever more than MOST_FILES. Returns whether the limit could be kept to, and which entries of this
        model went. Raises OSError.
        """
        files = self.sweep()
        total, excess = sum(file.size for file in files), len(files) - MOST_FILES
        removed: list[str] = []
        for file in sorted(files, key=lambda file: (file.kind != "bad", file.modified)):
            if total <= limit and excess <= 0:
                break
            if file.kind in ("kv", "bad"):
                remove(file.path)
                total, excess = total - file.size, excess - 1
                if file.folder == self.own:
                    removed.append(file.stem)
        return total <= limit, removed

    def forget(self, is_meant: Callable[[CacheFile], bool]) -> tuple[list[CacheFile], int]:
        """Remove the entries, of any model, that are meant, and all that was put aside: whose it is, nobody can tell.

        Returns what went, and how many could not be removed. Raises OSError.
        """
        try:
            files = self.sweep()
        except FileNotFoundError:
            return [], 0
        meant = [file for file in files if file.kind == "bad" or (file.kind == "kv" and is_meant(file))]
        gone = [file for file in meant if remove(file.path)]
        return gone, len(meant) - len(gone)

    def _mark(self, stem: str) -> Path:
        return self.own / _made_by(this_process(), stem, "loading")

    def _folders(self) -> list[Path]:
        """Return the folders of all models, and the quarantine; links are left alone."""
        with os.scandir(self.root) as found:
            return [
                Path(folder.path)
                for folder in found
                if (folder.name == _QUARANTINE or _MODEL.fullmatch(folder.name))
                and folder.is_dir(follow_symlinks=False)
            ]


def empty_folder(root: Path) -> None:
    """Remove what is kept of any model: nothing is to be kept any more. Says so where that cannot be done."""
    try:
        CacheFolder(root, "").keep_to(0)
    except FileNotFoundError:
        return
    except OSError as error:
        say(f"what was kept on the disk could not be removed: {error.strerror}")


def remove(path: Path) -> bool:
    """Remove a file that may have gone already; says so where it cannot be removed. Returns whether it is gone."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        say(f"{path.name} could not be removed: {error.strerror}")
        return False
    return True


def say(line: str) -> None:
    """Tell the log, which is what the parent makes of this process's stderr."""
    sys.stderr.write(f"cache: {line}\n")


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        return
    if folder.is_symlink() or not folder.is_dir():
        raise NotADirectoryError(20, "there is something else in the place of a folder")
    if os.name == "posix" and folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def _made_by(process: Process, stem: str, kind: Kind) -> str:
    return f"{stem}.{process[0]}.{process[1]}.{kind}"


def _files_of(folder: Path) -> Iterator[CacheFile]:
    """The files in a folder that are ours by their name; links are left alone."""
    try:
        with os.scandir(folder) as found:
            for entry in found:
                name = _NAME.fullmatch(entry.name)
                if name is None or not entry.is_file(follow_symlinks=False):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    about = entry.stat(follow_symlinks=False)
                    process = (int(name["pid"] or 0), int(name["start"] or 0))
                    kind = cast(Kind, name["kind"])
                    yield CacheFile(folder, entry.name, name["stem"], kind, process, about.st_size, about.st_mtime)
    except FileNotFoundError:
        return
