"""The downloads, one after the other: plain states to show, and a row each, so that a restart forgets nothing.

Used from one event loop. What was under way when the program ended is there again as paused.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from desktop.catalog.hub import Hub, HubFile
from desktop.download.part import discard_unless_used, part_path
from desktop.download.record import Download, DownloadRecord, files_of
from desktop.download.types import UNDER_WAY, DownloadProgress, DownloadState, DownloadStopped, TransferOptions
from desktop.errors import AppError
from desktop.library.library import Library
from desktop.library.types import CatalogChoice, InstalledModel

Listener = Callable[[Download], None]
_log = logging.getLogger(__name__)


class DownloadQueue:
    """The downloads of this process. `subscribe` hears every change; `downloads` is what there is."""

    def __init__(self, *, hub: Hub, library: Library, options: TransferOptions | None = None) -> None:
        self._hub = hub
        self._library = library
        self._options = options or TransferOptions()
        self._record = DownloadRecord(library.database)
        self._downloads: dict[str, Download] = {each.id: self._measured(each) for each in self._record.load()}
        self._listeners: list[Listener] = []
        self._worker: asyncio.Task[None] | None = None
        self._current: tuple[str, asyncio.Task[None]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Condition()
        self._closed = False

    def downloads(self) -> tuple[Download, ...]:
        """Return every download, in the order of the queue."""
        return tuple(self._downloads.values())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with a download each time it changes; returns the function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self, choice: CatalogChoice) -> Download:
        """Queue a model; one that is queued or under way is returned as it is, and one that was left is taken up."""
        known = self._downloads.get(choice.id)
        if known is not None and known.progress.state in UNDER_WAY:
            return known
        kept = known.progress.done if known is not None and known.progress.state in ("paused", "failed") else 0
        progress = DownloadProgress(state="queued", done=kept, total=choice.size)
        self._downloads.pop(choice.id, None)  # to the end of the queue
        self._show(Download(id=choice.id, choice=choice, progress=progress, position=time.time_ns()))
        self._wake()
        return self._downloads[choice.id]

    def pause(self, download_id: str) -> None:
        """Stop a download and keep what came."""
        self._stop(download_id, "paused")

    def cancel(self, download_id: str) -> None:
        """Stop a download and remove what came."""
        self._stop(download_id, "cancelled")

    def resume(self, download_id: str) -> Download:
        """Go on with a download that was paused or has failed."""
        return self.start(self._downloads[download_id].choice)

    async def wait(self, download_id: str) -> InstalledModel:
        """Wait until a download is done. Raises its error when it fails, DownloadStopped when it is stopped."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._downloads[download_id].progress.state not in UNDER_WAY)
        download = self._downloads[download_id]
        if download.error is not None:
            raise download.error
        if download.installed is None:
            raise DownloadStopped(model=download.choice.name)
        return download.installed

    async def close(self) -> None:
        """Stop what is under way; it is there again, paused, the next time."""
        self._closed = True
        for download in self.downloads():
            if download.progress.state in UNDER_WAY:
                self.pause(download.id)
        while tasks := [task for task in (self._worker, *self._tasks) if task is not None and not task.done()]:
            await asyncio.wait(tasks)

    def _stop(self, download_id: str, state: DownloadState) -> None:
        download = self._downloads[download_id]
        if download.progress.state in ("done", "cancelled"):
            return
        self._change(download_id, progress=self._halted(download_id, state), error=None)
        if self._current is not None and self._current[0] == download_id:
            self._current[1].cancel()
        elif state == "cancelled":
            self._in_background(self._discard(download.choice))

    def _measured(self, download: Download) -> Download:
        """A download of an earlier run with what really came: after a crash the disk knows more than the row."""
        choice, done = download.choice, 0
        for name in files_of(choice.file) if choice.file else ():
            destination = self._library.destination(repo=choice.repo, file=name)
            done += next((path.stat().st_size for path in (destination, part_path(destination)) if path.is_file()), 0)
        return msgspec.structs.replace(download, progress=msgspec.structs.replace(download.progress, done=done))

    def _wake(self) -> None:
        if not self._closed and (self._worker is None or self._worker.done()):
            self._worker = asyncio.get_running_loop().create_task(self._work(), name="downloads")

    async def _work(self) -> None:
        """Take one download after the other until none is queued."""
        while (download := self._next()) is not None:
            task = asyncio.get_running_loop().create_task(self._run(download), name=f"download {download.id}")
            self._current = (download.id, task)
            await asyncio.wait([task])
            self._current = None
            error = None if task.cancelled() else task.exception()
            if error is not None and self._downloads[download.id].progress.state in UNDER_WAY:
                self._fail(download.id, error)
            if self._downloads[download.id].progress.state == "cancelled":
                await self._discard(self._downloads[download.id].choice)

    def _next(self) -> Download | None:
        return next((each for each in self.downloads() if each.progress.state == "queued"), None)

    async def _run(self, download: Download) -> None:
        """Resolve, transfer, verify and register one model; a split one shard by shard."""
        self._progress(
            download.id, DownloadProgress(state="resolving", done=download.progress.done, total=download.choice.size)
        )
        first = await self._resolve(download.choice)
        # Pinned from here on, over pauses and restarts.
        pinned = msgspec.structs.replace(download.choice, file=first.file, revision=first.revision)
        self._change(download.id, choice=pinned)
        files = [first]
        for name in files_of(first.file)[1:]:
            files.append(await self._hub.file(repo=first.repo, file=name, revision=first.revision))  # noqa: PERF401
        total = sum(file.size for file in files)
        before = 0
        for file in files:
            await self._transfer(download.id, file, before, total)
            before += file.size
        installed = await asyncio.to_thread(self._register, download.choice, first)
        whole = DownloadProgress(state="done", done=total, total=total)
        self._change(download.id, progress=whole, installed=installed)

    async def _resolve(self, choice: CatalogChoice) -> HubFile:
        if choice.file:
            return await self._hub.file(repo=choice.repo, file=choice.file, revision=choice.revision)
        return await self._hub.file_of_quantization(
            repo=choice.repo, quantization=choice.quantization, revision=choice.revision
        )

    async def _transfer(self, download_id: str, file: HubFile, before: int, total: int) -> None:
        # httpx2 takes its time to import; a window that downloads nothing never needs it.
        from desktop.download.transfer import download

        def on_progress(progress: DownloadProgress) -> None:
            left = (total - before - progress.done) / progress.speed if progress.speed else None
            whole = msgspec.structs.replace(progress, done=before + progress.done, total=total, seconds_left=left)
            self._progress(download_id, whole)

        destination = await asyncio.to_thread(self._library.destination, repo=file.repo, file=file.file)
        await download(
            file=file, destination=destination, hub=self._hub, on_progress=on_progress, options=self._options
        )

    def _register(self, choice: CatalogChoice, file: HubFile) -> InstalledModel:
        return self._library.register(
            path=self._library.destination(repo=file.repo, file=file.file),
            model_id=choice.model_id,
            quantization=choice.quantization,
            name=choice.name,
            licence=choice.licence,
            source=file,
        )

    async def _discard(self, choice: CatalogChoice) -> None:
        for name in files_of(choice.file) if choice.file else ():
            destination = await asyncio.to_thread(self._library.destination, repo=choice.repo, file=name)
            await asyncio.to_thread(discard_unless_used, destination)

    def _fail(self, download_id: str, error: BaseException) -> None:
        explained = error if isinstance(error, AppError) else AppError(reason=str(error), detail=error)
        _log.info("download of %s failed: %s", download_id, error, exc_info=None if explained is error else error)
        self._change(download_id, progress=self._halted(download_id, "failed"), error=explained)

    def _halted(self, download_id: str, state: DownloadState) -> DownloadProgress:
        progress = self._downloads[download_id].progress
        return msgspec.structs.replace(progress, state=state, speed=None, seconds_left=None, message=None)

    def _progress(self, download_id: str, progress: DownloadProgress) -> None:
        """Show how far it is, unless somebody has stopped it in the meantime."""
        if self._downloads[download_id].progress.state in UNDER_WAY:
            self._change(download_id, progress=progress)

    def _change(self, download_id: str, **fields: Any) -> None:
        self._show(msgspec.structs.replace(self._downloads[download_id], **fields))

    def _show(self, download: Download) -> None:
        before = self._downloads.get(download.id)
        self._downloads[download.id] = download
        if before is None or (before.progress.state, before.choice) != (download.progress.state, download.choice):
            self._in_background(self._save(download.id))
        for listener in tuple(self._listeners):
            listener(download)

    async def _save(self, download_id: str) -> None:
        """Write it down; whoever waits is told even when that fails, because the files are what counts."""
        async with self._changed:
            try:
                await asyncio.to_thread(self._record.save, self._downloads[download_id])
            except AppError as error:
                _log.warning("the download of %s could not be noted: %s", download_id, error)
            finally:
                self._changed.notify_all()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
