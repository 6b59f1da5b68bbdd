"""The rows of what scans have found, in library.sqlite3. Everything here blocks."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from desktop.database import Database
from desktop.library.checksums import Checksums
from desktop.library.condition import model_of
from desktop.library.facts import FileKind, FileProblem
from desktop.library.types import InstalledModel, Source


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
    """What is found, which folders are looked at, and what is hidden. checksums: forgets with it what is gone."""

    def __init__(self, database: Database, checksums: Checksums) -> None:
        self._database = database
        self._checksums = checksums

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

    def save(self, files: Iterable[FoundFile]) -> None:
        """Add or replace files, all or none. One whose id somebody else has, in whatever case, is called by its path.

        Those of a folder that the person has removed meanwhile are not added.
        """
        sql = f"INSERT OR REPLACE INTO found ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - constants
        with self._database.transaction():
            folders = {str(folder) for folder in self.folders()}
            owners = {key.lower(): path for key, path in self._database.read("SELECT id, path FROM found")}
            for file in files:
                if file.source == "folder" and file.root not in folders:
                    continue
                free = owners.get(file.id.lower(), file.path) == file.path
                named = file if free else msgspec.structs.replace(file, id=file.path)
                owners[named.id.lower()] = file.path
                added = named.added or time.time()
                self._database.execute(sql, msgspec.structs.astuple(msgspec.structs.replace(named, added=added)))

    def forget(self, paths: Iterable[str]) -> None:
        """Remove rows, and what is known of the content of their files."""
        paths = tuple(paths)
        with self._database.transaction():
            for path in paths:
                self._database.execute("DELETE FROM found WHERE path = ?", (path,))
            self._checksums.forget(paths)

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


def _found(row: tuple[Any, ...]) -> FoundFile:
    return FoundFile(**dict(zip(FoundFile.__struct_fields__, row, strict=True)))
