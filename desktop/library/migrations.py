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
            choice TEXT NOT NULL,           -- WantedModel as JSON
            state TEXT NOT NULL,
            done INTEGER NOT NULL,          -- bytes
            total INTEGER                   -- bytes, NULL until the Hub was asked
        ) STRICT, WITHOUT ROWID;
        """
    )


def _what_is_found(connection: apsw.Connection) -> None:
    connection.execute(
        """
        ALTER TABLE models ADD COLUMN stamp INTEGER NOT NULL DEFAULT 0;  -- of all shards' times; 0: not known
        ALTER TABLE models ADD COLUMN source TEXT NOT NULL DEFAULT 'snug';
        ALTER TABLE models ADD COLUMN architecture TEXT NOT NULL DEFAULT '';
        ALTER TABLE models ADD COLUMN context INTEGER NOT NULL DEFAULT 0;  -- tokens; 0: not known
        CREATE TABLE folders (
            path TEXT PRIMARY KEY,
            added REAL NOT NULL             -- seconds since 1970
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE found (
            path TEXT PRIMARY KEY,          -- of a split model the first shard
            id TEXT NOT NULL UNIQUE,
            source TEXT NOT NULL,
            root TEXT NOT NULL,             -- the folder that was scanned
            kind TEXT NOT NULL,             -- model, projector or other
            size INTEGER NOT NULL,          -- bytes of all shards
            stamp INTEGER NOT NULL,
            model_id TEXT NOT NULL,
            name TEXT NOT NULL,
            quantization TEXT NOT NULL,
            architecture TEXT NOT NULL,
            context INTEGER NOT NULL,
            licence TEXT NOT NULL,
            problem TEXT NOT NULL,          -- truncated, damaged or empty
            sha256 TEXT NOT NULL,           -- what the store says of the file
            repo TEXT NOT NULL,
            file TEXT NOT NULL,
            revision TEXT NOT NULL,
            added REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
    )
    _hidden_and_digests(connection)


def _hidden_and_digests(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE hidden (
            path TEXT PRIMARY KEY           -- a file of somebody else that the person does not want to see
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE digests (
            path TEXT PRIMARY KEY,
            size INTEGER NOT NULL,
            stamp INTEGER NOT NULL,
            sha256 TEXT NOT NULL            -- computed here, of all shards one after the other
        ) STRICT, WITHOUT ROWID;
        """
    )


def _problems_of_models(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE models ADD COLUMN problem TEXT NOT NULL DEFAULT ''")  # as in `found`


def _what_a_download_has_brought(connection: apsw.Connection) -> None:
    # JSON list of paths in the repository: files that came by this download and have their name already
    connection.execute("ALTER TABLE downloads ADD COLUMN brought TEXT NOT NULL DEFAULT '[]'")


def _content_of_shards(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE shards (
            path TEXT PRIMARY KEY,          -- a file of a split model after its first
            sha256 TEXT NOT NULL            -- what the Hub says of it
        ) STRICT, WITHOUT ROWID;
        """
    )


def _downloads_without_bytes(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE downloads DROP COLUMN done")  # the files tell it, and nobody read it here


MIGRATIONS = (
    Migration(1, "models and downloads", _models_and_downloads),
    Migration(2, "what is found in folders and other programs", _what_is_found),
    Migration(3, "what is wrong with a model", _problems_of_models),
    Migration(4, "what a download has brought", _what_a_download_has_brought),
    Migration(5, "what the shards of a split model should be", _content_of_shards),
    Migration(6, "downloads do not say how much came", _downloads_without_bytes),
)
