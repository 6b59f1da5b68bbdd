"""One file from the Hub to the disk: resumed, verified, and never half there under its name.

The transfer begins at {endpoint}/{repo}/resolve/{commit}/{file} (source.py), comes over several connections where the
server lets it (connections.py), into a part with a note of what is there (part.py, sidecar.py), and runs in an event
loop of its own (own_loop.py).
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from desktop.catalog.hub import Hub, HubFile
from desktop.download.connections import Connections
from desktop.download.limiter import BandwidthLimiter
from desktop.download.lock import exclusive
from desktop.download.own_loop import in_own_loop
from desktop.download.part import PartFile, tidy
from desktop.download.reporter import Report, Reporter, ignore_progress
from desktop.download.sidecar import claimed_bytes
from desktop.download.source import make_client
from desktop.download.types import ChecksumMismatch, TransferOptions
from desktop.errors import QT_TRANSLATE_NOOP, FileUnreadable, Phrase
from desktop.library.content import sha256_of
from desktop.library.work import BETWEEN_WORDS, Work
from desktop.threads import in_thread, tell_loop

WAITING_FOR_LOCK = QT_TRANSLATE_NOOP("core", "Another download of this file is under way.")
CHECKING = QT_TRANSLATE_NOOP("core", "Reading what is already there.")
DAMAGED = QT_TRANSLATE_NOOP(
    "core", "What was kept of an earlier download is damaged: starting again from the beginning."
)
_log = logging.getLogger(__name__)


async def download(
    *,
    file: HubFile,
    destination: Path,
    hub: Hub,
    on_progress: Report = ignore_progress,
    on_brought: Callable[[], None] = lambda: None,
    options: TransferOptions | None = None,
    limiter: BandwidthLimiter | None = None,
) -> Path:
    """Fetch `file` to `destination` and return it; a part that is there is continued, a right file is left alone.

    Cancelling keeps the part. Two processes may ask for the same file: one transfers, the other waits and has it too.
    `on_progress` is called at most every `options.progress_interval` seconds, and at each change of state, in the
    caller's event loop; `on_brought` there too when the file has got its name by this, cancelled or not. limiter:
    shared with other transfers, None for no limit.

    Raises OfflineSwitchOn, HubAccessDenied, HubFileMissing, HubBusy, HubUnreachable, TransferGaveUp, ChecksumMismatch,
    DiskFull (NoRoomForDownload), FileTooLarge, PartRemoved, FileNotSaved, and what catalog.hub_client.make_client
    raises.
    """
    await hub.prepare()
    options = options or TransferOptions()
    tell = partial(tell_loop, asyncio.get_running_loop())
    transfer = _Transfer(
        file=file,
        destination=destination,
        hub=hub,
        report=Reporter(file.size, partial(tell, on_progress), options.progress_interval),
        brought=partial(tell, on_brought),
        options=options,
        limiter=limiter or BandwidthLimiter(),
    )
    await in_own_loop(transfer.run, name=f"download {destination.name}")
    return destination


@dataclass(frozen=True)
class _Transfer:
    """One call of `download`, in its own loop. brought: called when the file has got its name."""

    file: HubFile
    destination: Path
    hub: Hub
    report: Reporter
    brought: Callable[[], None]
    options: TransferOptions
    limiter: BandwidthLimiter

    async def run(self) -> None:
        """Hold the lock and bring the file, unless it is there."""
        async with exclusive(self.destination, on_wait=self._say_waiting):
            if await self._is_there():
                tidy(self.destination)  # after somebody who was killed in the last moment
            else:
                await self._bring()

    def _say_waiting(self) -> None:
        self.report.say("downloading", claimed_bytes(self.destination), Phrase.of(WAITING_FOR_LOCK))

    async def _is_there(self) -> bool:
        """Whether the right file already has its name; another one stays until the new one is whole."""
        path, size = self.destination, self.file.size
        if not await in_thread(lambda: path.is_file() and path.stat().st_size == size):
            return False
        read = 0

        def note(done: int, _total: int) -> None:
            nonlocal read
            read = done

        work = Work(stop=(stop := threading.Event()), on_progress=note)
        async with self._telling(size, lambda: read / size if size else 1.0, Phrase.of(CHECKING)):
            is_right = await in_thread(partial(_is_right, path, self.file.sha256, work), stop=stop.set)
        if not is_right:
            return False
        self.report.resumed_from = size
        self.report.say("verifying", size, verified=1.0)
        return True

    async def _bring(self) -> None:
        """Fetch and verify; what was resumed and turns out wrong is fetched once more, from nothing."""
        self.hub.require_online()
        try:
            await self._fetch()
        except ChecksumMismatch:
            if not self.report.resumed_from:
                raise
            self.report.resumed_from = 0
            self.report.say("downloading", 0, Phrase.of(DAMAGED))
            await self._fetch()

    async def _fetch(self) -> None:
        part = PartFile(self.file, self.destination)
        try:
            await in_thread(part.open)
            self.report.resumed_from = part.done
            await in_thread(part.check_space)
            await in_thread(part.begin)
            async with await asyncio.to_thread(make_client, self.hub, self.options) as client:
                connections = Connections(
                    part, self.hub, client, report=self.report, options=self.options, limiter=self.limiter
                )
                await connections.fetch()
            async with self._telling(part.done, lambda: part.verified):
                digest = await in_thread(part.digest, stop=part.stop_hashing)
            await in_thread(partial(self._finish, part, digest))
        finally:
            await in_thread(part.close)

    @asynccontextmanager
    async def _telling(
        self, done: int, share: Callable[[], float], message: Phrase | None = None
    ) -> AsyncGenerator[None]:
        """Tell how far it is with verifying while that lasts: of what was kept it may be minutes on a slow disk."""

        def say() -> None:
            self.report.say("verifying", done, message, verified=share())

        async def go_on() -> None:
            while True:
                await asyncio.sleep(max(self.options.progress_interval, BETWEEN_WORDS))
                say()

        say()
        telling = asyncio.ensure_future(go_on())
        try:
            yield
            say()
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    def _finish(self, part: PartFile, digest: str) -> None:
        part.finish(digest)
        self.brought()


def _is_right(path: Path, sha256: str, work: Work) -> bool:
    """Whether a file has the content it must have; one that cannot be read is to be fetched again. Raises Stopped."""
    try:
        return sha256_of([path], work) == sha256
    except FileUnreadable as error:
        _log.warning("%s is fetched again: %s", path, error)
        return False
