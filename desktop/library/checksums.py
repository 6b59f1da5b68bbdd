"""The SHA-256 of files, in library.sqlite3: computed here, or promised by a publisher. Everything here blocks."""

from collections.abc import Iterable

from desktop.database import Database
from desktop.library.walk import FileStamp


class Checksums:
    """What is known of the content of models' files, by their paths."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def computed(self, path: str, stamp: FileStamp) -> str:
        """Return the SHA-256 that was computed of the model when it looked like `stamp`; "" where nobody did."""
        sql = "SELECT sha256 FROM digests WHERE path = ? AND size = ? AND stamp = ?"
        rows = self._database.read(sql, (path, stamp.size, stamp.times))
        return str(rows[0][0]) if rows else ""

    def keep(self, path: str, stamp: FileStamp, sha256: str) -> None:
        """Remember a computed SHA-256."""
        values = (path, stamp.size, stamp.times, sha256)
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

    def forget(self, paths: Iterable[str]) -> None:
        """Forget what is known of files, of a split model each of them."""
        with self._database.transaction():
            for path in paths:
                self._database.execute("DELETE FROM digests WHERE path = ?", (path,))
                self._database.execute("DELETE FROM shards WHERE path = ?", (path,))
