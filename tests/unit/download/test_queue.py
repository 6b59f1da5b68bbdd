"""The queue of downloads: they end in the library, or paused, failed or cancelled, and a restart forgets nothing."""

from pathlib import Path

import pytest

from desktop.catalog.hub import HubFile
from desktop.catalog.hub_errors import HubFileMissing
from desktop.download.part import PartFile, part_path
from desktop.download.record import Download, DownloadRecord
from desktop.download.types import DownloadProgress, DownloadStopped
from desktop.library.library import Library
from desktop.library.types import CatalogChoice
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.queues import CHOICE, assert_same, queue_of, until
from tests.support.transfers import FILE, REPO, make_source


@pytest.mark.asyncio
async def test_a_download_ends_in_the_library(server: HubServer, library: Library, source: Path) -> None:
    queue, seen = queue_of(server, library), list[Download]()
    queue.subscribe(seen.append)
    download = queue.start(CHOICE)
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
    assert queue_of(server, library).downloads() == (), "what is done is in the library, not in the queue"


@pytest.mark.asyncio
async def test_a_hub_name_with_a_quantization_finds_its_file(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    choice = CatalogChoice(model_id=REPO, name="tiny-GGUF", quantization="Q4_K_M", repo=REPO)
    assert (await queue.wait(queue.start(choice).id)).id == f"{REPO}:Q4_K_M"
    await queue.close()


@pytest.mark.asyncio
async def test_a_split_model_comes_whole(server: HubServer, library: Library, source: Path, tmp_path: Path) -> None:
    names = [f"tiny-Q8_0-0000{index}-of-00002.gguf" for index in (1, 2)]
    second = make_source(tmp_path, size=400_000, seed=2)
    server.add(REPO, names[0], source)
    server.add(REPO, names[1], second)
    queue = queue_of(server, library)
    choice = CatalogChoice(model_id="tiny-1b", name="Tiny", quantization="Q8_0", repo=REPO, file=names[0])
    model = await queue.wait(queue.start(choice).id)
    assert model.size == 1_900_000
    assert Path(model.path).with_name(names[1]).read_bytes() == second.read_bytes()
    assert len([each for each in server.of("hub") if each.path.startswith("/api/")]) == 1, "asked for once"
    await queue.close()


@pytest.mark.asyncio
async def test_pausing_keeps_what_came_and_resuming_goes_on(server: HubServer, library: Library, source: Path) -> None:
    server.bytes_per_second = 1e6
    queue = queue_of(server, library)
    download = queue.start(CHOICE)
    await until(queue, download.id, done=600_000)
    queue.pause(download.id)
    with pytest.raises(DownloadStopped):
        await queue.wait(download.id)
    server.bytes_per_second = None
    queue.resume(download.id)
    model = await queue.wait(download.id)
    assert_same(model, source)
    assert server.of("cdn")[-1].range is not None
    await queue.close()


@pytest.mark.asyncio
async def test_cancelling_removes_what_came(server: HubServer, library: Library) -> None:
    server.bytes_per_second = 1e6
    queue = queue_of(server, library)
    download = queue.start(CHOICE)
    await until(queue, download.id, done=600_000)
    part = part_path(library.destination(repo=REPO, file=FILE))
    assert part.exists()
    queue.cancel(download.id)
    await queue.close()
    assert not part.exists()
    assert queue_of(server, library).downloads() == ()


@pytest.mark.asyncio
async def test_a_restart_finds_the_download_paused_and_goes_on(
    server: HubServer, library: Library, source: Path
) -> None:
    server.bytes_per_second = 1e6
    first = queue_of(server, library)
    download = first.start(CHOICE)
    await until(first, download.id, done=600_000)
    await first.close()
    server.bytes_per_second = None
    second = queue_of(server, library)
    (left,) = second.downloads()
    assert left.progress.state == "paused"
    assert left.progress.done >= 600_000
    assert left.choice.revision == DEFAULT_COMMIT, "it stays pinned to the commit it began with"
    second.resume(left.id)
    model = await second.wait(left.id)
    assert_same(model, source)
    assert server.of("cdn")[-1].range is not None
    await second.close()


def test_after_a_crash_the_disk_says_how_much_came(server: HubServer, library: Library) -> None:
    progress = DownloadProgress(state="downloading", done=0, total=1_500_000)
    row = Download(id=CHOICE.id, choice=CHOICE, progress=progress, position=1)
    DownloadRecord(library.database).save(row)
    destination = library.destination(repo=REPO, file=FILE)
    destination.parent.mkdir(parents=True)
    file = HubFile(repo=REPO, file=FILE, revision="c" * 40, size=1_500_000, sha256="a" * 64, url="")
    part = PartFile(file, destination)
    part.open()
    part.begin()
    part.write(100_000, bytes(700_000))
    part.close()
    (left,) = queue_of(server, library).downloads()
    assert (left.progress.state, left.progress.done, left.progress.total) == ("paused", 700_000, 1_500_000)


@pytest.mark.asyncio
async def test_a_failure_is_explained_and_the_next_model_still_comes(server: HubServer, library: Library) -> None:
    queue = queue_of(server, library)
    missing = CatalogChoice(model_id="none", name="None", quantization="Q8_0", repo=REPO, file="none.gguf")
    failed, good = queue.start(missing), queue.start(CHOICE)
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
    await queue.wait(queue.start(CHOICE).id)
    assert any("attempt 2 of" in message for message in messages)
    await queue.close()
