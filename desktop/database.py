"""The one place that opens SQLite: pragmas, version check, backups and numbered migrations.

SQLite comes with apsw: versions before 3.51.3 have the WAL-reset fault, which corrupts a database that two connections
use. Everything here blocks: async callers use asyncio.to_thread.
"""

import contextlib
import logging
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, FileUnreadable
from desktop.files import FileNotSaved, explained_write

OLDEST_SQLITE = (3, 51, 3)
BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that writes."""
BACKUPS_KEPT = 3
_BETWEEN_TRIES = 0.01  # seconds
_LEAST_FREE = 64 * 1024  # bytes: two pages of shared memory, a page of the file and its log

Value = str | int | float | bytes | None
Parameters = Sequence[Value]

_log = logging.getLogger(__name__)


class DatabaseUnreadable(AppError):
    """The file is damaged, or no database of ours. It is left as it is."""

    message = QT_TRANSLATE_NOOP("core", "{path} is damaged or is not a database of Snug: {reason}")
    hint = QT_TRANSLATE_NOOP(
        "core", 'The file was left as it is. Move it away to start afresh, or put back a copy from "{backups}".'
    )


class DatabaseFromTheFuture(AppError):
    """A newer version of the program has written the file. It is left as it is."""

    message = QT_TRANSLATE_NOOP(
        "core", "{path} was written by a newer version of Snug (format {found}, known: {known})."
    )
    hint = QT_TRANSLATE_NOOP("core", "Install the newest version of Snug. Nothing in the file was changed.")


class DatabaseBusy(AppError):
    """Another process holds the database."""

    message = QT_TRANSLATE_NOOP("core", "Another program has been writing to {path} for more than {seconds} seconds.")
    hint = QT_TRANSLATE_NOOP("core", "Close other copies of Snug, then try again. Nothing was lost.")


class SqliteTooOld(AppError):
    """The SQLite in use has a fault that corrupts databases."""

    message = QT_TRANSLATE_NOOP("core", "SQLite {found} can damage databases; {wanted} or newer is needed.")
    hint = QT_TRANSLATE_NOOP("core", "Install Snug again with its own dependencies (apsw-sqlite3mc).")


class Migration(NamedTuple):
    """One step of a database's format. Numbers begin at 1 without a gap; a released step is never changed."""

    number: int
    name: str
    apply: Callable[[apsw.Connection], None]


def clean_text(text: str) -> str:
    """Return text that UTF-8 can hold: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Database:
    """An open database. Thread-safe: one thread at a time is inside.

    Every method raises DiskFull, DatabaseBusy, DatabaseUnreadable, FileNotSaved or FileUnreadable where SQLite refuses.
    """

    def __init__(self, path: Path, connection: apsw.Connection, *, patience: float) -> None:
        """Use `open_database`."""
        self.path = path
        self.patience = patience
        self.connection = connection
        self._lock = threading.RLock()
        self._depth = 0

    def read(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""
        with self._lock, explained_sqlite(self.path, self.patience):
            return list(self.connection.execute(sql, _cleaned(parameters)))

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement, committed on return unless inside `transaction`; returns the number of changed rows."""
        with self.transaction():
            self.connection.execute(sql, _cleaned(parameters))
            return self.connection.changes()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed at the end, or nothing is. One inside another joins it."""
        with self._lock, explained_sqlite(self.path, self.patience):
            if self._depth == 0:
                self.connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                if self._depth == 1:
                    self.connection.execute("COMMIT")
            except BaseException:
                # A full disk has SQLite roll back by itself.
                if self._depth == 1 and self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Write everything into the one file and close it; closing twice is harmless."""
        with self._lock:
            try:
                with explained_sqlite(self.path, self.patience):
                    self.connection.set_busy_timeout(0)  # another process that writes will do it
                    self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except apsw.ConnectionClosedError:
                return
            except AppError as error:
                # What was committed is safe in the -wal file, which the next start reads.
                _log.warning("no checkpoint of %s: %s", self.path, error)
            self.connection.close()


def open_database(
    path: Path, *, name: str, migrations: Sequence[Migration], patience: float = BUSY_TIMEOUT
) -> Database:
    """Open or create the database `name` at `path`, and bring it to the newest format.

    patience: seconds to wait for another process that writes, now and later. Before a migration a copy goes to
    `backups/` beside it. On a disk that is full or read-only it can be read all the same, where that is possible.
    Raises DatabaseFromTheFuture and DatabaseUnreadable (the file is untouched), DiskFull,
    DatabaseBusy, FileNotSaved, FileUnreadable and SqliteTooOld.
    """
    _require_current_sqlite()
    if [migration.number for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError(f"the migrations of {name} are not numbered 1, 2, 3 ...")
    with explained_write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
    try:
        return _opened(path, name, migrations, patience)
    except DiskFull:
        return _opened(path, name, migrations, patience, alone=True)
    except (FileUnreadable, FileNotSaved):
        database = _opened_to_read(path, name, migrations, patience)
        if database is None:
            raise
        return database


def _opened(
    path: Path, name: str, migrations: Sequence[Migration], patience: float, *, alone: bool = False
) -> Database:
    """alone: without the shared memory beside the file, for which a full disk has no room.

    What is known can be read then, and something can be removed; other processes are kept out until it is closed.
    """
    with explained_sqlite(path, patience):
        database = Database(path, apsw.Connection(str(path)), patience=patience)
        try:
            if alone:
                database.connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            _prepare(database, name, migrations)
        except BaseException:
            database.connection.close()
            raise
    return database


def _opened_to_read(path: Path, name: str, migrations: Sequence[Migration], patience: float) -> Database | None:
    """The database on a disk that is read-only; None where that is not why it cannot be opened, or would not help.

    SQLite is told that nobody changes the file, and looks for no log beside it: so there must be none.
    """
    if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
        return None
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with explained_sqlite(path, patience):
        database = Database(path, apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags), patience=patience)
        try:
            is_newest = _known_version(database, name, len(migrations)) == len(migrations)
        except BaseException:
            database.connection.close()
            raise
    if is_newest:
        return database
    database.connection.close()
    return None


def _prepare(database: Database, name: str, migrations: Sequence[Migration]) -> None:
    connection = database.connection
    connection.set_busy_timeout(round(database.patience * 1000))
    # Until it is known to be ours nothing may change the file, not even closing it, which merges the -wal file.
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(_has_unmerged_changes(database.path)))
    version = _known_version(database, name, len(migrations))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
    _use_wal(connection, database.patience)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    if version < len(migrations):
        if version > 0:
            _back_up(database, version)
        _migrate(database, name, migrations)


def _use_wal(connection: apsw.Connection, patience: float) -> None:
    """Switch to the write-ahead log, which stays so in the file.

    Two that open a new file at once refuse each other without the busy timeout, as SQLite sees a deadlock: both hold a
    read lock and want to write.
    """
    give_up = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except apsw.BusyError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_BETWEEN_TRIES)
        else:
            return


def _has_unmerged_changes(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _migrate(database: Database, name: str, migrations: Sequence[Migration]) -> None:
    with database.transaction():  # one for all steps
        # Another process may have been faster since the version was read.
        version = _known_version(database, name, len(migrations))
        for migration in migrations[version:]:
            migration.apply(database.connection)
        database.connection.execute(f"PRAGMA application_id = {application_id(name)}")
        database.connection.execute(f"PRAGMA user_version = {len(migrations)}")


def application_id(name: str) -> int:
    """Return the number in the file's header that says which of our databases it is."""
    return zlib.crc32(f"snug:{name}".encode()) & 0x7FFF_FFFF


def _known_version(database: Database, name: str, newest: int) -> int:
    """The format of the file; 0 where it is new. Raises DatabaseFromTheFuture and DatabaseUnreadable."""
    connection, path = database.connection, database.path
    with _one_moment(connection):  # another process may be making its tables just now
        version = int(connection.pragma("user_version"))
        owner = int(connection.pragma("application_id"))
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if owner != application_id(name) and (owner or version or tables):
        raise _unreadable(path, "it belongs to another program")
    if version > newest:
        raise DatabaseFromTheFuture(path=str(path), found=version, known=newest)
    return version


@contextlib.contextmanager
def _one_moment(connection: apsw.Connection) -> Iterator[None]:
    """What is read inside is of one state of the file. Inside a transaction it is so anyway."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if not connection.get_autocommit():  # a full disk has SQLite roll back by itself
            connection.execute("COMMIT")


def _back_up(database: Database, version: int) -> None:
    """Copy the database into `backups/` as `<name>-v<version>-<UTC stamp>.sqlite3`; only the newest few are kept."""
    path = database.path
    damage = database.connection.execute("PRAGMA quick_check(1)").get
    if damage != "ok":
        raise _unreadable(path, str(damage))
    folder = path.parent / "backups"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = folder / f"{path.stem}-v{version}-{stamp}{path.suffix}"
    unfinished = target.with_suffix(".part")
    with explained_write(target):
        folder.mkdir(exist_ok=True)
        try:
            _copy(database.connection, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
        older = sorted(folder.glob(f"{path.stem}-v*{path.suffix}"), key=lambda file: file.stat().st_mtime_ns)
        for file in older[:-BACKUPS_KEPT]:
            file.unlink()


def _copy(source: apsw.Connection, target: Path) -> None:
    copy = apsw.Connection(str(target))
    try:
        with copy.backup("main", source, "main") as backup:
            backup.step()
    finally:
        copy.close()


def _cleaned(parameters: Parameters) -> tuple[Value, ...]:
    return tuple(clean_text(value) if isinstance(value, str) else value for value in parameters)


def _require_current_sqlite() -> None:
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")[:3]) < OLDEST_SQLITE:
        raise SqliteTooOld(found=found, wanted=".".join(map(str, OLDEST_SQLITE)))


def _unreadable(path: Path, reason: str, detail: object = None) -> DatabaseUnreadable:
    return DatabaseUnreadable(path=str(path), reason=reason, backups=str(path.parent / "backups"), detail=detail)


@contextlib.contextmanager
def explained_sqlite(path: Path, patience: float = BUSY_TIMEOUT) -> Iterator[None]:
    """Turn what SQLite refuses about the database at `path` into an AppError."""
    try:
        yield
    except apsw.FullError as error:
        raise DiskFull(path=str(path.parent), detail=error) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise DatabaseBusy(path=str(path), seconds=f"{patience:g}", detail=error) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise _unreadable(path, str(error), error) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError) as error:
        raise FileNotSaved(path=str(path), reason=str(error), detail=error) from error
    except (apsw.CantOpenError, apsw.IOError) as error:
        # SQLite calls it an I/O error when the shared memory beside the file finds no room.
        if _free_bytes(path.parent) < _LEAST_FREE:
            raise DiskFull(path=str(path.parent), detail=error) from error
        raise FileUnreadable(path=str(path), reason=str(error), detail=error) from error
    except apsw.ConnectionClosedError:  # a mistake of ours
        raise
    except apsw.Error as error:  # a table, a column or a trigger that is not what our migrations made
        raise _unreadable(path, str(error), error) from error


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        _log.info("the free space of %s is unknown: %s", folder, error)
        return _LEAST_FREE
