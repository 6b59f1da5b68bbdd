"""The format of library.sqlite3, step by step. A released step is never changed."""

import apsw

from desktop.database import Migration


def _models_and_downloads(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE models (
            id TEXT PRIMARY KEY,
            model_id TEXT NOT NULL,
            name TEXT NOT NULL,
            quantization TEXT NOT NULL,
            path TEXT NOT NULL,
            size INTEGER NOT NULL,          -- bytes of all shards
            added REAL NOT NULL,            -- seconds since 1970
            licence TEXT NOT NULL,
            sha256 TEXT NOT NULL,           -- of the file, or of the first shard
            repo TEXT NOT NULL,
            file TEXT NOT NULL,
            revision TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE downloads (
            id TEXT PRIMARY KEY,
            position INTEGER NOT NULL,      -- order in the queue
            choice TEXT NOT NULL,           -- CatalogChoice as JSON
            state TEXT NOT NULL,
            done INTEGER NOT NULL,          -- bytes
            total INTEGER                   -- bytes, NULL until the Hub was asked
        ) STRICT, WITHOUT ROWID;
        """
    )


MIGRATIONS = (Migration(1, "models and downloads", _models_and_downloads),)
