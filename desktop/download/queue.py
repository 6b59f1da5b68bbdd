"""The downloads, some at once and the others in their order: plain states, and a row each that a restart finds.

Used from one event loop. What was under way when the program ended is there again as paused.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import msgspec

from desktop.catalog.hub import Hub, HubFile
from desktop.download.limiter import BandwidthLimiter
from desktop.download.part import discard_unless_used
from desktop.download.record import Download, DownloadRecord, files_of
from desktop.download.sidecar import claimed_bytes
from desktop.download.types import UNDER_WAY, DownloadProgress, DownloadState, DownloadStopped, TransferOptions
from desktop.errors import AppError
from desktop.library.library import Library
from desktop.library.types import CatalogChoice, InstalledModel

Listener = Callable[[Download], None]
_FINISHED: tuple[DownloadState, ...] = ("done", "cancelled")
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
        self._hub = hub
        self._library = library
        self._options = options or TransferOptions()
        self._limiter = limiter or BandwidthLimiter()
        self._at_once = at_once
        self._record = DownloadRecord(library.database)
        self._downloads: dict[str, Download] = {each.id: self._measured(each) for each in self._record.load()}
        self._listeners: list[Listener] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[str] = set()  # stopped, but their task has not ended yet
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Condition()
        self._closed = False

    def downloads(self) -> tuple[Download, ...]:
        """Return every download, in the order of the queue."""
        return tuple(sorted(self._downloads.values(), key=lambda each: each.position))

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
        last = max((each.position for each in self._downloads.values()), default=0)
        position = max(time.time_ns(), last + 1)
        self._show(Download(id=choice.id, choice=choice, progress=progress, position=position))
        self._fill()
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

    def pause_all(self) -> None:
        """Stop everything that is queued or under way; `resume_all` goes on."""
        for download in self.downloads():
            if download.progress.state in UNDER_WAY:
                self.pause(download.id)

    def resume_all(self) -> None:
        """Go on with everything that is paused, in its order."""
        for download in self.downloads():
            if download.progress.state == "paused":
                self.resume(download.id)

    def move_up(self, download_id: str) -> None:
        """Let a download change places with the unfinished one before it; the first stays where it is."""
        order = sorted(self._unfinished(), key=lambda each: each.position)
        at = next((index for index, each in enumerate(order) if each.id == download_id), 0)
        if at > 0:
            before, this = order[at - 1], order[at]
            self._change(this.id, position=before.position)
            self._change(before.id, position=this.position)

    def move_to_front(self, download_id: str) -> None:
        """Let a download be the next one; what is under way goes on."""
        self._change(download_id, position=min(each.position for each in self._downloads.values()) - 1)

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
        self.pause_all()
        while tasks := [task for task in (*self._running.values(), *self._tasks) if not task.done()]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # what follows from their end is begun then

    def _stop(self, download_id: str, state: DownloadState) -> None:
        download = self._downloads[download_id]
        if download.progress.state in _FINISHED:
            return
        self._change(download_id, progress=self._halted(download_id, state), error=None)
        if download_id in self._running:
            self._ending.add(download_id)
            self._running[download_id].cancel()
        elif state == "cancelled":
            self._in_background(self._discard(download.choice))

    def _measured(self, download: Download) -> Download:
        """A download of an earlier run with what really came: after a crash the disk knows more than the row."""
        choice, done = download.choice, 0
        for name in files_of(choice.file) if choice.file else ():
            destination = self._library.destination(repo=choice.repo, file=name)
            done += destination.stat().st_size if destination.is_file() else claimed_bytes(destination)
        return msgspec.structs.replace(download, progress=msgspec.structs.replace(download.progress, done=done))

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
        """The first that is queued, unless another entry is fetching the same file: then it waits for that."""
        coming = {_file_of(self._downloads[download_id]) for download_id in self._running}
        for download in self.downloads():
            waits = download.id in self._running or (download.choice.file and _file_of(download) in coming)
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
        elif error is not None and download.progress.state in UNDER_WAY:
            self._fail(download_id, error)
        if download.progress.state == "cancelled":
            self._in_background(self._discard(self._downloads[download_id].choice))
        self._fill()

    async def _run(self, download: Download) -> None:
        """Resolve, transfer, verify and register one model; a split one shard by shard."""
        self._progress(
            download.id, DownloadProgress(state="resolving", done=download.progress.done, total=download.choice.size)
        )
        choice = download.choice
        files = await self._hub.files(
            repo=choice.repo, file=choice.file, quantization=choice.quantization, revision=choice.revision
        )
        first = files[0]
        # Pinned from here on, over pauses and restarts.
        pinned = msgspec.structs.replace(choice, file=first.file, revision=first.revision)
        self._change(download.id, choice=pinned)
        total = sum(file.size for file in files)
        before = resumed = 0
        for file in files:
            resumed += await self._transfer(download.id, file, before, total, resumed)
            before += file.size
        installed = await asyncio.to_thread(self._register, download.choice, first)
        whole = DownloadProgress(state="done", done=total, total=total, resumed_from=resumed)
        self._change(download.id, progress=whole, installed=installed)

    async def _transfer(self, download_id: str, file: HubFile, before: int, total: int, resumed: int) -> int:
        """Fetch one file; returns how much of it was there already."""
        # httpx2 takes its time to import; a window that downloads nothing never needs it.
        from desktop.download.transfer import download

        there = 0

        def on_progress(progress: DownloadProgress) -> None:
            nonlocal there
            there = progress.resumed_from
            self._progress(download_id, _of_whole(progress, before, total, resumed))

        destination = await asyncio.to_thread(self._library.destination, repo=file.repo, file=file.file)
        await download(
            file=file,
            destination=destination,
            hub=self._hub,
            on_progress=on_progress,
            options=self._options,
            limiter=self._limiter,
        )
        return there

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
        if any(_file_of(each) == (choice.repo, choice.file) for each in self._unfinished()):
            return  # another entry needs what came
        for name in files_of(choice.file) if choice.file else ():
            destination = await asyncio.to_thread(self._library.destination, repo=choice.repo, file=name)
            await asyncio.to_thread(discard_unless_used, destination)

    def _unfinished(self) -> list[Download]:
        return [each for each in self._downloads.values() if each.progress.state not in _FINISHED]

    def _fail(self, download_id: str, error: BaseException) -> None:
        explained = error if isinstance(error, AppError) else AppError(reason=str(error), detail=error)
        if explained is error:
            _log.info("download of %s failed: %s", download_id, error)
        else:
            _log.error("download of %s failed", download_id, exc_info=error)
        self._change(download_id, progress=self._halted(download_id, "failed"), error=explained)

    def _halted(self, download_id: str, state: DownloadState) -> DownloadProgress:
        progress = self._downloads[download_id].progress
        return msgspec.structs.replace(progress, state=state, speed=None, seconds_left=None, message=None)

    def _progress(self, download_id: str, progress: DownloadProgress) -> None:
        """Show how far it is, unless somebody has stopped it in the meantime, be it that it was resumed since."""
        if self._downloads[download_id].progress.state in UNDER_WAY and download_id not in self._ending:
            self._change(download_id, progress=progress)
            self._fill()

    def _change(self, download_id: str, **fields: Any) -> None:
        self._show(msgspec.structs.replace(self._downloads[download_id], **fields))

    def _show(self, download: Download) -> None:
        before = self._downloads.get(download.id)
        self._downloads[download.id] = download
        if before is None or _kept(before) != _kept(download):
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


def _file_of(download: Download) -> tuple[str, str]:
    return download.choice.repo, download.choice.file


def _kept(download: Download) -> tuple[object, ...]:
    """What the row holds, but how far it is: the disk knows that."""
    return download.progress.state, download.choice, download.position


def _of_whole(progress: DownloadProgress, before: int, total: int, resumed: int) -> DownloadProgress:
    """The progress of one file as that of all files of a model, `before` of whose bytes came with other files."""
    left = (total - before - progress.done) / progress.speed if progress.speed else None
    return msgspec.structs.replace(
        progress,
        done=before + progress.done,
        total=total,
        seconds_left=left,
        resumed_from=resumed + progress.resumed_from,
    )
