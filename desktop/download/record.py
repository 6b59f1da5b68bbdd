"""What the queue remembers of each download, in library.sqlite3. Everything here blocks."""

import logging

import msgspec

from desktop.database import Database
from desktop.download.types import DownloadProgress
from desktop.errors import AppError
from desktop.library.types import InstalledModel, WantedModel

_SELECT = "SELECT id, choice, position, state, total, brought FROM downloads ORDER BY position"
_INSERT = "INSERT OR REPLACE INTO downloads (position, choice, state, total, brought, id) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE downloads SET position = ?, choice = ?, state = ?, total = ?, brought = ? WHERE id = ?"
_MOST_POSITION = 1 << 62
"""So that there is a place before and behind each, in the 64 bits of SQLite; the year 2116."""
_log = logging.getLogger(__name__)


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """One download as it is now. `installed` is there when it is done, `error` when it has failed.

    position: orders the queue; nanoseconds since 1970 when it was queued.
    goes_on: whether the window takes it up by itself the next time it opens: not what somebody paused or what failed,
        nor what only `snug pull` was at.
    brought: files in the repository that came by this download and have their name already; not those that were there.
    """

    id: str
    wanted: WantedModel
    progress: DownloadProgress
    position: int
    goes_on: bool = True
    brought: tuple[str, ...] = ()
    error: AppError | None = None
    installed: InstalledModel | None = None


class DownloadRecord:
    """The rows of the downloads that are not done; several processes have some, and each may end another's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> list[Download]:
        """Return what there is, in order, each paused or failed. How much of it came is what the files tell."""
        rows = self._database.read(_SELECT)
        found = []
        for download_id, choice, position, state, total, brought in rows:
            try:
                decoded = msgspec.json.decode(choice, type=WantedModel)
                files = msgspec.json.decode(brought, type=tuple[str, ...])
            except msgspec.DecodeError as error:
                _log.warning("a download of another version is left out: %s: %s", download_id, error)
                continue
            progress = DownloadProgress(state="failed" if state == "failed" else "paused", total=total)
            found.append(
                Download(
                    id=download_id,
                    wanted=decoded,
                    progress=progress,
                    position=max(-_MOST_POSITION, min(position, _MOST_POSITION)),
                    goes_on=state == "queued",
                    brought=files,
                )
            )
        return found

    def save(self, download: Download, *, new: bool) -> None:
        """Write one download, or forget it when it is done or cancelled.

        new: whether it may have no row yet. Else a row that is gone stays so: another process has ended the download.
        """
        kept = kept_of(download)
        if kept is None:
            self._database.execute("DELETE FROM downloads WHERE id = ?", (download.id,))
            return
        sql = _INSERT if new else _UPDATE
        self._database.execute(sql, (*kept, download.id))


def kept_of(download: Download) -> tuple[int, str, str, int | None, str] | None:
    """Return what the row must hold: position, choice, state, total, files brought. None: it needs no row.

    state: "failed"; "queued" for what the window goes on with, and "paused" for what it does not. How much came is
    missing, because it changes all the time and the files tell it.
    """
    if download.progress.is_finished:
        return None
    return (
        download.position,
        msgspec.json.encode(download.wanted).decode(),
        "failed" if download.progress.state == "failed" else "queued" if download.goes_on else "paused",
        download.progress.total,
        msgspec.json.encode(download.brought).decode(),
    )
