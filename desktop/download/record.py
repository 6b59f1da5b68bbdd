"""What the queue remembers of each download, in library.sqlite3. Everything here blocks."""

import logging
from pathlib import PurePosixPath

import msgspec

from desktop.database import Database
from desktop.download.types import DownloadProgress
from desktop.errors import AppError
from desktop.gguf.shards import all_shards
from desktop.library.types import CatalogChoice, InstalledModel

_log = logging.getLogger(__name__)


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """One download as it is now. `installed` is there when it is done, `error` when it has failed.

    position: orders the queue; nanoseconds since 1970 when it was queued.
    """

    id: str
    choice: CatalogChoice
    progress: DownloadProgress
    position: int
    error: AppError | None = None
    installed: InstalledModel | None = None


class DownloadRecord:
    """The rows of the downloads that are not done; several processes may have some."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> list[Download]:
        """Return what was left by the last run, in order, each paused."""
        rows = self._database.read("SELECT id, choice, position, done, total FROM downloads ORDER BY position")
        found = []
        for download_id, choice, position, done, total in rows:
            try:
                decoded = msgspec.json.decode(choice, type=CatalogChoice)
            except msgspec.DecodeError as error:
                _log.warning("a download of another version is left out: %s: %s", download_id, error)
                continue
            progress = DownloadProgress(state="paused", done=done, total=total)
            found.append(Download(id=download_id, choice=decoded, progress=progress, position=position))
        return found

    def save(self, download: Download) -> None:
        """Write one download; one that is done or cancelled is forgotten. Other rows may be another process's."""
        progress = download.progress
        if progress.state in ("done", "cancelled"):
            self._database.execute("DELETE FROM downloads WHERE id = ?", (download.id,))
            return
        choice = msgspec.json.encode(download.choice).decode()
        self._database.execute(
            "INSERT OR REPLACE INTO downloads (id, position, choice, state, done, total) VALUES (?, ?, ?, ?, ?, ?)",
            (download.id, download.position, choice, progress.state, progress.done, progress.total),
        )


def files_of(first: str) -> list[str]:
    """Return the paths in the repository of every shard that belongs to `first`, or `first` alone."""
    return [str(path) for path in all_shards(PurePosixPath(first))]
