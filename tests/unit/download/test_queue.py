"""The queue of downloads: they end in the library, or paused, failed or cancelled."""

import asyncio
from pathlib import Path

import pytest

from desktop.catalog.hub_errors import HubFileMissing
from desktop.download.part import part_path
from desktop.download.record import Download
from desktop.download.types import DownloadStopped
from desktop.library.library import Library
from desktop.library.types import WantedModel
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, assert_same, in_the_middle, leave, next_run, queue_of


@pytest.mark.asyncio
async def test_a_download_ends_in_the_library(server: HubServer, library: Library, source: Path) -> None:
    queue, seen = queue_of(server, library), list[Download]()
    queue.subscribe(seen.append)
    download = queue.start(WANTED)
    assert download.progress.state == "queued"
    model = await queue.wait(download.id)
    assert_same(model, source)
    assert Path(model.path) == library.models_folder / "owner" / "tiny-GGUF" / FILE
    assert library.find("tiny-1b:Q4_K_M") == model
    assert (model.repo, model.revision, model.licence) == (REPO, DEFAULT_COMMIT, "Apache-2.0")
    assert model.sha256 == server.repositories[REPO].files[FILE].sha256
    states = list(dict.fromkeys(each.progress.state for each in seen))
    assert states == ["queued", "resolving", "downloading", "verifying", "done"]
    await queue.close()
    assert (await next_run(server, library)).downloads() == (), "what is done is in the library, not in the queue"


@pytest.mark.asyncio
async def test_a_hub_name_with_a_quantization_finds_its_file(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    wanted = WantedModel(model_id=REPO, name="tiny-GGUF", quantization="Q4_K_M", repo=REPO)
    assert (await queue.wait(queue.start(wanted).id)).id == f"{REPO}:Q4_K_M"
    await queue.close()


@pytest.mark.asyncio
async def test_pausing_keeps_what_came_and_resuming_goes_on(server: HubServer, library: Library, source: Path) -> None:
    queue = await in_the_middle(server, library)
    queue.pause(WANTED.id)
    with pytest.raises(DownloadStopped):
        await queue.wait(WANTED.id)
    server.held_from = None
    queue.resume(WANTED.id)
    model = await queue.wait(WANTED.id)
    assert_same(model, source)
    assert server.of("cdn")[-1].range is not None
    await queue.close()


@pytest.mark.asyncio
async def test_cancelling_removes_what_came(server: HubServer, library: Library) -> None:
    queue = await in_the_middle(server, library)
    part = part_path(library.destination(repo=REPO, file=FILE))
    assert part.exists()
    queue.cancel(WANTED.id)
    await queue.close()
    assert not part.exists()
    assert (await next_run(server, library)).downloads() == ()


@pytest.mark.asyncio
async def test_a_failure_is_explained_and_the_next_model_still_comes(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    missing = WantedModel(model_id="none", name="None", quantization="Q8_0", repo=REPO, file="none.gguf")
    failed, good = queue.start(missing), queue.start(WANTED)
    with pytest.raises(HubFileMissing):
        await queue.wait(failed.id)
    assert (await queue.wait(good.id)).model_id == "tiny-1b"
    states = {each.id: each.progress.state for each in queue.downloads()}
    assert states == {failed.id: "failed", good.id: "done"}
    await queue.close()


@pytest.mark.asyncio
async def test_a_broken_line_is_told_while_it_is_tried_again(server: HubServer, library: Library) -> None:
    server.faults.append(Fault("cut", at=500_000))
    queue, messages = queue_of(server, library), list[str]()
    queue.subscribe(lambda each: messages.append(each.progress.message.render()) if each.progress.message else None)
    await queue.wait(queue.start(WANTED).id)
    assert any("attempt 2 of" in message for message in messages)
    await queue.close()


@pytest.mark.asyncio
async def test_what_is_there_whole_was_on_this_disk(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    await queue.wait(queue.start(WANTED).id)
    queue.start(WANTED)
    await queue.wait(WANTED.id)
    (done,) = queue.downloads()
    assert done.progress.resumed_from == done.progress.done == 1_500_000
    await queue.close()


@pytest.mark.asyncio
@pytest.mark.allow_log("a listener failed at the download of tiny-1b:Q4_K_M")
async def test_a_listener_that_fails_harms_neither_the_download_nor_the_others(
    server: HubServer, library: Library, source: Path
) -> None:
    queue, seen = queue_of(server, library), list[str]()

    def fail(_download: Download) -> None:
        raise ValueError("a fault of mine")

    queue.subscribe(fail)
    queue.subscribe(lambda each: seen.append(each.progress.state))
    assert_same(await queue.wait(queue.start(WANTED).id), source)
    assert seen[-1] == "done"
    await queue.close()


@pytest.mark.asyncio
async def test_what_is_thrown_away_while_it_is_being_stopped_is_gone(server: HubServer, library: Library) -> None:
    queue = await in_the_middle(server, library)
    queue.pause(WANTED.id)
    for _ in range(3):  # the transfer ends in a loop of its own
        await asyncio.sleep(0)
    queue.cancel(WANTED.id)
    await queue.close()
    assert [path for path in library.models_folder.rglob("*") if path.is_file()] == []


@pytest.mark.asyncio
@pytest.mark.allow_log("what came of tiny-1b:Q4_K_M could not be removed")
async def test_what_cannot_be_removed_is_told_in_the_log(
    server: HubServer, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    leave(library, WANTED)
    part_path(library.destination(repo=REPO, file=FILE)).mkdir(parents=True)
    queue = await next_run(server, library)
    queue.cancel(WANTED.id)
    await queue.close()
    assert "could not be removed" in caplog.text
