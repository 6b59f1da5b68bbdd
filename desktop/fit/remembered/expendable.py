"""A database whose loss costs time and nothing else: damage moves it aside, and it begins anew. Nothing here raises.

What cannot be read is taken as not known, what cannot be written is told in the log. A file that a newer version of the
program has written is left as it is, and not used. Two processes may use it. Everything blocks: async callers use
asyncio.to_thread.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apsw

from desktop.database import Database, DatabaseUnreadable, Migration, Parameters, open_database
from desktop.errors import AppError
from desktop.files import locked, move_aside

PATIENCE = 1.0
"""Seconds to wait for another process that writes: nothing here is worth more."""
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class Lost(NamedTuple):
    """A file that was damaged, and where it was kept."""

    error: DatabaseUnreadable
    kept: Path


class ExpendableDatabase:
    """Opened on first use. Thread-safe. lost: what was begun anew since the start."""

    def __init__(self, path: Path, *, name: str, migrations: Sequence[Migration]) -> None:
        """name, migrations: as of desktop.database.open_database."""
        self._path, self._name, self._migrations = path, name, migrations
        self._database: Database | None = None
        self._given_up = False
        self.lost: tuple[Lost, ...] = ()
        self._lock = threading.RLock()

    def open(self) -> None:
        """Open it now, so that `lost` says what there is to say."""
        with self._lock:
            self._opened()

    def close(self) -> None:
        """Close it; it is opened again where it is used again."""
        with self._lock:
            database, self._database = self._database, None
        if database is not None:
            database.close()

    def read(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement; none where the file cannot be used."""
        return self._guarded(lambda database: database.read(sql, parameters), otherwise=[])

    def write(self, *statements: tuple[str, Parameters]) -> None:
        """Run statements, all or none."""

        def work(database: Database) -> None:
            with database.transaction():
                for sql, parameters in statements:
                    database.execute(sql, parameters)

        self._guarded(work, otherwise=None)

    def _guarded(self, work: Callable[[Database], _T], *, otherwise: _T) -> _T:
        """Do `work`; once more with a new database where the old one turns out to be damaged."""
        with self._lock:
            for _ in range(2):
                database = self._opened()
                if database is None:
                    return otherwise
                try:
                    return work(database)
                except DatabaseUnreadable as error:
                    database.close()
                    self._begin_anew(error)
                except (AppError, apsw.Error, OverflowError) as error:  # a table that is gone, a number too large
                    _log.warning("%s cannot be used: %s", self._path.name, error)
                    return otherwise
            return otherwise

    def _opened(self) -> Database | None:
        if self._database is None and not self._given_up:
            try:
                self._database = self._open()
            except DatabaseUnreadable as error:
                self._begin_anew(error)
            except AppError as error:
                self._give_up(error)
        return self._database

    def _open(self) -> Database:
        database = open_database(self._path, name=self._name, migrations=self._migrations, patience=PATIENCE)
        # What is lost when the power fails is asked again; the file stays whole all the same.
        database.read("PRAGMA synchronous = NORMAL")
        return database

    def _begin_anew(self, error: DatabaseUnreadable) -> None:
        """Move the file aside, unless another process has done so already."""
        self._database = None
        try:
            with locked(self._path):
                self._database = self._replaced_by_another()
                if self._database is None:
                    kept = move_aside(self._path)
                    for ending in ("-wal", "-shm"):
                        self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
                    self.lost += (Lost(error, kept),)
                    _log.warning("%s begins anew, what was there is kept as %s: %s", self._path.name, kept.name, error)
                    self._database = self._open()
        except (AppError, OSError) as problem:
            self._give_up(problem)

    def _replaced_by_another(self) -> Database | None:
        """The database where it is whole: another process has begun it anew; None where it is not."""
        try:
            database = self._open()
        except DatabaseUnreadable:
            return None
        with contextlib.suppress(DatabaseUnreadable):
            if database.read("PRAGMA quick_check(1)") == [("ok",)]:
                return database
        database.close()
        return None

    def _give_up(self, error: Exception) -> None:
        self._given_up = True
        _log.warning("%s is not used any more by this process: %s", self._path.name, error)
