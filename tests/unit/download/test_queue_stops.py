"""What is stopped and taken up again at once: its row, and what came of it, follow what was last wished for."""

import asyncio

import msgspec
import pytest

from desktop.database import open_database
from desktop.library.library import Library
from desktop.library.migrations import MIGRATIONS
from tests.support.hub_server import HubServer
from tests.support.hubs import FILE, REPO
from tests.support.queues import WANTED, in_the_middle, next_run, settled

pytestmark = pytest.mark.asyncio
UNNAMED = msgspec.structs.replace(WANTED, file="")
"""The model as a person names it: the Hub tells the file."""


def there(library: Library) -> list[str]:
    return sorted(path.name for path in library.models_folder.rglob("*") if path.is_file())


async def test_what_is_started_again_while_its_row_is_removed_has_one(server: HubServer, library: Library) -> None:
    queue = await in_the_middle(server, library, done=100_000)
    queue.cancel(WANTED.id)
    for _ in range(2):  # its row is being removed now
        await asyncio.sleep(0)
    queue.start(WANTED)
    await queue.close()
    kept = await next_run(server, library)
    assert [each.id for each in kept.interrupted()] == [WANTED.id]
    await kept.close()


@pytest.mark.allow_log("the downloads could not be noted")
async def test_what_was_cancelled_while_another_program_held_the_database_does_not_come_back(
    server: HubServer, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    queue = await in_the_middle(server, library, done=100_000)
    await settled(queue)
    library.database.connection.set_busy_timeout(0)
    other = open_database(library.database.path, name="library", migrations=MIGRATIONS)
    with other.transaction():
        queue.cancel(WANTED.id)
        while "could not be noted" not in caplog.text:
            await asyncio.sleep(0.01)
    other.close()
    await queue.close()
    kept = await next_run(server, library)
    assert kept.downloads() == ()
    await kept.close()


async def test_what_is_started_and_cancelled_again_at_once_leaves_nothing(server: HubServer, library: Library) -> None:
    queue = await in_the_middle(server, library, UNNAMED, done=300_000)
    queue.cancel(UNNAMED.id)
    queue.start(UNNAMED)
    queue.cancel(UNNAMED.id)
    await queue.close()
    assert there(library) == []


async def test_what_is_being_removed_is_not_fetched_meanwhile(server: HubServer, library: Library) -> None:
    """A removal that waits for the database would take the files that come after it."""
    queue = await in_the_middle(server, library, done=300_000)
    queue.pause(WANTED.id)
    await queue.close()
    kept = await next_run(server, library)
    server.requests.clear()
    with library.database.transaction():  # of this thread: the removal waits
        kept.cancel(WANTED.id)
        await asyncio.sleep(0)
        kept.start(WANTED)
        for _ in range(5):
            await asyncio.sleep(0.02)
        assert server.requests == []
    server.held_from = None
    await kept.wait(WANTED.id)
    assert there(library) == [FILE]
    assert server.of("hub")[-1].path.startswith(f"/{REPO}/resolve/")
    await kept.close()
