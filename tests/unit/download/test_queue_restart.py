"""What the next start of the program finds, and what several processes make of the same rows."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub import Hub, HubFile
from desktop.catalog.hub_errors import HubBusy, HubFileMissing, HubUnreachable, OfflineSwitchOn, PageInstead
from desktop.database import open_database
from desktop.download.part import PartFile
from desktop.download.queue import DownloadQueue
from desktop.download.record import Download
from desktop.download.types import TransferGaveUp
from desktop.errors import AppError
from desktop.library.library import Library
from desktop.library.migrations import MIGRATIONS
from desktop.library.types import WantedModel
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, assert_same, leave, next_run, others, queue_of, settled, until
from tests.support.transfers import IMPATIENT, PATIENT


def states(queue: DownloadQueue) -> dict[str, str]:
    return {each.id: each.progress.state for each in queue.downloads()}


def interrupted(queue: DownloadQueue) -> list[str]:
    return [each.id for each in queue.interrupted()]


@pytest.mark.asyncio
async def test_what_was_under_way_is_interrupted_and_goes_on(server: HubServer, library: Library, source: Path) -> None:
    server.held_from = 900_000
    first = queue_of(server, library)
    assert first.downloads() == (), "nothing is read from the disk when it is made"
    running, waiting, paused = [first.start(each).id for each in (WANTED, *others(server, 2))]
    await until(first, running, done=600_000)
    first.pause(paused)
    await first.close()
    server.held_from = None
    second = await next_run(server, library)
    assert set(states(second).values()) == {"paused"}, "nothing begins by itself"
    assert interrupted(second) == [running, waiting]
    left = second.downloads()[0]
    assert 600_000 <= left.progress.done < 1_500_000
    assert left.wanted.revision == DEFAULT_COMMIT, "it stays pinned to the commit it began with"
    second.resume(left.id)
    assert_same(await second.wait(left.id), source)
    assert server.of("cdn")[-1].range is not None
    await second.close()
    assert interrupted(await next_run(server, library)) == [waiting], "as often as it takes"


@pytest.mark.asyncio
@pytest.mark.parametrize("position", [-(1 << 63), (1 << 63) - 1])
async def test_a_row_at_the_end_of_all_numbers_leaves_room_before_and_behind(
    server: HubServer, library: Library, position: int
) -> None:
    leave(library, WANTED, position=position)
    queue = await next_run(server, library)
    (other,) = others(server, 1)
    await queue.wait(queue.start(other).id)
    queue.move_to_front(WANTED.id)
    await queue.close()
    assert states(await next_run(server, library)) == {WANTED.id: "paused"}


@pytest.mark.asyncio
async def test_what_has_failed_waits_for_a_person(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    missing = WantedModel(model_id="none", name="None", quantization="Q8_0", repo=REPO, file="none.gguf")
    with pytest.raises(HubFileMissing):
        await queue.wait(queue.start(missing).id)
    await queue.close()
    again = await next_run(server, library)
    assert states(again) == {missing.id: "failed"}
    assert interrupted(again) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("status", status=500), HubUnreachable),
        (Fault("status", status=429), HubBusy),
        (Fault("page"), PageInstead),
        (Fault("cut", at=1000), TransferGaveUp),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
async def test_what_a_bad_line_ended_is_paused_with_the_reason_and_goes_on(
    server: HubServer, library: Library, source: Path, fault: Fault, why: type[AppError]
) -> None:
    faults = server.faults if fault.kind == "cut" else server.hub_faults
    faults.extend([fault] * 50)
    queue = DownloadQueue(hub=Hub(server.endpoint, environment={}), library=library, options=IMPATIENT)
    with pytest.raises(why):
        await queue.wait(queue.start(WANTED).id)
    (left,) = queue.interrupted()
    assert isinstance(left.error, why)
    await queue.close()
    faults.clear()
    again = await next_run(server, library)
    assert interrupted(again) == [WANTED.id]
    again.resume(WANTED.id)
    assert_same(await again.wait(WANTED.id), source)
    await again.close()


@pytest.mark.asyncio
async def test_what_the_network_switch_has_ended_goes_on_afterwards(
    server: HubServer, library: Library, source: Path
) -> None:
    server.held_from = 500_000
    offline = [False]
    hub = Hub(server.endpoint, offline=lambda: offline[0], environment={})
    queue = DownloadQueue(hub=hub, library=library, options=PATIENT)
    queue.start(WANTED)
    await until(queue, WANTED.id, done=300_000)
    offline[0] = True
    server.held_from = None
    with pytest.raises(OfflineSwitchOn):
        await queue.wait(WANTED.id)
    offline[0] = False
    assert interrupted(queue) == [WANTED.id]
    queue.resume(WANTED.id)
    assert_same(await queue.wait(WANTED.id), source)
    assert server.of("cdn")[-1].range is not None
    await queue.close()


@pytest.mark.asyncio
async def test_after_a_crash_the_disk_says_how_much_came(server: HubServer, library: Library) -> None:
    leave(library, WANTED)
    destination = library.destination(repo=REPO, file=FILE)
    destination.parent.mkdir(parents=True)
    file = HubFile(repo=REPO, file=FILE, revision="c" * 40, size=1_500_000, sha256="a" * 64, url="")
    part = PartFile(file, destination)
    part.open()
    part.begin()
    part.write(100_000, bytes(700_000))
    part.close()
    queue = await next_run(server, library)
    (left,) = queue.interrupted()
    assert (left.progress.done, left.progress.total) == (700_000, 1_500_000)


@pytest.mark.asyncio
@pytest.mark.allow_log("a download .* is left out: ")
async def test_a_row_that_nobody_can_use_costs_the_others_nothing(server: HubServer, library: Library) -> None:
    unsafe = WantedModel(model_id="bad", name="Bad", quantization="Q8_0", repo=REPO, file="../../bad.gguf")
    newer = WantedModel(model_id="newer", name="Newer", quantization="Q8_0", repo=REPO)
    for position, wanted in enumerate((unsafe, newer, WANTED)):
        leave(library, wanted, position=position)
    library.database.execute("UPDATE downloads SET choice = '{}' WHERE id = ?", (newer.id,))
    assert interrupted(await next_run(server, library)) == [WANTED.id]


@pytest.mark.asyncio
async def test_a_download_that_an_older_version_left_goes_on(server: HubServer, tmp_path: Path) -> None:
    path = tmp_path / "older.sqlite3"
    database = open_database(path, name="library", migrations=MIGRATIONS[:5])
    row = (WANTED.id, msgspec.json.encode(WANTED).decode(), 1, "queued", 600_000, 1_500_000)
    database.execute("INSERT INTO downloads (id, choice, position, state, done, total) VALUES (?, ?, ?, ?, ?, ?)", row)
    database.close()
    library = Library.open(path, tmp_path / "models")
    queue = await next_run(server, library)
    assert interrupted(queue) == [WANTED.id]
    assert queue.downloads()[0].progress.done == 0, "the disk says how much came"
    await queue.close()
    library.close()


@pytest.mark.asyncio
async def test_what_only_a_pull_was_at_is_not_taken_up_by_the_window(server: HubServer, library: Library) -> None:
    server.held_from = 900_000
    of_the_window = others(server, 1)[0]
    leave(library, of_the_window)
    pull = await next_run(server, library, at_once=2)
    for wanted in (WANTED, of_the_window):
        pull.start(wanted, goes_on=False)
    await until(pull, WANTED.id, done=300_000)
    await pull.close()
    window = await next_run(server, library)
    assert set(states(window)) == {WANTED.id, of_the_window.id}
    assert interrupted(window) == [of_the_window.id], "the window was at it before the pull"
    window.resume(WANTED.id)
    await window.close()
    assert WANTED.id in interrupted(await next_run(server, library)), "now it is the window's"


@pytest.mark.asyncio
async def test_what_another_process_has_ended_goes_and_does_not_come_back(
    server: HubServer, library: Library, source: Path
) -> None:
    other = others(server, 1)[0]
    leave(library, WANTED)
    leave(library, other, position=2)
    window, pull = await next_run(server, library), await next_run(server, library)
    assert_same(await pull.wait(pull.start(WANTED, goes_on=False).id), source)
    await pull.close()
    window.move_to_front(WANTED.id)  # the window does not know it yet
    await settled(window)
    seen = list[tuple[str, str]]()
    window.subscribe(lambda each: seen.append((each.id, each.progress.state)))
    await window.read()
    assert (WANTED.id, "cancelled") in seen
    assert interrupted(window) == [other.id]
    await window.close()
    assert list(states(await next_run(server, library))) == [other.id]


@pytest.mark.asyncio
async def test_what_another_process_has_begun_is_shown_with_what_came(server: HubServer, library: Library) -> None:
    server.held_from = 500_000
    window, pull = await next_run(server, library), await next_run(server, library)
    pull.start(WANTED, goes_on=False)
    await until(pull, WANTED.id, done=300_000)
    await window.read()
    early = window.downloads()[0].progress.done
    server.held_from = 1_100_000
    await until(pull, WANTED.id, done=900_000)
    await window.read()
    (shown,) = window.downloads()
    assert shown.progress.state == "paused"
    assert 300_000 <= early < shown.progress.done
    await pull.close()
    await window.close()


@pytest.mark.asyncio
async def test_two_processes_that_want_one_model_fetch_it_once(
    server: HubServer, library: Library, source: Path
) -> None:
    server.held_from = 500_000
    window, pull = queue_of(server, library), queue_of(server, library)
    window.start(WANTED)
    await until(window, WANTED.id, done=300_000)
    waits = asyncio.Event()

    def listen(each: Download) -> None:
        if each.progress.message and each.progress.message.render() == "Another download of this file is under way.":
            waits.set()

    pull.subscribe(listen)
    await pull.read()
    pull.start(WANTED, goes_on=False)
    await asyncio.wait_for(waits.wait(), 60)
    server.held_from = None
    for model in await asyncio.gather(window.wait(WANTED.id), pull.wait(WANTED.id)):
        assert_same(model, source)
    assert server.settled().bytes_sent == 1_500_000
    await asyncio.gather(window.close(), pull.close())
    assert states(await next_run(server, library)) == {}
