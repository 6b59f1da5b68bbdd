"""The format of the chat database, step by step. Steps are only ever added; a released one is never changed."""

import apsw

from desktop.database import Migration


def m001_conversations(connection: apsw.Connection) -> None:
    """Conversations, and their messages as a tree: `leaf` is the end of the branch that is shown."""
    connection.execute("""
        CREATE TABLE conversation (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            system_prompt TEXT NOT NULL,
            model TEXT NOT NULL,
            draft TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            updated REAL NOT NULL,
            trashed REAL,
            leaf TEXT REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED
        ) STRICT;
        CREATE INDEX conversation_by_time ON conversation (updated);
        CREATE TABLE message (
            id TEXT PRIMARY KEY,
            conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
            parent TEXT REFERENCES message (id),
            version INTEGER NOT NULL,
            role TEXT NOT NULL,
            text TEXT NOT NULL,
            reasoning TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL,
            model TEXT NOT NULL DEFAULT '',
            created REAL NOT NULL,
            finish_reason TEXT,
            stats TEXT,
            failure TEXT,
            owner TEXT
        ) STRICT;
        CREATE INDEX message_by_conversation ON message (conversation, parent);
        CREATE INDEX message_by_parent ON message (parent);
        CREATE INDEX message_streaming ON message (owner) WHERE state = 'streaming';
    """)


MIGRATIONS = (Migration(1, "conversations", m001_conversations),)
