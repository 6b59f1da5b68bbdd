"""A repository that was rewritten: the commit that a download was pinned to is gone."""

from pathlib import Path

import msgspec
import pytest

from desktop.catalog.hub_errors import HubFileChanged, HubFileMissing
from desktop.library.library import Library
from desktop.library.types import WantedModel
from tests.support.hub_server import DEFAULT_COMMIT, HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, assert_same, next_run, queue_of, until

pytestmark = pytest.mark.asyncio
NEWEST = "e" * 40


@pytest.fixture
def chosen(server: HubServer) -> WantedModel:
    """A file as a list of a repository pins it."""
    served = server.repositories[REPO].files[FILE]
    return msgspec.structs.replace(WANTED, revision=DEFAULT_COMMIT, size=served.size, sha256=served.sha256)


@pytest.mark.parametrize("known", ["the SHA-256", "the size"])
async def test_the_same_content_at_a_newer_commit_is_fetched_without_a_word(
    server: HubServer, library: Library, source: Path, chosen: WantedModel, known: str
) -> None:
    server.repositories[REPO].commit = NEWEST
    queue = queue_of(server, library)
    wanted = chosen if known == "the SHA-256" else msgspec.structs.replace(chosen, sha256="")
    model = await queue.wait(queue.start(wanted).id)
    assert_same(model, source)
    assert model.revision == NEWEST
    await queue.close()


async def test_a_paused_download_goes_on_where_it_was(
    server: HubServer, library: Library, source: Path, chosen: WantedModel
) -> None:
    server.held_from = 900_000
    first = queue_of(server, library)
    await until(first, first.start(WANTED).id, done=600_000)
    await first.close()
    server.held_from = None
    server.repositories[REPO].commit = NEWEST
    second = await next_run(server, library)
    [left] = second.downloads()
    assert (left.wanted.sha256, left.wanted.size) == (chosen.sha256, chosen.size)
    model = await second.wait(second.resume(left.id).id)
    assert_same(model, source)
    assert second.downloads()[0].progress.resumed_from >= 600_000
    await second.close()


@pytest.mark.parametrize("told", ["another SHA-256", "another size"])
async def test_another_content_is_told_and_fetched_when_the_person_tries_again(
    server: HubServer, library: Library, source: Path, chosen: WantedModel, told: str
) -> None:
    server.repositories[REPO].commit = NEWEST
    changes = {"sha256": "0" * 64} if told == "another SHA-256" else {"sha256": "", "size": 7}
    queue = queue_of(server, library)
    download = queue.start(msgspec.structs.replace(chosen, **changes))
    with pytest.raises(HubFileChanged) as raised:
        await queue.wait(download.id)
    assert f"{REPO}/{FILE} has changed" in raised.value.explain().message
    assert not server.of("cdn")
    assert_same(await queue.wait(queue.resume(download.id).id), source)
    await queue.close()


async def test_a_file_that_is_gone_with_its_commit_is_missing(
    server: HubServer, library: Library, chosen: WantedModel
) -> None:
    server.repositories[REPO].commit = NEWEST
    del server.repositories[REPO].files[FILE]
    queue = queue_of(server, library)
    with pytest.raises(HubFileMissing) as raised:
        await queue.wait(queue.start(chosen).id)
    assert not isinstance(raised.value, HubFileChanged)
    await queue.close()
