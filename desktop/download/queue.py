"""The downloads, some at once and the others in their order: plain states, and a row each that a restart finds.

Used from one event loop. Nothing is read from the disk before `read`, and nothing of an earlier run begins by itself:
the window goes on with what is `interrupted`. To stop is to pause or to cancel; on the page they are called Stop and
Remove.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from desktop.catalog.file_names import UnsafeName
from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_errors import HubBusy, HubFileChanged, HubUnreachable, OfflineSwitchOn
from desktop.download.ledger import Ledger
from desktop.download.limiter import BandwidthLimiter
from desktop.download.model_files import ModelFiles
from desktop.download.record import Download, DownloadRecord, kept_of
from desktop.download.types import (
    DownloadProgress,
    DownloadState,
    DownloadStopped,
    TransferGaveUp,
    TransferOptions,
)
from desktop.errors import AppError
from desktop.library.library import Library
from desktop.library.types import InstalledModel, WantedModel
from desktop.threads import in_thread

Listener = Callable[[Download], None]
_PASSES_BY_ITSELF = (OfflineSwitchOn, HubUnreachable, HubBusy, TransferGaveUp)
_log = logging.getLogger(__name__)


def one_at_once() -> int:
    """Let one download come at a time."""
    return 1


class DownloadQueue:
    """The downloads of this process. `subscribe` hears every change; `downloads` is what there is.

    at_once: reads how many may come at a time; more begin as soon as it says so, none is stopped when it says less.
    limiter: shared by all transfers.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        library: Library,
        options: TransferOptions | None = None,
        limiter: BandwidthLimiter | None = None,
        at_once: Callable[[], int] = one_at_once,
    ) -> None:
        self._library = library
        self._files = ModelFiles(
            hub=hub, library=library, options=options or TransferOptions(), limiter=limiter or BandwidthLimiter()
        )
        self._at_once = at_once
        self._downloads: dict[str, Download] = {}
        self._listeners: list[Listener] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[str] = set()  # stopped, but their task has not ended yet
        self._discarding: list[Download] = []  # what came of them is being removed
        self._tasks: set[asyncio.Task[Any]] = set()
        self._record = DownloadRecord(library.database)
        self._ledger = Ledger(self._record, self._downloads.__getitem__)
        self._closed = False

    async def read(self) -> None:
        """Take in what earlier runs and other processes have left, stopped; what another one has ended goes.

        Raises the errors of the database.
        """
        rows, gone = await self._ledger.read(self._load)
        for row in rows:
            known = self._downloads.get(row.id)
            if known is None or known.progress.is_finished:
                self._tell(row)
            elif known.progress.is_stopped:  # another process may have brought more of it
                progress = msgspec.structs.replace(known.progress, done=row.progress.done, total=row.progress.total)
                self._tell(msgspec.structs.replace(known, progress=progress, brought=row.brought))
        for download in self.downloads():
            if download.id in gone and download.progress.is_stopped:
                self._tell(msgspec.structs.replace(download, progress=_halted(download, "cancelled")))

    def downloads(self) -> tuple[Download, ...]:
        """Return every download, in the order of the queue."""
        return tuple(sorted(self._downloads.values(), key=lambda each: each.position))

    def interrupted(self) -> tuple[Download, ...]:
        """Return what was queued or under way when the program or the network ended, in its order.

        `resume` goes on with one.
        """
        return tuple(each for each in self.downloads() if each.goes_on and each.progress.state == "paused")

    def left_of(self, model: InstalledModel) -> Download | None:
        """Return the download that was killed after its file had got its name: `model` then was found by a scan.

        Blocking.
        """
        path = Path(model.path)
        return next((each for each in self.downloads() if self._brings(each, path)), None)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with a download each time it changes; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self, wanted: WantedModel, *, goes_on: bool = True) -> Download:
        """Queue a model; one that is queued or under way is returned as it is, and one that was left is taken up.

        goes_on: whether the window shall go on with it by itself when the program ends before it is done.
        """
        known = self._downloads.get(wanted.id)
        if known is not None and known.progress.is_under_way:
            return known
        is_left = known is not None and (known.progress.is_stopped or known.id in self._ending)
        left = known if is_left else None
        if left is not None and not wanted.file:
            wanted = left.wanted  # that knows which files are there of it
        last = max((each.position for each in self._downloads.values()), default=0)
        self._ledger.begin(wanted.id)
        self._show(
            Download(
                id=wanted.id,
                wanted=wanted,
                progress=DownloadProgress(
                    state="queued", done=0 if left is None else left.progress.done, total=wanted.size
                ),
                position=max(time.time_ns(), last + 1),
                goes_on=goes_on or (left is not None and left.goes_on),
                brought=() if left is None else left.brought,
            )
        )
        self._fill()
        return self._downloads[wanted.id]

    def pause(self, download_id: str) -> None:
        """Stop a download and keep what came."""
        self._stop(download_id, "paused", goes_on=False)

    def cancel(self, download_id: str) -> None:
        """Stop a download and remove what came."""
        self._stop(download_id, "cancelled", goes_on=False)

    def resume(self, download_id: str) -> Download:
        """Go on with a download that was paused or has failed."""
        return self.start(self._downloads[download_id].wanted)

    def pause_all(self) -> None:
        """Stop everything that is queued or under way."""
        for download in self._under_way():
            self.pause(download.id)

    def move_to_front(self, download_id: str) -> None:
        """Let a download be the next one; what is under way goes on."""
        self._change(download_id, position=min(each.position for each in self._downloads.values()) - 1)

    async def wait(self, download_id: str) -> InstalledModel:
        """Wait until a download is done. Raises its error when it fails, DownloadStopped when it is stopped."""
        changed = asyncio.Event()
        end = self.subscribe(lambda each: changed.set() if each.id == download_id else None)
        try:
            while (download := self._downloads[download_id]).progress.is_under_way:
                changed.clear()
                await changed.wait()
        finally:
            end()
        if download.error is not None:
            raise download.error
        if download.installed is None:
            raise DownloadStopped(model=download.wanted.name)
        return download.installed

    async def close(self) -> None:
        """Stop what is under way. Its rows still say so, and the next window goes on with it."""
        self._closed = True
        for download in self._under_way():
            self._stop(download.id, "paused", goes_on=download.goes_on)
        while tasks := [*self._running.values(), *self._tasks]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # what follows from their end is begun then, and they are in the lists no more
        await self._ledger.save()

    def _stop(self, download_id: str, state: DownloadState, *, goes_on: bool) -> None:
        download = self._downloads[download_id]
        if download.progress.is_finished:
            return
        self._change(download_id, progress=_halted(download, state), goes_on=goes_on, error=None)
        if download_id in self._ending:
            return  # cancelled a second time, its task would not wait for the transfer to let go of the file
        if download_id in self._running:
            self._ending.add(download_id)
            self._running[download_id].cancel()
        elif state == "cancelled":
            self._discard(download)

    def _load(self) -> list[Download]:
        """The rows, each with what really came: after a crash the disk knows more than they do."""
        found = []
        for row in self._record.load():
            try:
                done = self._files.came(row.wanted)
            except UnsafeName as error:
                _log.warning("a download that cannot go on is left out: %s: %s", row.id, error)
                continue
            except OSError as error:
                _log.warning("nobody can tell how much of %s came: %s", row.id, error)
                done = 0
            found.append(msgspec.structs.replace(row, progress=msgspec.structs.replace(row.progress, done=done)))
        return found

    def _fill(self) -> None:
        """Begin what may begin."""
        while not self._closed and len(self._running) < max(1, self._at_once()):
            download = self._next()
            if download is None:
                return
            task = asyncio.get_running_loop().create_task(self._run(download), name=f"download {download.id}")
            self._running[download.id] = task
            task.add_done_callback(partial(self._on_ended, download.id))

    def _next(self) -> Download | None:
        """The first that is queued, unless its file is being fetched or removed: then it waits for that."""
        busy = [*(self._downloads[download_id] for download_id in self._running), *self._discarding]
        ids, files = {each.id for each in busy}, {_file_of(each) for each in busy if each.wanted.file}
        for download in self.downloads():
            waits = download.id in ids or _file_of(download) in files
            if download.progress.state == "queued" and not waits:
                return download
        return None

    def _on_ended(self, download_id: str, task: "asyncio.Task[None]") -> None:
        del self._running[download_id]
        stopped = download_id in self._ending
        self._ending.discard(download_id)
        error = None if task.cancelled() else task.exception()
        download = self._downloads[download_id]
        if error is not None and stopped:
            _log.info("download of %s, which was stopped, ended with: %s", download_id, error)
        elif error is not None and download.progress.is_under_way:
            self._fail(download, error)
        if download.progress.state == "cancelled":
            self._discard(download)
        self._fill()

    async def _run(self, download: Download) -> None:
        """Resolve, transfer, verify and register one model."""
        resolving = DownloadProgress(state="resolving", done=download.progress.done, total=download.wanted.size)
        self._progress(download.id, resolving)
        files = await self._find(download)
        # Pinned from here on, over pauses and restarts.
        wanted = msgspec.structs.replace(
            download.wanted,
            file=files[0].file,
            revision=files[0].revision,
            sha256=files[0].sha256,
            size=sum(file.size for file in files),
        )
        self._change(download.id, wanted=wanted)
        whole = await self._files.fetch(
            files, on_progress=partial(self._progress, download.id), on_brought=partial(self._note_brought, download.id)
        )
        # A stop waits for it: else what is thrown away could be registered afterwards.
        installed = await in_thread(partial(self._register, wanted, files))
        self._change(download.id, progress=whole, installed=installed)

    async def _find(self, download: Download) -> tuple[HubFile, ...]:
        try:
            return await self._files.find(download.wanted)
        except HubFileChanged:  # the next attempt takes it as it is then
            newest = msgspec.structs.replace(download.wanted, revision="main", sha256="", size=None)
            self._change(download.id, wanted=newest)
            raise

    def _register(self, wanted: WantedModel, files: tuple[HubFile, ...]) -> InstalledModel:
        return self._library.register(
            path=self._library.destination(repo=files[0].repo, file=files[0].file),
            model_id=wanted.model_id,
            quantization=wanted.quantization,
            name=wanted.name,
            licence=wanted.licence,
            files=files,
        )

    def _discard(self, download: Download) -> None:
        """Remove what came of a download that was cancelled, unless another entry needs it: then it is that one's."""
        for other in self._downloads.values():
            is_at_it = not other.progress.is_finished or other.id in self._running  # it still ends
            if is_at_it and _file_of(other) == _file_of(download):
                brought = dict.fromkeys((*other.brought, *download.brought))
                self._change(other.id, brought=tuple(brought))
                return
        self._discarding.append(download)
        self._in_background(self._remove(download))

    async def _remove(self, download: Download) -> None:
        try:
            await asyncio.to_thread(self._files.discard, download.wanted, download.brought)
        except (AppError, OSError) as error:
            _log.warning("what came of %s could not be removed: %s", download.id, error)
        finally:
            self._discarding.remove(download)
        self._fill()

    def _brings(self, download: Download, path: Path) -> bool:
        if not download.progress.is_stopped:
            return False
        try:
            return path in self._files.places(download.wanted)
        except (UnsafeName, OSError):
            return False

    def _under_way(self) -> list[Download]:
        return [each for each in self.downloads() if each.progress.is_under_way]

    def _fail(self, download: Download, error: BaseException) -> None:
        """Say why it ended. Where only the line was bad it is paused, and goes on when that has passed."""
        explained = error if isinstance(error, AppError) else AppError(reason=str(error), detail=error)
        if explained is error:
            _log.info("download of %s failed: %s", download.id, error)
        else:
            _log.error("download of %s failed", download.id, exc_info=error)
        passes = isinstance(explained, _PASSES_BY_ITSELF)
        self._change(
            download.id,
            progress=_halted(download, "paused" if passes else "failed"),
            goes_on=download.goes_on and passes,
            error=explained,
        )

    def _note_brought(self, download_id: str, file: str) -> None:
        self._change(download_id, brought=(*self._downloads[download_id].brought, file))

    def _progress(self, download_id: str, progress: DownloadProgress) -> None:
        """Show how far it is, unless somebody has stopped it in the meantime, be it that it was resumed since."""
        if self._downloads[download_id].progress.is_under_way and download_id not in self._ending:
            self._change(download_id, progress=progress)
            self._fill()

    def _change(self, download_id: str, **fields: Any) -> None:
        self._show(msgspec.structs.replace(self._downloads[download_id], **fields))

    def _show(self, download: Download) -> None:
        before = self._downloads.get(download.id)
        self._tell(download)
        is_new = before is None or kept_of(before) != kept_of(download)
        if is_new and self._ledger.note(download.id):
            self._in_background(self._ledger.save())

    def _tell(self, download: Download) -> None:
        """Have it in the list, and tell everybody, whatever becomes of that there."""
        self._downloads[download.id] = download
        for listener in tuple(self._listeners):
            try:
                listener(download)
            except Exception:  # noqa: BLE001 - a fault of whoever listens is not the download's
                _log.exception("a listener failed at the download of %s", download.id)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _file_of(download: Download) -> tuple[str, str]:
    return download.wanted.repo, download.wanted.file


def _halted(download: Download, state: DownloadState) -> DownloadProgress:
    return msgspec.structs.replace(download.progress, state=state, speed=None, seconds_left=None, message=None)
