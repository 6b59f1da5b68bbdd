"""The rows of what scans have found, in library.sqlite3. Everything here blocks."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from desktop.database import Database
from desktop.library.condition import model_of
from desktop.library.facts import FileKind, FileProblem
from desktop.library.types import InstalledModel, Source
from desktop.library.walk import FileStamp


class FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a scan found, and what it and its place say of it. The fields are the columns.

    id: how a person names it; nobody else has it. root: the folder that was scanned. size: bytes of all shards.
    sha256: what its store says of the content. added: when it was found first, seconds since 1970.
    """

    path: str
    id: str
    source: Source
    root: str
    kind: FileKind
    size: int
    stamp: int
    model_id: str
    name: str
    quantization: str
    architecture: str
    context: int
    licence: str
    problem: FileProblem
    sha256: str = ""
    repo: str = ""
    file: str = ""
    revision: str = ""
    added: float = 0.0


_COLUMNS = ", ".join(FoundFile.__struct_fields__)
_MARKS = ", ".join("?" * len(FoundFile.__struct_fields__))


class FoundFiles:
    """What is found, which folders are looked at, what is hidden; checksums, computed here or promised of shards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[str, FoundFile]:
        """Return everything that was found, by its path."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM found")  # noqa: S608 - a constant
        return {row[0]: _found(row) for row in rows}

    def models(self) -> tuple[InstalledModel, ...]:
        """Return the models among it that are not hidden, as their files are now, oldest first."""
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM found WHERE kind = 'model' "  # noqa: S608 - constants
            "AND path NOT IN (SELECT path FROM hidden) ORDER BY added, id"
        )
        return tuple(model_of(dict(zip(FoundFile.__struct_fields__, row, strict=True))) for row in rows)

    def judge(self, path: str, stamp: FileStamp, problem: FileProblem) -> None:
        """Note what somebody found who has read the whole file when it looked like `stamp`."""
        values = (stamp.size, stamp.stamp, problem, path)
        self._database.execute("UPDATE found SET size = ?, stamp = ?, problem = ? WHERE path = ?", values)

    def save(self, files: Iterable[FoundFile]) -> None:
        """Add or replace files, all or none. One whose id somebody else has is called by its path.

        Those of a folder that the person has removed meanwhile are not added.
        """
        sql = f"INSERT OR REPLACE INTO found ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - constants
        with self._database.transaction():
            folders = {str(folder) for folder in self.folders()}
            for file in files:
                if file.source == "folder" and file.root not in folders:
                    continue
                owner = self._database.read("SELECT path FROM found WHERE id = ?", (file.id,))
                free = not owner or owner[0][0] == file.path
                named = file if free else msgspec.structs.replace(file, id=file.path)
                added = named.added or time.time()
                self._database.execute(sql, msgspec.structs.astuple(msgspec.structs.replace(named, added=added)))

    def forget(self, paths: Iterable[str]) -> None:
        """Remove rows."""
        with self._database.transaction():
            for path in paths:
                self._database.execute("DELETE FROM found WHERE path = ?", (path,))
                self._database.execute("DELETE FROM digests WHERE path = ?", (path,))

    def folders(self) -> tuple[Path, ...]:
        """Return the folders that the person added, oldest first."""
        return tuple(Path(path) for (path,) in self._database.read("SELECT path FROM folders ORDER BY added, path"))

    def add_folder(self, folder: Path) -> None:
        """Look there, too, from now on."""
        self._database.execute("INSERT OR IGNORE INTO folders VALUES (?, ?)", (str(folder), time.time()))

    def remove_folder(self, folder: Path) -> None:
        """Look there no more, and forget what was found there."""
        with self._database.transaction():
            self._database.execute("DELETE FROM folders WHERE path = ?", (str(folder),))
            self._database.execute("DELETE FROM found WHERE root = ? AND source = 'folder'", (str(folder),))

    def hide(self, path: str) -> None:
        """Show a file of somebody else no more."""
        self._database.execute("INSERT OR IGNORE INTO hidden VALUES (?)", (path,))

    def show(self, path: str) -> None:
        """Undo `hide`."""
        self._database.execute("DELETE FROM hidden WHERE path = ?", (path,))

    def digest(self, path: str, stamp: FileStamp) -> str:
        """Return the SHA-256 that was computed of the model when it looked like `stamp`; "" where nobody did."""
        sql = "SELECT sha256 FROM digests WHERE path = ? AND size = ? AND stamp = ?"
        rows = self._database.read(sql, (path, stamp.size, stamp.stamp))
        return str(rows[0][0]) if rows else ""

    def keep_digest(self, path: str, stamp: FileStamp, sha256: str) -> None:
        """Remember a computed SHA-256."""
        values = (path, stamp.size, stamp.stamp, sha256)
        self._database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", values)

    def promise(self, shards: dict[str, str]) -> None:
        """Remember the SHA-256 that a publisher names of files of a split model after its first, by their paths."""
        with self._database.transaction():
            for path, sha256 in shards.items():
                self._database.execute("INSERT OR REPLACE INTO shards VALUES (?, ?)", (path, sha256))

    def promised(self, path: str) -> str:
        """Return what `promise` was told of a shard, "" for nothing."""
        rows = self._database.read("SELECT sha256 FROM shards WHERE path = ?", (path,))
        return str(rows[0][0]) if rows else ""

    def forget_promises(self, paths: Iterable[str]) -> None:
        """Undo `promise`."""
        for path in paths:
            self._database.execute("DELETE FROM shards WHERE path = ?", (path,))


def _found(row: tuple[Any, ...]) -> FoundFile:
    return FoundFile(**dict(zip(FoundFile.__struct_fields__, row, strict=True)))
