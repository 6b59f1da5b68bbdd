"""Downloads that a person begins on the models page: from the row of a file that is not right, and by keyboard."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.settings import HF_ENDPOINT, MINIMUM_SPEED, OFFLINE, WANTED_CONTEXT
from desktop.ui import fetch
from desktop.ui.widgets.labels import PlainLabel
from tests.support.catalogs import tiny_catalog
from tests.support.hub_server import HubServer
from tests.support.page_person import PagePerson
from tests.support.page_values import machine
from tests.support.screen import press
from tests.support.tiny_hub import REPO, tiny_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as server:
        yield server


@pytest.fixture
def page(styled: QApplication, snug_home: Path, hub: HubServer) -> Iterator[PagePerson]:
    person = PagePerson(styled, "models", profile=machine())
    person.services.__dict__["catalog"] = tiny_catalog(REPO)
    person.settings.set(HF_ENDPOINT, hub.endpoint)
    person.settings.set(WANTED_CONTEXT, 1024)
    person.settings.set(MINIMUM_SPEED, 0.0)
    person.open()
    person.until("the prices", person.view.table.filter.rowCount)
    yield person
    person.close()


def gone(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5_000)


@pytest.mark.parametrize("happens", [gone, cut])
def test_the_button_of_its_row_brings_the_file_back(page: PagePerson, happens: Callable[[Path], None]) -> None:
    page.view.choice_chosen.emit(page.view.answer._choice)
    page.until("the model", lambda: page.models, timeout=60)
    model = page.services.library.find(page.models[0])
    content = Path(model.path).read_bytes()
    happens(Path(model.path))
    page.open()
    page.until("the row", lambda: any(not row.model.is_ready for row in page.view.installed.rows.shown))
    press(page.view, f"Download again: {model.name}")
    page.until("the file", lambda: all(each.is_ready for each in page.services.library.installed()), timeout=60)
    page.until("the row", lambda: all(row.model.is_ready for row in page.view.installed.rows.shown))
    assert Path(model.path).read_bytes() == content
    assert page.models == [model.id], "nobody asked to chat"


def test_the_keyboard_stays_on_the_button_that_began_a_download(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1000
    page.view.activateWindow()
    page.until("the window to be active", page.view.isActiveWindow)
    button = page.view.answer._button
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Return)
    page.until("the download", lambda: page.view.downloads.cards and button.text() == "Downloading …")
    assert button.hasFocus()
    hub.held_from = None
    page.until("the model", lambda: page.models, timeout=60)
    page.until("its price", lambda: button.text() == "Chat")
    assert button.hasFocus()


def test_what_a_bad_line_ended_goes_on_by_itself(
    page: PagePerson, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        page.settings.set(HF_ENDPOINT, f"http://127.0.0.1:{nobody.getsockname()[1]}")
    page.view.choice_chosen.emit(page.view.answer._choice)
    page.until("the failure", lambda: page.notices, timeout=60)
    page.until("its card", lambda: "It goes on by itself" in told(page))
    page.settings.set(HF_ENDPOINT, hub.endpoint)
    page.until("the model", lambda: any(model.repo for model in page.services.library.installed()), timeout=60)
    assert page.models == [], "whoever waited for the chat has given up"
    page.until("the offer", lambda: "is ready and verified" in page.notices[-1].text)


def test_what_the_person_removed_does_not_go_on(
    page: PagePerson, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.2)
    page.settings.set(OFFLINE, True)
    page.view.choice_chosen.emit(page.view.answer._choice)
    page.until("the failure", lambda: page.notices, timeout=60)
    [left] = page.services.downloads.downloads()
    [banner] = page.notices
    assert banner.kind == "info", "they have switched the network off themselves"
    press(page.view, f"Remove: {left.wanted.name} · {left.wanted.quantization}: not finished")
    assert banner.key in page.unwanted, "it would begin anew what was removed"
    page.settings.set(OFFLINE, False)
    page.until("its task", lambda: not page.shell.tasks._running)
    assert hub.requests == []


def told(page: PagePerson) -> str:
    return "\n".join(each.text() for each in page.view.downloads.findChildren(PlainLabel) if each.isVisible())
