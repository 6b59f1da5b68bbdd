"""A model in several files: they come one after the other, and what is thrown away takes its own files only."""

import filecmp
import shutil
from pathlib import Path

import msgspec
import pytest

from desktop.library.library import Library
from desktop.library.types import WantedModel
from tests.support.hub_server import HubServer
from tests.support.hubs import REPO
from tests.support.queues import next_run, queue_of, until
from tests.support.transfers import make_source

PARTS = tuple(f"tiny-Q8_0-0000{index}-of-00002.gguf" for index in (1, 2))
SPLIT = WantedModel(model_id="tiny-1b", name="Tiny", quantization="Q8_0", repo=REPO, file=PARTS[0])
FIRST, SECOND = 500_000, 1_500_000
"""Bytes of the parts."""

HELD = 600_000
"""The first part comes whole, the second does not."""


@pytest.fixture
def first(server: HubServer, source: Path, tmp_path: Path) -> Path:
    """The file that is served as the first part."""
    made = make_source(tmp_path, size=FIRST, seed=2)
    server.add(REPO, PARTS[0], made)
    server.add(REPO, PARTS[1], source)
    return made


def places(library: Library) -> list[Path]:
    return [library.destination(repo=REPO, file=part) for part in PARTS]


def there(library: Library) -> list[str]:
    return sorted(path.name for path in library.models_folder.rglob("*") if path.is_file())


async def into_the_second(server: HubServer, library: Library, *, then: str) -> None:
    """Fetch until the second part is coming, then cancel it or end the program."""
    server.held_from = HELD
    queue = queue_of(server, library)
    queue.start(SPLIT)
    await until(queue, SPLIT.id, done=FIRST + 300_000)
    if then == "cancel":
        queue.cancel(SPLIT.id)
    await queue.close()


@pytest.mark.asyncio
async def test_it_comes_whole_and_the_hub_is_asked_once(
    server: HubServer, library: Library, source: Path, first: Path
) -> None:
    queue = queue_of(server, library)
    model = await queue.wait(queue.start(SPLIT).id)
    assert model.size == FIRST + SECOND
    assert all(map(filecmp.cmp, places(library), (first, source)))
    assert len([each for each in server.of("hub") if each.path.startswith("/api/")]) == 1
    await queue.close()


@pytest.mark.asyncio
async def test_cancelling_removes_the_parts_that_came_whole(server: HubServer, library: Library, first: Path) -> None:
    await into_the_second(server, library, then="cancel")
    assert there(library) == []


@pytest.mark.asyncio
async def test_a_restart_in_between_still_knows_which_came(server: HubServer, library: Library, first: Path) -> None:
    await into_the_second(server, library, then="end")
    assert there(library) == [PARTS[0], f"{PARTS[1]}.part", f"{PARTS[1]}.part.json"]
    queue = await next_run(server, library)
    queue.cancel(SPLIT.id)
    await queue.close()
    assert there(library) == []


@pytest.mark.asyncio
async def test_a_part_that_was_there_before_stays(server: HubServer, library: Library, first: Path) -> None:
    place = places(library)[0]
    place.parent.mkdir(parents=True)
    shutil.copy(first, place)
    await into_the_second(server, library, then="cancel")
    assert there(library) == [PARTS[0]]


@pytest.mark.asyncio
async def test_the_parts_of_a_model_of_the_library_stay(server: HubServer, library: Library, first: Path) -> None:
    queue = queue_of(server, library)
    await queue.wait(queue.start(SPLIT).id)
    await queue.close()
    for place in places(library):
        place.unlink()
    await into_the_second(server, library, then="cancel")
    assert there(library) == [PARTS[0]], "the library names it"


@pytest.mark.asyncio
async def test_what_another_process_is_fetching_stays(server: HubServer, library: Library, first: Path) -> None:
    await into_the_second(server, library, then="end")
    window, pull = await next_run(server, library), await next_run(server, library)
    server.held_from = 900_000
    pull.start(SPLIT, goes_on=False)
    await until(pull, SPLIT.id, done=FIRST + 600_000)
    window.cancel(SPLIT.id)
    server.held_from = None
    assert (await pull.wait(SPLIT.id)).size == FIRST + SECOND
    await window.close()
    await pull.close()
    assert there(library) == list(PARTS)


@pytest.mark.asyncio
async def test_two_entries_of_one_model_that_are_cancelled_together_leave_nothing(
    server: HubServer, library: Library, first: Path
) -> None:
    server.held_from = HELD
    queue = queue_of(server, library)
    again = msgspec.structs.replace(SPLIT, model_id="same")
    queue.start(SPLIT)
    await until(queue, SPLIT.id, done=FIRST + 300_000)
    queue.pause(SPLIT.id)
    server.held_from = 900_000
    queue.start(again)
    await until(queue, again.id, done=FIRST + 600_000)
    queue.cancel(again.id)
    queue.cancel(SPLIT.id)
    await queue.close()
    assert there(library) == []


@pytest.mark.asyncio
async def test_a_part_that_another_process_throws_away_meanwhile_comes_again(
    server: HubServer, library: Library, source: Path, first: Path
) -> None:
    server.held_from = HELD
    queue = queue_of(server, library)
    queue.start(SPLIT)
    await until(queue, SPLIT.id, done=FIRST + 300_000)
    places(library)[0].unlink()
    server.held_from = None
    await queue.wait(SPLIT.id)
    assert all(map(filecmp.cmp, places(library), (first, source)))
    await queue.close()
