"""The rows of what was downloaded or imported, in library.sqlite3. Everything here blocks.

A file is looked at before the database is locked to write, never meanwhile: its disk may be slow, and others wait.
"""

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from desktop.database import Database
from desktop.errors import FileUnreadable
from desktop.files import explained_read
from desktop.library.condition import model_of
from desktop.library.facts import FileFacts, read_facts
from desktop.library.types import InstalledModel
from desktop.library.walk import stamp_of

_OF_THE_FILE = ("size", "stamp", "architecture", "context", "problem")
_OF_ITS_CONTENT = ("sha256", "repo", "file", "revision")
_COLUMNS = (
    "id", "model_id", "name", "quantization", "path", "added", "licence", "sha256", "repo", "file", "revision",
    "source", *_OF_THE_FILE,
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM models ORDER BY added, id"  # noqa: S608 - constants
_log = logging.getLogger(__name__)


class AddedModels:
    """What was downloaded or imported."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[InstalledModel, ...]:
        """Return all of them as their files are now, oldest first."""
        return tuple(model_of(row) for row in self._rows())

    def save(self, model: InstalledModel) -> InstalledModel:
        """Write an entry as its file is now, and return it; one of the same id goes. Raises FileUnreadable.

        What else that file is called, as one of the catalog by its name on the Hub, is it as it is now, too.
        """
        row = _row_of(model)
        with self._database.transaction():
            for other in self._rows():
                if other["id"] != other["path"] and other["id"].lower() == model.id.lower():
                    self._database.execute("DELETE FROM models WHERE id = ?", (other["id"],))
                elif other["path"] == model.path:
                    self._update(other["id"], row, (*_OF_THE_FILE, *(_OF_ITS_CONTENT if model.sha256 else ())))
            self._write(row)
        return model_of(row)

    def add(self, model: InstalledModel, *, taken: AbstractSet[str]) -> InstalledModel:
        """Write a new entry; one whose id somebody else has is called by its path. Raises FileUnreadable.

        taken: ids that are in no row, in lower case.
        """
        row = _row_of(model)
        with self._database.transaction():  # another process may want the same name
            if model.id.lower() in taken | self._ids_of_others(model.path):
                row["id"] = model.path
            self._write(row)
        return model_of(row)

    def look_again(self) -> None:
        """Bring entries up to date that nothing says must stay as they were.

        Those of an older version have no stamp; a file of the person's own may be written anew.
        """
        for row in self._rows():
            model = model_of(row)
            of_the_persons = model.source == "folder" and not model.sha256
            renewed = of_the_persons and model.condition in ("changed", "truncated")
            if renewed or (row["stamp"] == 0 and model.is_ready):
                self._renew(model)

    def forget(self, model: InstalledModel) -> None:
        """Remove an entry."""
        self._database.execute("DELETE FROM models WHERE id = ? AND path = ?", (model.id, model.path))

    def _rows(self) -> list[dict[str, Any]]:
        return [dict(zip(_COLUMNS, row, strict=True)) for row in self._database.read(_SELECT)]

    def _write(self, row: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(row))
        sql = f"INSERT OR REPLACE INTO models ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - constants
        self._database.execute(sql, tuple(row.values()))

    def _ids_of_others(self, path: str) -> set[str]:
        """What other files than `path` are called, also those that scans found, in lower case."""
        rows = self._database.read(
            "SELECT id FROM models WHERE path != ?1 UNION SELECT id FROM found WHERE path != ?1 AND kind = 'model' "
            "AND path NOT IN (SELECT path FROM hidden)",
            (path,),
        )
        return {key.lower() for (key,) in rows}

    def _renew(self, model: InstalledModel) -> None:
        try:
            row = _row_of(model)
        except FileUnreadable as error:  # it stays as it was
            _log.info("not looked at again: %s", error)
            return
        # An update: an entry that was removed meanwhile does not come back.
        self._update(model.id, row, _OF_THE_FILE)

    def _update(self, key: str, row: dict[str, Any], names: Sequence[str]) -> None:
        """Take these columns from `row` for the entry that is called `key` and has the same path."""
        changes = ", ".join(f"{name} = ?" for name in names)
        sql = f"UPDATE models SET {changes} WHERE id = ? AND path = ?"  # noqa: S608 - constants
        self._database.execute(sql, (*(row[name] for name in names), key, row["path"]))


def _row_of(model: InstalledModel) -> dict[str, Any]:
    """The columns of an entry, with what its file is now. Raises FileUnreadable."""
    path = Path(model.path)
    with explained_read(path):
        now = stamp_of(path)
    facts = read_facts(path) or FileFacts(problem="damaged")
    return {name: getattr(model, name, None) for name in _COLUMNS} | {
        "size": now.size,
        "stamp": now.times,
        "architecture": facts.architecture or model.architecture,
        "context": facts.context or model.context,
        "problem": facts.problem,
    }
