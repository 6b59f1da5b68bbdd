"""Which open store a streaming reply belongs to, and whether that one still lives.

Each open store holds a lock on a file of its own beside the database. The system releases it however the process
ends, so that neither a process id used again nor a changed clock can be mistaken for life.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from desktop.files import FileNotSaved, try_hold

_YOUNG = 60.0
"""Seconds for which a file without a lock may belong to a store that is just being opened."""


class Owner:
    """The mark of one open store."""

    def __init__(self, database: Path) -> None:
        """Take the mark. Raises DiskFull and FileNotSaved."""
        self._database = database
        self.token = uuid4().hex
        self._file = self._file_of(self.token)
        held = try_hold(self._file)
        if held is None:
            raise FileNotSaved(path=str(self._file), reason="it is locked")
        self._descriptor = held

    def dead_among(self, tokens: Iterable[str]) -> list[str]:
        """Return those of `tokens` whose store has ended."""
        return [token for token in tokens if token != self.token and self._is_dead(token)]

    def sweep(self) -> None:
        """Remove the marks that killed processes left behind."""
        prefix = f"{self._database.name}.owner-"
        for file in self._database.parent.glob(f"{prefix}*"):
            token = file.name.removeprefix(prefix)
            with contextlib.suppress(FileNotFoundError):  # another process sweeps as well
                if token != self.token and time.time() - file.stat().st_mtime > _YOUNG and self._is_dead(token):
                    file.unlink()

    def release(self) -> None:
        """Give the mark back."""
        os.close(self._descriptor)
        self._file.unlink(missing_ok=True)

    def _file_of(self, token: str) -> Path:
        return self._database.with_name(f"{self._database.name}.owner-{token}")

    def _is_dead(self, token: str) -> bool:
        file = self._file_of(token)
        if not file.exists():
            return True
        descriptor = try_hold(file)
        if descriptor is None:
            return False
        os.close(descriptor)
        return True
