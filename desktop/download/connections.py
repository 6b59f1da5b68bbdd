"""What is missing of one file, over several connections: pieces, back-off, and fewer of them where a server is busy.

The first connection asks alone. When its range is answered as asked (206) the others begin; a server that sends the
whole file instead has just that one.
"""

import asyncio
import contextlib
import random
import time
from functools import partial

import httpx2

from desktop.catalog.hub import Hub
from desktop.catalog.hub_errors import HubBusy
from desktop.download.answers import ENDED_EARLY, TryAgain, check_beginning, judge, odd, strong_etag
from desktop.download.limiter import BandwidthLimiter
from desktop.download.part import PartFile
from desktop.download.ranges import Piece, Pieces, Range
from desktop.download.reporter import Reporter
from desktop.download.source import Source
from desktop.download.types import TransferGaveUp, TransferOptions
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.threads import in_thread

FLUSH = 64 << 10
"""Bytes that a connection keeps before they go to the disk: so much of each is fetched again after a crash."""

LOOK_AGAIN = 0.5
"""Seconds between two looks for something to do, or to put on the disk."""

STARTING_OVER = QT_TRANSLATE_NOOP("core", "The server cannot go on from the middle: starting again from the beginning.")


class Connections:
    """Fetches what `part` misses. Used once, from one event loop."""

    def __init__(
        self,
        part: PartFile,
        hub: Hub,
        client: httpx2.AsyncClient,
        *,
        report: Reporter,
        options: TransferOptions,
        limiter: BandwidthLimiter,
    ) -> None:
        self._part = part
        self._file = part.file
        self._hub = hub
        self._client = client
        self._report = report
        self._options = options
        self._limiter = limiter
        self._restarts = 0
        self._refused_ranges = 0
        self._most = options.connections
        self._not_before = 0.0
        self._begin()

    def _begin(self) -> None:
        missing = self._part.missing()
        total, options = sum(end - start for start, end in missing), self._options
        self._wanted = max(1, min(self._most, total // options.least_piece))
        size = min(max(total // (4 * self._wanted), options.least_piece), options.largest_piece)
        if self._wanted == 1:
            size = self._file.size
        self._pieces = Pieces(missing, size=size, least=options.least_piece)
        self._tasks: list[asyncio.Task[None]] = []
        self._alive = 0
        self._lone: tuple[float, int] | None = None
        self._receiving = 0
        self._is_useless = False  # what is there: all of it must come once more
        self._over = asyncio.Event()
        self._changed = asyncio.Event()

    async def fetch(self) -> None:
        """Bring every byte, attempt after attempt; every wait is reported.

        Raises what `Source.answer` raises but TryAgain; TransferGaveUp, HubBusy, NoRoomForDownload, FileTooLarge,
        PartRemoved, FileNotSaved.
        """
        while self._part.missing():
            await self._run()
            if self._is_useless:
                self._report.resumed_from = 0
                self._report.say("downloading", 0, Phrase.of(STARTING_OVER))
                await in_thread(self._part.restart)
            self._begin()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._keep_notes())
                self._add_connection()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the others were cancelled, or say the same

    def _add_connection(self) -> None:
        self._alive += 1
        self._tasks.append(self._group.create_task(self._work()))

    async def _keep_notes(self) -> None:
        """Put on the disk from time to time what came; see whether the rest still fits, and may still be fetched."""
        options, last = self._options, time.monotonic()
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), LOOK_AGAIN)
            if not self._over.is_set():  # else there is nothing to fetch any more
                self._hub.require_online()
            waited = time.monotonic() - last >= options.note_seconds
            if self._part.unsynced >= options.note_bytes or (waited and self._part.unsynced):
                await in_thread(self._part.sync)
                await in_thread(self._part.check_space)
                last = time.monotonic()

    async def _work(self) -> None:
        """One connection, until nothing is left for it."""
        source = Source(self._file, self._hub, self._client, self._options)
        failures = 0
        while (piece := await self._next_piece()) is not None:
            before, failure = piece.position, None
            try:
                await self._attempt(source, piece)
            except TryAgain as error:
                failure = error if piece.rest else None  # else it broke after all of it had come
            self._pieces.give_back(piece)
            self._changed.set()
            if failure is None:
                failures = 0
                continue
            enough = piece.position - before >= self._options.enough_progress
            failures = 1 if enough else failures + 1
            if self._alive > 1 and (failure.busy or failures >= self._options.attempts):
                self._retire(failure)
                return
            await self._prepare_again(failure, failures)
            if failure.restart:
                # Not by an exception: a TaskGroup that is cancelled at the same time would tell of that alone.
                self._is_useless = True
                break
        self._over.set()
        for task in self._tasks:  # those that still wait for bytes that others have brought, or begin again
            if task is not asyncio.current_task():
                task.cancel()

    def _retire(self, failure: TryAgain) -> None:
        """Leave the rest to the others: the server is busy, or this connection gets nowhere."""
        self._alive -= 1
        self._most = max(1, self._alive)
        if failure.wait is not None:
            wait = min(failure.wait, self._options.longest_retry_after)
            self._not_before = max(self._not_before, time.monotonic() + wait)

    async def _next_piece(self) -> Piece | None:
        """Wait for something to do; None when everything is there, or nearly."""
        while not self._pieces.done:
            now = time.monotonic()
            if now >= self._not_before:
                piece = self._pieces.take(now) or self._pieces.share(now, patience=self._options.patience)
                if piece is not None:
                    return piece
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_AGAIN)
        return None

    async def _prepare_again(self, failure: TryAgain, failures: int) -> None:
        """Wait before the next attempt, or give up with what is kept."""
        options = self._options
        self._restarts += failure.restart
        if failures >= options.attempts or self._restarts >= options.attempts:
            raise TransferGaveUp(
                file=self._file.file,
                attempts=max(failures, self._restarts),
                why=failure.reason,
                kept=self._part.done > 0,
                detail=failure,
            ) from failure
        if failure.wait is not None and failure.wait > options.longest_retry_after:
            raise HubBusy(seconds=round(failure.wait), detail=failure) from failure
        wait = min(options.first_wait * 2 ** (failures - 1), options.longest_wait) * random.uniform(0.5, 1.0)  # noqa: S311
        wait = max(wait, failure.wait or 0.0)
        if not self._receiving:  # else it does go on
            message = failure.announce(wait=wait, attempt=failures + 1, attempts=options.attempts)
            self._report.say("downloading", self._part.done, message)
        await asyncio.sleep(wait)

    async def _attempt(self, source: Source, piece: Piece) -> None:
        """One request. Raises TryAgain when the piece is not whole afterwards."""
        whole_file = (piece.position, piece.end) == (0, self._file.size)
        asked: Range | None = None if whole_file else (piece.position, piece.end)
        async with source.answer(asked, self._part.etag) as response:
            verdict = judge(response.status_code, response.headers, asked=asked, size=self._file.size)
            etag = strong_etag(response.headers)
            if verdict == "whole":
                self._accept_whole(piece, etag)
            else:
                self._accept_range(etag)
            if etag and etag != self._part.etag:
                await in_thread(partial(self._part.remember, etag))
            self._receiving += 1
            try:
                await self._receive(response, piece)
            finally:
                self._receiving -= 1
        if piece.rest:
            raise TryAgain(Phrase.of(ENDED_EARLY))

    def _accept_range(self, etag: str) -> None:
        self._refused_ranges = 0
        if etag and self._part.etag not in ("", etag):
            raise odd("ETag", restart=True)  # RFC 9110, 15.3.7.3: parts of different answers are not combined

    def _begin_others(self) -> None:
        """Let the others join, once, unless the first connection is as fast as they would be together."""
        if not self._wanted:
            return
        now, options = time.monotonic(), self._options
        since, before = self._lone = self._lone or (now, self._part.done)
        seconds = now - since
        if seconds < options.lone_seconds or self._part.done - before > seconds * options.lone_speed:
            return
        while self._alive < self._wanted:
            self._add_connection()
        self._wanted = 0

    def _accept_whole(self, piece: Piece, etag: str) -> None:
        """Take the whole file where nothing is there yet; else ask once more before what is there is given up."""
        if piece.position == 0 and self._alive == 1 and not self._part.done:
            self._wanted = 0
            self._pieces.widen(piece, self._file.size)
            return
        self._refused_ranges += 1
        changed = bool(self._part.etag) and etag != self._part.etag
        raise odd("200", restart=changed or self._refused_ranges > 1)

    async def _receive(self, response: httpx2.Response, piece: Piece) -> None:
        """Write the body; what came before a failure is kept. More than was asked for is not taken."""
        buffer = bytearray()
        async with contextlib.aclosing(response.aiter_raw()) as body:
            try:
                # Read to its end where it ends by itself: the connection can be used again then.
                async for data in body:
                    if not piece.position and not buffer:
                        check_beginning(data, self._file, response.url)
                    if piece.rest <= len(buffer):
                        return
                    if not buffer and len(data) >= FLUSH // 2:
                        self._flush(memoryview(data), piece)
                    else:
                        buffer += data
                    if len(buffer) >= min(FLUSH, piece.rest):
                        self._flush(buffer, piece)
                    self._begin_others()
                    await self._limiter.pace(len(data))
            finally:
                self._flush(buffer, piece)

    def _flush(self, data: bytearray | memoryview, piece: Piece) -> None:
        """Straight to the system, without another thread: this loop has nothing else to do."""
        with memoryview(data)[: piece.rest] as view:
            if view:
                self._part.write(piece.position, view)
                piece.position += len(view)
        if isinstance(data, bytearray):
            data.clear()
        self._report.say("downloading", self._part.done)
        self._hub.require_online()
