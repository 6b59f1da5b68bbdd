"""Keeps the rows of the downloads as the queue has them, in the background; used from the queue's event loop."""

import asyncio
import logging
from collections.abc import Callable

from desktop.download.record import Download, DownloadRecord
from desktop.errors import AppError

_log = logging.getLogger(__name__)


class Ledger:
    """Which downloads are newer in the queue than in their rows. current: returns a download of the queue by its id."""

    def __init__(self, record: DownloadRecord, current: Callable[[str], Download]) -> None:
        self._record = record
        self._current = current
        self._at_the_rows = asyncio.Lock()
        self._is_saving = False
        self._unsaved: set[str] = set()
        self._unwritten: set[str] = set()  # those that may have no row
        self._recorded: set[str] = set()  # those that had a row when it was last looked

    async def read(self, load: Callable[[], list[Download]]) -> tuple[list[Download], set[str]]:
        """Return what `load` reads in a thread, and the ids whose row another process has removed.

        What is newer in the queue is in neither. Raises the errors of the database.
        """
        async with self._at_the_rows:
            rows = {row.id: row for row in await asyncio.to_thread(load)}
        gone = self._recorded - rows.keys() - self._unsaved
        taken = [row for row in rows.values() if row.id not in self._unsaved]
        self._recorded.update(row.id for row in taken)
        return taken, gone

    def begin(self, download_id: str) -> None:
        """A download is started: where it has no row, the next save makes one."""
        self._unwritten.add(download_id)

    def note(self, download_id: str) -> bool:
        """Have a download written down; returns whether the caller must `save`: else somebody is at it."""
        self._unsaved.add(download_id)
        begins, self._is_saving = not self._is_saving, True
        return begins

    async def save(self) -> None:
        """Write down what is new. Where that fails it goes on, because the files are what counts.

        It is tried again with the next change, and at the end: the next start must not take up what was cancelled.
        """
        try:
            async with self._at_the_rows:
                while self._unsaved:
                    await self._save_one(self._unsaved.pop())
        except AppError as error:
            _log.warning("the downloads could not be noted: %s", error)
        finally:
            self._is_saving = False

    async def _save_one(self, download_id: str) -> None:
        new = download_id in self._unwritten
        self._unwritten.discard(download_id)  # before it is written: it may be started once more meanwhile
        try:
            await asyncio.to_thread(self._record.save, self._current(download_id), new=new)
        except BaseException:
            self._unsaved.add(download_id)
            if new:
                self._unwritten.add(download_id)
            raise
        self._recorded.add(download_id)
