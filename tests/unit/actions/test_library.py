"""What a person does with the models on the disk: in the caller's loop, with progress, and it can be cancelled."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest
import pytest_asyncio

from desktop.actions.library import (
    NotAFolder,
    add_folder,
    find_duplicates,
    import_model,
    list_folders,
    list_models,
    place_to_reveal,
    remove_folder,
    remove_model,
    scan_library,
    verify_model,
)
from desktop.actions.models import find_model
from desktop.library.errors import ModelFileTruncated
from desktop.library.scan import ScanProgress
from desktop.library.types import Source
from desktop.library.work import Work
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import LAST_MODEL, MODELS_FOLDER, OTHER_PROGRAMS, READ_LM_STUDIO
from tests.support.model_files import small_model

pytestmark = pytest.mark.asyncio


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a person who has no other program."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest_asyncio.fixture
async def services(home: Path) -> AsyncIterator[Services]:
    made = create_services(user_paths())
    yield made
    await made.close()


async def names(services: Services) -> set[str]:
    return {model.id for model in await list_models(services) if not model.bundled}


async def test_a_folder_is_added_scanned_and_removed(services: Services, tmp_path: Path) -> None:
    small_model(tmp_path / "mine" / "m.gguf")
    folder = await add_folder(services, tmp_path / "mine")
    assert await names(services) == set(), "nothing is read before a scan"
    told: list[ScanProgress] = []
    report = await scan_library(services, on_progress=told.append)
    assert report.new == 1
    await asyncio.sleep(0)
    assert str(folder) in [progress.folder for progress in told]
    assert await list_folders(services) == (folder,)
    await remove_folder(services, folder)
    assert await names(services) == set()
    assert await list_folders(services) == ()


async def test_what_is_no_folder_is_refused(services: Services, tmp_path: Path) -> None:
    file = small_model(tmp_path / "m.gguf")
    for path in (file, tmp_path / "none", Path("~nobody-here/x"), tmp_path / "a\0b", Path("/\udcff")):
        with pytest.raises(NotAFolder) as raised:
            await add_folder(services, path)
        assert str(raised.value).encode()
    assert await list_folders(services) == ()


async def test_a_program_is_switched_off_by_its_setting(services: Services, home: Path) -> None:
    assert set(OTHER_PROGRAMS) == set(get_args(Source)) - {"snug", "folder"}
    small_model(home / ".lmstudio" / "models" / "a" / "b" / "c.gguf")
    await scan_library(services)
    assert await names(services) == {"a/b"}
    services.settings.set(READ_LM_STUDIO, False)
    assert await names(services) == set()


async def test_a_models_folder_that_was_chosen_and_is_gone_says_so(services: Services, tmp_path: Path) -> None:
    assert (await scan_library(services)).problems == ()
    await services.close()
    services.__dict__.pop("library")
    services.settings.set(MODELS_FOLDER, str(tmp_path / "unplugged"))
    (problem,) = (await scan_library(services)).problems
    assert "unplugged" in problem.render()


async def test_import_verify_and_duplicates_tell_how_far_they_are(services: Services, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    path = small_model(tmp_path / "m.gguf")
    model, outcome = await import_model(services, path, copy=True, on_progress=tell)
    await asyncio.sleep(0)
    assert outcome == "copied"
    assert told[-1][0] == told[-1][1] > 0
    assert (await verify_model(services, model)).proof == "structure"
    other = await add_folder(services, small_model(tmp_path / "b" / "n.gguf").parent)
    await scan_library(services)
    (group,) = (await find_duplicates(services)).groups
    assert {Path(each.path) for each in group.models} == {Path(model.path), other / "n.gguf"}
    hidden = await remove_model(services, next(each for each in group.models if each.source == "folder"))
    assert hidden.outcome == "hidden"
    assert (await remove_model(services, model, permanently=True)).outcome == "deleted"
    assert place_to_reveal(model) == services.models_folder


async def test_a_cancelled_import_ends_and_leaves_nothing(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_model(tmp_path / "m.gguf")
    advance = Work.advance

    def wait_for_the_end(work: Work, done: int) -> None:
        advance(work, done)
        assert work._stop.wait(60), "it cannot end by itself"

    monkeypatch.setattr(Work, "advance", wait_for_the_end)
    begun = asyncio.Event()
    task = asyncio.create_task(import_model(services, path, copy=True, on_progress=lambda *_: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [file for file in services.models_folder.rglob("*") if file.is_file()] == []
    assert await names(services) == set()


async def test_what_cannot_be_loaded_is_not_the_default_and_says_why(services: Services, tmp_path: Path) -> None:
    path = small_model(tmp_path / "m.gguf")
    model = (await import_model(services, path)).model
    services.settings.set(LAST_MODEL, model.id)
    assert find_model(services, None) == model
    with path.open("r+b") as file:
        file.truncate(200)
    assert find_model(services, None).bundled
    with pytest.raises(ModelFileTruncated):
        find_model(services, "m")
