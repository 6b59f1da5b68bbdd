"""What a person does with the models on the disk, on the models page: real library, real files."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QPushButton

from desktop.actions.survey import survey
from desktop.engine.protocol import LoadPlan
from desktop.engine.state import EnginePhase, EngineState
from desktop.library import verification
from desktop.library.trash import NoTrash, PartlyInTrash
from desktop.library.types import InstalledModel
from desktop.services import Survey
from desktop.ui.pages.models import controller
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill
from tests.support.catalogs import tiny_catalog
from tests.support.model_files import small_model, split_model, truncated_model
from tests.support.page_person import PagePerson
from tests.support.page_values import machine


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "models", profile=machine())
    person.services.__dict__["catalog"] = tiny_catalog()
    yield person
    person.close()


def opened(page: PagePerson) -> PagePerson:
    page.open()
    page.until("the starter", lambda: "SmolLM2" in words(page))
    return page


def words(page: PagePerson) -> str:
    return "\n".join(each.text() for each in page.view.installed.findChildren(PlainLabel) if each.isVisible())


def told(page: PagePerson) -> str:
    return "\n".join(f"{notice.text} {notice.hint}" for notice in page.notices)


def model_named(page: PagePerson, name: str) -> InstalledModel:
    return next(model for model in page.services.library.installed() if model.name == name)


def test_models_of_other_programs_are_found_without_being_asked_for(page: PagePerson, home: Path) -> None:
    small_model(home / ".lmstudio" / "models" / "ann" / "Tiny-GGUF" / "tiny-Q8_0.gguf", name="From elsewhere")
    opened(page)
    page.until("the model", lambda: "From LM Studio" in words(page))
    assert page.notices == []


def test_a_dropped_file_is_used_where_it_is_and_once(page: PagePerson, tmp_path: Path) -> None:
    path = small_model(tmp_path / "mine" / "tiny-Q8_0.gguf", name="Mine")
    opened(page)
    page.view.files_dropped.emit([str(path)])
    page.until("the model", lambda: "Mine" in words(page))
    assert Path(model_named(page, "Mine").path) == path
    assert "Added: Mine" in told(page)
    page.view.files_dropped.emit([str(path)])
    page.until("the words", lambda: "Mine is here already." in told(page))


def test_how_far_many_dropped_files_are_is_said(
    page: PagePerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    monkeypatch.setattr(page.view.installed, "set_aside", said.append)
    paths = [small_model(tmp_path / f"tiny-{number}-Q8_0.gguf", fill=number) for number in range(7)]
    opened(page)
    page.view.files_dropped.emit([str(path) for path in paths])
    page.until("the notice", lambda: "Added: " in told(page))
    assert [words for words in said if words.startswith("Adding")][3] == "Adding … 3 of 7"
    assert "" in said[said.index("Adding … 6 of 7") :]


def test_a_dropped_folder_is_looked_into(page: PagePerson, tmp_path: Path) -> None:
    small_model(tmp_path / "many" / "deep" / "tiny-Q8_0.gguf", name="Deep one")
    opened(page)
    page.view.files_dropped.emit([str(tmp_path / "many")])
    page.until("the model", lambda: "In your folder" in words(page), timeout=30)


@pytest.mark.allow_log("notes.txt")
def test_what_is_no_model_is_said_and_not_added(page: PagePerson, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("Dear diary")
    opened(page)
    page.view.files_dropped.emit([str(other), str(small_model(tmp_path / "good-Q8_0.gguf", name="Good"))])
    page.until("the good one", lambda: "Good" in words(page))
    assert "notes.txt" in told(page)


def test_a_file_is_checked_and_what_was_found_is_said(page: PagePerson, tmp_path: Path) -> None:
    path = small_model(tmp_path / "tiny-Q8_0.gguf", name="Mine")
    opened(page)
    page.view.files_dropped.emit([str(path)])
    page.until("the model", lambda: "Mine" in words(page))
    page.view.installed.verify_requested.emit(model_named(page, "Mine"))
    page.until("the words", lambda: "Mine seems whole" in told(page))


@pytest.mark.allow_log("tiny-Q8_0.gguf")
def test_a_file_that_was_cut_is_told_and_can_not_be_chatted_with(page: PagePerson, tmp_path: Path) -> None:
    path = small_model(tmp_path / "tiny-Q8_0.gguf", name="Mine")
    opened(page)
    page.view.files_dropped.emit([str(path)])
    page.until("the model", lambda: "Mine" in words(page))
    model = model_named(page, "Mine")
    truncated_model(path)
    page.view.installed.verify_requested.emit(model)
    page.until("the row", lambda: "Only a part of it is here" in words(page))
    assert page.notices[-1].kind == "bad"


def test_somebody_elses_model_is_taken_off_the_list_and_stays_on_the_disk(page: PagePerson, home: Path) -> None:
    path = small_model(home / ".lmstudio" / "models" / "ann" / "Tiny-GGUF" / "tiny-Q8_0.gguf", name="Elsewhere")
    opened(page)
    page.until("the model", lambda: "From LM Studio" in words(page))
    page.view.installed.remove_requested.emit(
        next(model for model in page.services.library.installed() if model.source == "lm-studio")
    )
    page.until("the list without it", lambda: "From LM Studio" not in words(page))
    assert path.is_file()
    assert "Its file stays where it is" in told(page)


def install(page: PagePerson) -> InstalledModel:
    library = page.services.library
    path = small_model(library.destination(repo="owner/tiny-GGUF", file="tiny-Q4_K_M.gguf"))
    return library.register(path=path, model_id="tiny-1b", quantization="Q4_K_M", name="Downloaded")


def test_without_a_trash_deleting_for_good_is_offered(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_trash(paths: Sequence[Path]) -> None:
        raise NoTrash(path=str(paths[0]), reason="no trash on this disk")

    monkeypatch.setattr("desktop.library.removal.move_to_trash", no_trash)
    model = install(page)
    opened(page)
    page.view.installed.remove_requested.emit(model)
    page.until("the offer", lambda: any(notice.action == "Delete for good" for notice in page.notices))
    assert Path(model.path).is_file()
    act = page.notices[-1].on_action
    assert act is not None
    act()
    page.until("the end of the file", lambda: not Path(model.path).exists())
    page.until("the words", lambda: "Downloaded was deleted." in told(page))


def test_what_is_installed_while_the_page_is_filled_is_on_it(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    async def survey_and_meanwhile(*arguments: Any, **more: Any) -> Survey:
        if not any(model.name == "Downloaded" for model in page.services.library.installed()):
            install(page)
            page.shell.models_changed.emit()
        return await survey(*arguments, **more)

    opened(page)
    page.until("the end of the first look", lambda: page.services.surveys.latest)
    page.live(0.2)
    monkeypatch.setattr(controller, "survey", survey_and_meanwhile)
    page.shell.models_changed.emit()
    page.until("the model", lambda: "Downloaded" in words(page))


def test_models_that_are_here_twice_are_named(page: PagePerson, tmp_path: Path) -> None:
    paths = [small_model(tmp_path / folder / "tiny-Q8_0.gguf", name="Twin") for folder in ("one", "two")]
    opened(page)
    page.view.installed.duplicates_requested.emit()
    page.until("the words", lambda: "No model is here twice." in told(page))
    page.view.files_dropped.emit([str(path.parent) for path in paths])
    page.until("both", lambda: words(page).count("Twin") == 2)
    page.view.installed.duplicates_requested.emit()
    page.until("the words", lambda: "Models that are here more than once: 1" in told(page))
    assert all(str(path) in page.notices[-1].hint for path in paths)


def test_an_added_folder_is_looked_into_no_more_when_nobody_wants_it(page: PagePerson, tmp_path: Path) -> None:
    folder = tmp_path / "many & more"
    small_model(folder / "tiny-Q8_0.gguf", name="Deep one")
    opened(page)
    page.view.files_dropped.emit([str(folder)])
    page.until("the model", lambda: "In your folder" in words(page))
    menu = page.view.installed.menu_of_card([str(folder)])
    action = next(each for each in menu.actions() if "many" in each.text())
    assert action.text() == f"Look no more in {tmp_path}/many && more"
    action.trigger()
    page.until("the list without it", lambda: "In your folder" not in words(page))
    menu.deleteLater()


def test_a_model_in_use_is_not_removed(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    model = install(page)
    opened(page)
    plan = type("Plan", (), {"model_path": model.path})()
    monkeypatch.setattr(page.engine, "plan", plan, raising=False)
    page.view.installed.remove_requested.emit(model)
    page.until("the words", lambda: "Downloaded is in use." in told(page))
    assert Path(model.path).is_file()


def test_which_model_is_in_use_is_shown_as_soon_as_it_is_loaded(page: PagePerson) -> None:
    model = install(page)
    opened(page)
    assert not pills(page)
    page.engine.plan = LoadPlan(model_path=model.path, model_name=model.name, n_ctx=512)
    page.engine.become(EngineState(phase=EnginePhase.READY))
    page.until("the mark", lambda: "In use" in pills(page))
    page.engine.plan = None
    page.engine.become(EngineState(phase=EnginePhase.STOPPED))
    page.until("no mark", lambda: not pills(page))


def pills(page: PagePerson) -> list[str]:
    return [pill.text() for pill in page.view.installed.findChildren(Pill) if pill.isVisible()]


def test_a_model_is_shown_in_its_folder(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []

    def open_url(url: QUrl) -> bool:
        places.append(url.toLocalFile())
        return len(places) < 2

    async def select(file: Path) -> bool:
        return file.name == "of a system that can"

    monkeypatch.setattr("desktop.ui.reveal._select", select)
    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    model = install(page)
    opened(page)
    page.view.installed.reveal_requested.emit(model)
    page.until("the folder", lambda: places == [str(Path(model.path).parent)])
    page.view.installed.reveal_requested.emit(model)
    page.until("the words", lambda: "No file manager could be started." in told(page))


def test_a_check_has_ended_before_its_model_is_removed(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    model = install(page)
    library = page.services.library
    model = library.save(msgspec.structs.replace(model, sha256="0" * 64))
    events: list[str] = []

    def watched(*arguments: Any) -> verification.VerifiedModel:
        events.append("the check begins")
        try:
            assert arguments[2]._stop.wait(60), "it cannot end by itself"
            return verify_model(*arguments)
        finally:
            events.append("the check ends")

    verify_model = verification.verify_model
    monkeypatch.setattr(verification, "verify_model", watched)
    monkeypatch.setattr("desktop.library.removal.move_to_trash", lambda _paths: events.append("the file goes"))
    opened(page)
    page.view.installed.verify_requested.emit(model)
    page.until("the check", lambda: "Checking" in words(page) and events)
    page.view.installed.remove_requested.emit(model)
    page.view.installed.verify_requested.emit(model)
    page.until("the end", lambda: "Downloaded is in the trash now." in told(page))
    assert events == ["the check begins", "the check ends", "the file goes"]
    assert "Checking" not in words(page)


def test_what_changes_while_the_page_looks_at_the_machine_is_shown(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = asyncio.Event()

    async def wait_and_survey(*arguments: Any, **options: Any) -> Survey:
        await looks.wait()
        return await survey(*arguments, **options)

    monkeypatch.setattr(controller, "survey", wait_and_survey)
    opened(page)
    install(page)
    page.shell.models_changed.emit()
    looks.set()
    page.until("the model", lambda: "Downloaded" in words(page))


def test_what_is_left_of_a_split_model_can_be_deleted(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_half_way(paths: Sequence[Path]) -> None:
        paths[0].unlink()
        raise PartlyInTrash(path=str(paths[1]), reason="no room", names=paths[0].name)

    monkeypatch.setattr("desktop.library.removal.move_to_trash", fail_half_way)
    shards = split_model(page.services.library.models_folder / "owner" / "large-GGUF")
    model = page.services.library.register(path=shards[0], model_id="large", quantization="Q8_0", name="Large")
    opened(page)
    page.view.installed.remove_requested.emit(model)
    page.until("the offer", lambda: any(notice.action == "Delete for good" for notice in page.notices))
    offer = next(notice for notice in page.notices if notice.action)
    assert shards[2].name in offer.hint
    page.until("the row", lambda: "The file is gone" in words(page))
    left = model_named(page, "Large")
    menu = page.view.installed.menu_of(left)
    assert [action.text() for action in menu.actions()] == ["Move to the trash"]
    menu.deleteLater()
    assert offer.on_action is not None
    offer.on_action()
    page.until("the words", lambda: "Large was deleted." in told(page))
    assert not any(shard.exists() for shard in shards)


@pytest.mark.allow_log("file")
def test_a_hundred_files_that_are_no_models_are_told_once(page: PagePerson, tmp_path: Path) -> None:
    paths = [tmp_path / f"note {index}.txt" for index in range(100)]
    for path in paths:
        path.write_text("Dear diary")
    opened(page)
    page.view.files_dropped.emit([str(path) for path in paths])
    page.until("the words", lambda: "Not everything could be looked at." in told(page))
    assert len(page.notices) == 1
    assert "note 0.txt" in told(page)
    assert "note 99.txt" not in told(page)


def test_who_clicks_twice_removes_once(page: PagePerson) -> None:
    model = install(page)
    opened(page)
    page.view.installed.remove_requested.emit(model)
    page.view.installed.remove_requested.emit(model)
    page.until("the words", lambda: "Downloaded is in the trash now." in told(page))
    page.live(0.2)
    assert len(page.notices) == 1


def test_rows_of_many_models_come_a_few_at_a_time_and_stay_when_another_changes(page: PagePerson) -> None:
    library = page.services.library
    path = install(page).path
    for index in range(60):
        library.register(path=Path(path), model_id=f"many-{index:02}", quantization="Q8_0", name=f"Model {index:02}")
    opened(page)
    card = page.view.installed
    page.until("the list", lambda: any("Show all 62" in each.text() for each in card.findChildren(QPushButton)))
    card._all.click()
    assert len(card.rows.shown) < 30, "the window is not kept waiting"
    page.until("the rows", lambda: len(card.rows.shown) == 62)
    shown = [card.body.itemAt(index).widget().model.name for index in range(62)]
    assert shown[2:] == [f"Model {index:02}" for index in range(60)]
    before = {row.model.id: row for row in card.rows.shown}
    library.forget(card.rows.shown[30].model)
    page.shell.models_changed.emit()
    page.until("the list without it", lambda: len(card.rows.shown) == 61)
    assert all(row is before[row.model.id] for row in card.rows.shown)
