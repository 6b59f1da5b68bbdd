"""What tests of the queue of downloads share: a model on the Hub of our tests, and what is seen of a queue."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from desktop.catalog.hub import Hub
from desktop.download.queue import DownloadQueue
from desktop.download.record import Download, DownloadRecord
from desktop.download.types import DownloadProgress
from desktop.library.library import Library
from desktop.library.types import InstalledModel, WantedModel
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.transfers import PATIENT

WANTED = WantedModel(
    model_id="tiny-1b", name="Tiny 1B", quantization="Q4_K_M", repo=REPO, file=FILE, licence="Apache-2.0"
)


def queue_of(
    server: HubServer, library: Library, at_once: int = 1, *, asked: Callable[[], int] | None = None
) -> DownloadQueue:
    """A queue of `at_once` downloads at a time, or as many as `asked` says."""
    hub = Hub(server.endpoint, environment={})
    return DownloadQueue(hub=hub, library=library, options=PATIENT, at_once=asked or (lambda: at_once))


async def next_run(server: HubServer, library: Library, at_once: int = 1) -> DownloadQueue:
    """The queue as the next start of the program finds it."""
    queue = queue_of(server, library, at_once)
    await queue.read()
    return queue


async def in_the_middle(
    server: HubServer, library: Library, wanted: WantedModel = WANTED, *, done: int = 600_000
) -> DownloadQueue:
    """A queue of whose one model `done` bytes have come; the server holds what is behind 900,000."""
    server.held_from = 900_000
    queue = queue_of(server, library)
    await until(queue, queue.start(wanted).id, done=done)
    return queue


def leave(library: Library, wanted: WantedModel, *, goes_on: bool = True, position: int = 1) -> None:
    """Write the row of a download that was under way when the program was killed."""
    progress = DownloadProgress(state="downloading", total=1_500_000)
    row = Download(id=wanted.id, wanted=wanted, progress=progress, position=position, goes_on=goes_on)
    DownloadRecord(library.database).save(row, new=True)


def assert_same(model: InstalledModel, source: Path) -> None:
    assert Path(model.path).read_bytes() == source.read_bytes()


async def until(queue: DownloadQueue, download_id: str, *, done: int) -> None:
    """Wait until `done` bytes have come. What came last is known late: hold the file 100,000 bytes later, or more."""
    came = asyncio.Event()

    def look(each: Download) -> None:
        if each.id == download_id and each.progress.done >= done:
            came.set()

    end = queue.subscribe(look)
    for each in queue.downloads():
        look(each)
    await asyncio.wait_for(came.wait(), 60)
    end()


async def settled(queue: DownloadQueue) -> None:
    """Let the queue write its rows."""
    while queue._tasks:
        await asyncio.gather(*queue._tasks)


def others(server: HubServer, count: int) -> list[WantedModel]:
    """Models of repositories of their own, with the same content."""
    found = []
    for number in range(count):
        repo, file = f"other/tiny{number}", f"other{number}-Q8_0.gguf"
        server.add_served(repo, file, server.repositories[REPO].files[FILE])
        found.append(WantedModel(model_id=f"other{number}", name="", quantization="Q8_0", repo=repo, file=file))
    return found


class Watcher:
    """Which downloads began, in which order, and how many were fetched at once."""

    def __init__(self, queue: DownloadQueue) -> None:
        self.began: list[str] = []
        self.most = 0
        self._active = set[str]()
        queue.subscribe(self._see)

    def _see(self, each: Download) -> None:
        if each.progress.state == "resolving" and each.id not in self.began:
            self.began.append(each.id)
        (self._active.add if each.progress.state in ("downloading", "verifying") else self._active.discard)(each.id)
        self.most = max(self.most, len(self._active))
