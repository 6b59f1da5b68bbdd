"""One file from the Hub to the disk, over one connection: resumed, verified, and never half there under its name.

The transfer begins at {endpoint}/{repo}/resolve/{commit}/{file}; the redirect to the host that has the bytes is
followed by hand, so that the token stays with the Hub and an expired signed address is simply asked for again.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2

from desktop import __version__
from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_errors import HubBusy, HubUnreachable, explain_status
from desktop.download.answers import CUT, ENDED_EARLY, STALLED, TryAgain, check_promise, judge, odd, strong_etag
from desktop.download.lock import exclusive, lock_path
from desktop.download.part import PartFile, part_path, sha256_of
from desktop.download.speed import SpeedMeter
from desktop.download.types import DownloadProgress, DownloadState, TransferGaveUp, TransferOptions
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.files import explained_write

FLUSH = 256 << 10
"""Bytes that are kept in memory before they go to the disk: at most this much is fetched twice after a crash."""

MOST_REDIRECTS = 5
Report = Callable[[DownloadProgress], None]
T = TypeVar("T")

WAITING_FOR_LOCK = QT_TRANSLATE_NOOP("core", "Another download of this file is under way.")
CHECKING = QT_TRANSLATE_NOOP("core", "Reading what is already there.")
STARTING_OVER = QT_TRANSLATE_NOOP("core", "The server cannot go on from the middle: starting again from the beginning.")


def ignore_progress(_progress: DownloadProgress) -> None:
    """Report to nobody."""


async def download(
    *,
    file: HubFile,
    destination: Path,
    hub: Hub,
    on_progress: Report = ignore_progress,
    options: TransferOptions | None = None,
) -> Path:
    """Fetch `file` to `destination` and return it; a part that is there is continued, a right file is left alone.

    Cancelling keeps the part. Two processes may ask for the same file: one transfers, the other waits and has it too.
    `on_progress` is called at most every `options.progress_interval` seconds, and at each change of state.

    Raises OfflineSwitchOn, HubAccessDenied, HubFileMissing, HubBusy, HubUnreachable, TransferGaveUp, ChecksumMismatch,
    NoRoomForDownload, FileTooLarge, FileNotSaved.
    """
    transfer = _Transfer(file, destination, hub, _Reporter(file, on_progress, options or TransferOptions()))
    with explained_write(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        async with exclusive(lock_path(destination), on_wait=transfer.say_waiting):
            if not await transfer.is_there():
                await transfer.run()
    return destination


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread; when cancelled, wait for it first: a file is written by one thread at a time."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class _Reporter:
    """Turns bytes into progress, not more often than anybody can read."""

    def __init__(self, file: HubFile, on_progress: Report, options: TransferOptions) -> None:
        self.options = options
        self._total = file.size
        self._on_progress = on_progress
        self._meter = SpeedMeter()
        self._last: tuple[DownloadState, Phrase | None] | None = None
        self._last_time = 0.0

    def say(self, state: DownloadState, done: int, message: Phrase | None = None) -> None:
        now = time.monotonic()
        if state == "downloading" and message is None:
            self._meter.add(now, done)
        if self._last == (state, message) and now - self._last_time < self.options.progress_interval:
            return
        self._last, self._last_time = (state, message), now
        speed = self._meter.speed if state == "downloading" and message is None else None
        left = self._meter.seconds_left(self._total - done) if speed is not None else None
        self._on_progress(
            DownloadProgress(state=state, done=done, total=self._total, speed=speed, seconds_left=left, message=message)
        )


class _Transfer:
    """One call of `download`, while it holds the lock."""

    def __init__(self, file: HubFile, destination: Path, hub: Hub, reporter: _Reporter) -> None:
        self._file = file
        self._destination = destination
        self._hub = hub
        self._report = reporter
        self._options = reporter.options
        self._part = PartFile(file, destination)

    def say_waiting(self) -> None:
        part = part_path(self._destination)
        done = part.stat().st_size if part.exists() else 0
        self._report.say("downloading", min(done, self._file.size), Phrase.of(WAITING_FOR_LOCK))

    async def is_there(self) -> bool:
        """Whether the right file already has its name; an other one stays until the new one is whole."""
        path = self._destination
        if not path.is_file() or path.stat().st_size != self._file.size:
            return False
        self._report.say("verifying", self._file.size, Phrase.of(CHECKING))
        return await _stoppable(partial(sha256_of, path)) == self._file.sha256

    async def run(self) -> None:
        part = self._part
        self._hub.require_online()
        try:
            await in_thread(part.open)
            await in_thread(part.check_space)
            await in_thread(partial(part.remember, part.etag))
            await self._read_existing()
            await self._fetch()
            self._report.say("verifying", part.offset)
            await in_thread(part.finish)
        finally:
            part.close()

    async def _read_existing(self) -> None:
        loop = asyncio.get_running_loop()

        def say(done: int) -> None:
            loop.call_soon_threadsafe(self._report.say, "downloading", done, Phrase.of(CHECKING))

        await _stoppable(lambda stop: self._part.hash_existing(stop, say))

    async def _fetch(self) -> None:
        """Attempt after attempt, until every byte is there; every wait is reported."""
        failures = 0
        async with await asyncio.to_thread(self._client) as client:
            while self._part.offset < self._file.size:
                before = self._part.offset
                try:
                    await self._attempt(client)
                except TryAgain as failure:
                    came = self._part.offset - before
                    failures = 1 if came >= self._options.enough_progress else failures + 1
                    await self._prepare_again(failure, failures)

    def _client(self) -> httpx2.AsyncClient:
        """Blocking: it reads the system's certificates."""
        options = self._options
        timeout = httpx2.Timeout(options.stall, connect=options.connect, pool=None)
        # Compressed bytes could be neither resumed nor counted.
        headers = {"User-Agent": f"snug/{__version__}", "Accept-Encoding": "identity"}
        return httpx2.AsyncClient(timeout=timeout, headers=headers, follow_redirects=False)

    async def _prepare_again(self, failure: TryAgain, failures: int) -> None:
        """Wait before the next attempt, or give up with what is kept."""
        options = self._options
        if failures >= options.attempts:
            raise TransferGaveUp(
                file=self._file.file, attempts=failures, why=failure.reason, detail=failure
            ) from failure
        if failure.wait is not None and failure.wait > options.longest_retry_after:
            raise HubBusy(seconds=round(failure.wait), detail=failure) from failure
        if failure.restart:
            await in_thread(self._part.restart)
        wait = min(options.first_wait * 2 ** (failures - 1), options.longest_wait) * random.uniform(0.5, 1.0)  # noqa: S311
        wait = max(wait, failure.wait or 0.0)
        message = failure.announce(wait=wait, attempt=failures + 1, attempts=options.attempts)
        self._report.say("downloading", self._part.offset, message)
        await asyncio.sleep(wait)

    async def _attempt(self, client: httpx2.AsyncClient) -> None:
        """One connection. Raises TryAgain when the file is not whole afterwards."""
        self._hub.require_online()
        start = self._part.offset
        try:
            async with self._answer(client, start) as response:
                verdict = judge(response.status_code, response.headers, start=start, size=self._file.size)
                await self._begin_body(verdict == "restart", strong_etag(response.headers))
                await self._receive(response)
        except httpx2.TimeoutException as error:
            raise TryAgain(Phrase.of(STALLED, seconds=round(self._options.stall))) from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise TryAgain(Phrase.of(CUT)) from error
        except httpx2.InvalidURL as error:
            raise HubUnreachable(endpoint=self._hub.endpoint, reason=str(error), detail=error) from error
        if self._part.offset < self._file.size:
            raise TryAgain(Phrase.of(ENDED_EARLY))

    async def _begin_body(self, restart: bool, etag: str) -> None:
        if restart:
            self._report.say("downloading", 0, Phrase.of(STARTING_OVER))
            await in_thread(self._part.restart)
        if etag != self._part.etag:
            await in_thread(partial(self._part.remember, etag))

    async def _receive(self, response: httpx2.Response) -> None:
        """Write the body; what came before a failure is kept. More than the file holds is not taken."""
        buffer = bytearray()
        room = self._file.size - self._part.offset
        try:
            # Read to its end: qasync does not finish a generator that is left early.
            async for piece in response.aiter_raw():
                if room == 0 and piece:
                    return
                buffer += piece[: room - len(buffer)]
                if buffer and len(buffer) >= min(FLUSH, room):
                    room -= len(buffer)
                    await self._flush(buffer)
                self._report.say("downloading", self._part.offset + len(buffer))
        finally:
            if buffer:
                await self._flush(buffer)

    async def _flush(self, buffer: bytearray) -> None:
        data = bytes(buffer)
        buffer.clear()  # before the await: when that is cancelled, the bytes were still written once
        await in_thread(partial(self._part.write, data))
        self._hub.require_online()

    @contextlib.asynccontextmanager
    async def _answer(self, client: httpx2.AsyncClient, start: int) -> AsyncIterator[httpx2.Response]:
        """The answer of the host that has the bytes; the token goes along only while that is the Hub itself."""
        url = httpx2.URL(self._file.url)
        for _ in range(MOST_REDIRECTS):
            request = client.build_request("GET", url, headers=self._headers(str(url), start))
            response = await client.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    self._check_refusal(response)
                    yield response
                    return
                check_promise(response.headers, self._file)
                url = _next_address(url, response.headers["Location"])
            finally:
                await response.aclose()
        raise odd("too many redirects")

    def _headers(self, url: str, start: int) -> dict[str, str]:
        headers = {}
        if token := self._hub.token_for(url):
            headers["Authorization"] = f"Bearer {token}"
        if start:
            headers["Range"] = f"bytes={start}-"
        if start and self._part.etag:
            headers["If-Range"] = self._part.etag
        return headers

    def _check_refusal(self, response: httpx2.Response) -> None:
        """Raise for a refusal of the Hub itself; another host's is an expired address, which is asked for again."""
        status, endpoint = response.status_code, httpx2.URL(self._hub.endpoint)
        if status not in (401, 403, 404, 410) or response.url.origin != endpoint.origin:
            return
        raise explain_status(
            status,
            code=response.headers.get("X-Error-Code", ""),
            what=f"{self._file.repo}/{self._file.file}",
            page=f"{self._hub.endpoint}/{self._file.repo}",
            wait=None,
            detail=dict(response.headers),
        )


def _next_address(url: httpx2.URL, location: str) -> httpx2.URL:
    """Resolve a redirect; one that leaves encryption is refused."""
    target = url.join(location)
    if target.scheme not in ("http", "https") or (url.scheme == "https" and target.scheme != "https"):
        raise odd("redirect")
    return target


async def _stoppable(work: Callable[[threading.Event], T]) -> T:
    """Run `work` in a thread that is told to stop when this is cancelled."""
    stop = threading.Event()
    try:
        return await asyncio.shield(task := asyncio.ensure_future(asyncio.to_thread(work, stop)))
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([task])
        raise
