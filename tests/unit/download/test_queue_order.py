"""Which download comes when: so many at once, in an order that a person may change, and the same file never twice."""

from pathlib import Path

import pytest

from desktop.download.record import Download
from desktop.library.library import Library
from desktop.library.types import WantedModel
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, Watcher, assert_same, next_run, others, queue_of, until


@pytest.mark.asyncio
@pytest.mark.parametrize("at_once", [1, 2])
async def test_so_many_at_once_and_the_same_one_never_twice(server: HubServer, library: Library, at_once: int) -> None:
    server.held_from = 900_000
    queue = queue_of(server, library, at_once)
    watcher = Watcher(queue)
    first, again = queue.start(WANTED), queue.start(WANTED)
    all_of_them = [first, *(queue.start(wanted) for wanted in others(server, 2))]
    assert first.id == again.id
    assert len(queue.downloads()) == 3
    for each in all_of_them[:at_once]:
        await until(queue, each.id, done=600_000)
    server.held_from = None
    for each in all_of_them:
        await queue.wait(each.id)
    assert watcher.most == at_once
    assert server.settled().bytes_sent == 3 * server.repositories[REPO].files[FILE].size
    await queue.close()


@pytest.mark.asyncio
async def test_two_entries_that_name_one_file_fetch_it_once(server: HubServer, library: Library, source: Path) -> None:
    server.held_from = 900_000
    queue = queue_of(server, library, 2)
    by_name = WantedModel(model_id=REPO, name="tiny-GGUF", quantization="Q4_K_M", repo=REPO)  # its file: asked for
    by_file = WantedModel(model_id="same", name="Same", quantization="Q4_K_M", repo=REPO, file=FILE)
    entries = [queue.start(wanted) for wanted in (WANTED, by_name, by_file)]
    await until(queue, WANTED.id, done=600_000)
    server.held_from = None
    for each in entries:
        assert_same(await queue.wait(each.id), source)
    assert server.settled().bytes_sent == 1_500_000
    await queue.close()


@pytest.mark.asyncio
async def test_what_another_entry_still_needs_is_not_discarded(server: HubServer, library: Library) -> None:
    server.held_from = 900_000
    queue = queue_of(server, library)
    other = WantedModel(model_id="same", name="Same", quantization="Q4_K_M", repo=REPO, file=FILE)
    first, second = queue.start(WANTED), queue.start(other)
    await until(queue, first.id, done=600_000)
    queue.cancel(first.id)
    server.held_from = None
    await queue.wait(second.id)
    assert server.of("cdn")[-1].range is not None, "it goes on where the other one was"
    await queue.close()


@pytest.mark.asyncio
async def test_the_order_can_be_changed_and_a_restart_keeps_it(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    watcher = Watcher(queue)
    ids = [queue.start(wanted).id for wanted in (WANTED, *others(server, 3))]

    def hold_the_next(each: Download) -> None:
        if each.id == ids[3] and each.progress.state == "verifying":
            server.held_from = 900_000

    queue.subscribe(hold_the_next)
    queue.move_to_front(ids[3])
    assert [each.id for each in queue.downloads()] == [ids[3], *ids[:3]]
    await queue.wait(ids[3])
    assert watcher.began[:2] == [ids[0], ids[3]], "what is under way is not interrupted"
    queue.move_to_front(ids[2])
    await queue.close()
    kept = await next_run(server, library)
    assert [each.id for each in kept.downloads()] == [ids[2], ids[1]]
    await kept.close()


@pytest.mark.asyncio
async def test_all_can_be_paused_and_each_goes_on(server: HubServer, library: Library, source: Path) -> None:
    server.held_from = 900_000
    queue = queue_of(server, library, 2)
    ids = [queue.start(wanted).id for wanted in (WANTED, *others(server, 2))]
    await until(queue, ids[0], done=300_000)
    queue.pause_all()
    assert {each.progress.state for each in queue.downloads()} == {"paused"}
    server.held_from = None
    for each in ids:
        queue.resume(each)
    for each in ids:
        assert_same(await queue.wait(each), source)
    await queue.close()


@pytest.mark.asyncio
async def test_more_begin_as_soon_as_more_may(server: HubServer, library: Library) -> None:
    server.held_from = 500_000
    allowed = [1]
    queue = queue_of(server, library, asked=lambda: allowed[0])
    watcher = Watcher(queue)
    ids = [queue.start(wanted).id for wanted in (WANTED, *others(server, 1))]
    await until(queue, ids[0], done=300_000)
    assert watcher.most == 1
    allowed[0] = 2
    server.held_from = 900_000
    await until(queue, ids[1], done=100_000)
    assert watcher.most == 2
    await queue.close()
