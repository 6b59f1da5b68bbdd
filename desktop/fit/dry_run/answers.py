"""What the engine answered in dry runs, kept on the disk, so that what is known needs no child to be started.

An answer is found by what the question's file says, by the whole question, and by the build of the engine
(engine/build.py): another build is another engine.
"""

import hashlib
import logging
import time
from pathlib import Path

import apsw
import msgspec

from desktop import __version__
from desktop.database import Migration
from desktop.engine.build import engine_build
from desktop.engine.protocol import FitAnswer
from desktop.fit.remembered.expendable import ExpendableDatabase

MOST_ANSWERS = 20_000
"""About 1 KB each; the oldest go first."""
FORMAT = 1
"""Raised when the dry run measures something otherwise, so that what was answered before is asked again."""
_log = logging.getLogger(__name__)


def _answers(connection: apsw.Connection) -> None:
    connection.execute(
        """
        CREATE TABLE answers (
            id INTEGER PRIMARY KEY,         -- rises with time
            question TEXT NOT NULL UNIQUE,  -- hash of header, question, engine and program
            answer BLOB NOT NULL,           -- FitAnswer as JSON
            at REAL NOT NULL                -- seconds since 1970
        ) STRICT;
        """
    )


MIGRATIONS = (Migration(1, "answers", _answers),)


class Answers:
    """Blocking and thread-safe; opened on first use. A file that is damaged begins anew; nothing raises."""

    def __init__(self, path: Path, *, most: int = MOST_ANSWERS) -> None:
        self._database = ExpendableDatabase(path, name="answers", migrations=MIGRATIONS)
        self._most = most
        self._decoder = msgspec.json.Decoder(FitAnswer)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def find(self, stub_key: str, question: bytes) -> FitAnswer | None:
        """What this engine answered; None where it was not asked."""
        rows = self._database.read("SELECT answer FROM answers WHERE question = ?", (_key(stub_key, question),))
        try:
            return self._decoder.decode(rows[0][0]) if rows else None
        except msgspec.MsgspecError as error:
            _log.info("an answer that was kept is of another version of the program: %s", error)
            return None

    def keep(self, stub_key: str, question: bytes, answer: FitAnswer) -> None:
        """Remember an answer; beyond the most, the oldest are forgotten."""
        row = (_key(stub_key, question), msgspec.json.encode(answer), time.time())
        self._database.write(
            ("INSERT OR REPLACE INTO answers (question, answer, at) VALUES (?, ?, ?)", row),
            ("DELETE FROM answers WHERE id <= (SELECT max(id) FROM answers) - ?", (self._most,)),
        )


def _key(stub_key: str, question: bytes) -> str:
    about = f"{FORMAT} {__version__} {engine_build()} {stub_key} "
    return hashlib.sha256(about.encode() + question).hexdigest()
