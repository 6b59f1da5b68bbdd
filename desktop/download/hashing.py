"""The SHA-256 of a file that is still growing: a thread follows what is whole from the beginning."""

import hashlib
import threading
from pathlib import Path

PIECE = 1 << 20
"""Bytes that are read at once."""


class PrefixHasher:
    """Reads `path` behind the writers; the system has just had those bytes, so it seldom asks the disk for them.

    It has a thread and a file of its own until `stop`.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._hash = hashlib.sha256()
        self._read = 0
        self._limit = 0
        self._stopped = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name="download hash", daemon=True)
        self._thread.start()

    def advance(self, prefix: int) -> None:
        """Tell that the first `prefix` bytes are there."""
        if prefix < self._limit + PIECE and prefix < self._size:
            return
        with self._changed:
            self._limit = prefix
            self._changed.notify_all()

    @property
    def share(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return self._read / self._size if self._size else 1.0

    def result(self) -> str | None:
        """Wait until every byte was read and return the SHA-256, None when it was stopped. Raises OSError."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._error is not None or self._read >= self._size)
            if self._error is not None:
                raise self._error
            return self._hash.hexdigest() if self._read >= self._size else None

    def stop(self) -> None:
        """End the thread and close its file."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def _follow(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as file:
                while (limit := self._next_limit()) > self._read:
                    self._take(file.read(min(PIECE, limit - self._read)))
        except OSError as error:
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next_limit(self) -> int:
        """Wait for more; what was read already when there is nothing more to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._limit > self._read or self._read >= self._size)
            return self._read if self._stopped else self._limit

    def _take(self, data: bytes) -> None:
        if not data:
            raise OSError("the unfinished file was made shorter by somebody else")
        self._hash.update(data)
        with self._changed:
            self._read += len(data)
            self._changed.notify_all()
