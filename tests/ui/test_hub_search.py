"""Searching the Hub from the models page: real services, a real Hub on loopback, the real engine's verdicts."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QContextMenuEvent, QDesktopServices
from PySide6.QtWidgets import QApplication, QMenu

from desktop.catalog.hub import HubFile
from desktop.engine.protocol import EngineInfo
from desktop.services import Survey
from desktop.settings import KV_TYPE, MINIMUM_SPEED, OFFLINE, WANTED_CONTEXT
from desktop.ui.item_models.choices import MODEL, QUANTIZATION
from desktop.ui.pages.models.controller import ModelsController
from desktop.ui.pages.models.hub_row import HubRow
from desktop.ui.widgets.buttons import IconButton
from desktop.ui.widgets.labels import PlainLabel
from tests.support.catalogs import tiny_catalog
from tests.support.hub_server import DEFAULT_COMMIT, Fault, HubServer
from tests.support.page_person import PagePerson
from tests.support.page_values import machine
from tests.support.screen import press
from tests.support.tiny_hub import REPO, tiny_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with tiny_hub(tmp_path) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        yield server


@pytest.fixture
def page(styled: QApplication, snug_home: Path, hub: HubServer) -> Iterator[PagePerson]:
    person = PagePerson(styled, "models")
    engine = EngineInfo(version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False)
    person.services.surveys.latest = Survey(profile=machine(), engine=engine)
    person.services.__dict__["catalog"] = tiny_catalog(REPO)
    person.settings.set(WANTED_CONTEXT, 1024)
    person.settings.set(MINIMUM_SPEED, 0.0)
    person.open()
    person.until("the prices", person.view.table.filter.rowCount)
    person.view.resize(1224, 1800)
    yield person
    person.close()


def words(page: PagePerson) -> str:
    labels = [each.text() for each in page.view.hub.findChildren(PlainLabel) if each.isVisible()]
    return "\n".join(labels)


def search(page: PagePerson, text: str) -> None:
    page.view._search.setText(text)
    page.view._search.returnPressed.emit()


def test_nothing_is_asked_before_the_person_asks(page: PagePerson, hub: HubServer) -> None:
    assert not page.view.hub.isVisible()
    assert hub.requests == []


def test_a_result_has_its_verdict_before_the_download(page: PagePerson) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    assert "owner" in words(page)
    assert "Q8_0" in words(page), "the best that fits, not the smallest"
    assert not list(page.services.models_folder.rglob("*")), "nothing was downloaded"


def test_all_files_of_a_repository_are_judged(page: PagePerson) -> None:
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    press(page.view, f"All files of {REPO}")
    page.until("the files", lambda: page.view.hub.files.filter.rowCount() == 2, timeout=60)
    table = page.view.hub.files.filter
    assert {table.index(row, QUANTIZATION).data() for row in range(2)} == {"Q4_K_M", "Q8_0"}
    page.until("their end", lambda: "files checked" not in words(page))
    press(page.view, "Back to the results")
    page.until("the list", lambda: any(row.isVisible() for row in page.view.hub.findChildren(HubRow)))


def test_the_row_is_downloaded_and_chatted_with(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    assert "in the catalog" in words(page)
    assert "on this computer" not in words(page)
    press(page.view, "Download Tiny 1B Q8_0")
    page.until("the download", lambda: page.models == ["tiny-1b:Q8_0"], timeout=60)
    path = Path(page.services.library.find("tiny-1b:Q8_0").path)
    assert path.read_bytes() == hub.repositories[REPO].files["tiny-Q8_0.gguf"].path.read_bytes()
    search(page, "tiny")
    page.until("the row to know", lambda: "Chat with Tiny 1B Q8_0" in names(page), timeout=60)
    assert "on this computer" in words(page)
    press(page.view, "Chat with Tiny 1B Q8_0")
    page.until("the chat", lambda: page.models == ["tiny-1b:Q8_0"] * 2)


def names(page: PagePerson) -> list[str]:
    return [each.accessibleName() for each in page.view.hub.findChildren(IconButton) if each.isVisible()]


def test_a_repository_that_an_answer_names_twice_has_one_row(page: PagePerson, hub: HubServer) -> None:
    hub.search.hostile = [{"id": REPO, "likes": likes} for likes in (5, 6)]
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    assert len(page.view.hub.findChildren(HubRow)) == 1


def test_another_context_is_judged_anew(page: PagePerson) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    before = words(page)
    page.view.pricing_changed.emit(131072, "f16")
    page.until("another figure", lambda: "Fits" in words(page) and words(page) != before, timeout=60)


@pytest.mark.parametrize("button", ["Download Tiny 1B Q8_0", "Chat with Tiny 1B Q8_0"])
def test_what_a_row_was_priced_for_is_what_its_model_is_loaded_with(
    page: PagePerson, hub: HubServer, button: str
) -> None:
    if button.startswith("Chat"):
        source = hub.repositories[REPO].files["tiny-Q8_0.gguf"]
        path = page.services.library.destination(repo=REPO, file="tiny-Q8_0.gguf")
        path.parent.mkdir(parents=True)
        path.write_bytes(source.path.read_bytes())
        file = HubFile(
            repo=REPO, file=path.name, revision=DEFAULT_COMMIT, size=source.size, sha256=source.sha256, url=""
        )
        page.services.library.register(path=path, model_id="tiny-1b", quantization="Q8_0", files=(file,))
    page.view.pricing_changed.emit(2048, "q8_0")
    search(page, "tiny")
    page.until("the verdict", lambda: button in names(page), timeout=60)
    press(page.view, button)
    page.until("the model", lambda: page.models, timeout=60)
    assert (page.settings.get(WANTED_CONTEXT), page.settings.get(KV_TYPE)) == (2048, "q8_0")


def test_with_the_network_switched_off_nothing_is_asked_and_the_page_says_so(page: PagePerson, hub: HubServer) -> None:
    page.settings.set(OFFLINE, True)
    search(page, "tiny")
    page.until("the words", lambda: "network" in words(page).lower())
    assert hub.requests == []
    page.settings.set(OFFLINE, False)
    press(page.view, "Try again")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))


def test_a_search_that_waits_ends_when_the_network_is_switched_off_and_says_so(
    page: PagePerson, hub: HubServer
) -> None:
    hub.hub_faults.append(Fault("stall", seconds=600))  # nobody would wait so long
    search(page, "tiny")
    page.until("the question", lambda: hub.requests)
    page.settings.set(OFFLINE, True)
    page.until("the words", lambda: "The network is switched off." in words(page))
    assert "Asking the Hub" not in words(page)


def test_nothing_found_is_said(page: PagePerson) -> None:
    search(page, "nobody has this")
    page.until("the words", lambda: "The Hub has no model files (GGUF) for “nobody has this”." in words(page))


@pytest.mark.allow_log("nothing is known of the files|no exact figures for")
def test_a_repository_that_asks_for_agreement_says_so_in_its_row(page: PagePerson, hub: HubServer) -> None:
    hub.gate(REPO, "secret")
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    assert "asks for your agreement on its page" in words(page)
    page.until("the refusal", lambda: "The Hub does not let you have" in words(page), timeout=60)
    [label] = [each for each in page.view.hub.findChildren(PlainLabel) if "does not let you" in each.text()]
    assert "Accept the licence on" in label.toolTip()
    browser = Browser()
    QDesktopServices.setUrlHandler("http", browser, "open")  # type: ignore[arg-type] # it takes text, whatever its stub says
    try:
        press(page.view, "Open its page")
    finally:
        QDesktopServices.unsetUrlHandler("http")
    assert browser.opened == [f"{hub.endpoint}/{REPO}"]


class Browser(QObject):
    """Takes the system's place when an address is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, address: QUrl) -> None:
        self.opened.append(address.toString())


def test_the_quantizations_of_one_base_model_from_every_publisher(page: PagePerson, hub: HubServer) -> None:
    tags = ["gguf", "base_model:maker/Tiny", "base_model:quantized:maker/Tiny"]
    file = hub.repositories[REPO].files["tiny-Q8_0.gguf"]
    for repo in (REPO, "another/Different-Name-GGUF", "third/Tiny-GGUF"):
        hub.add_served(repo, "tiny-Q8_0.gguf", file)
        hub.repositories[repo].facts = {"tags": tags if repo != "third/Tiny-GGUF" else ["gguf"]}
    search(page, "owner/tiny")
    page.until("the row", lambda: len(page.view.hub.findChildren(HubRow)) == 1)
    press(page.view, "Other publishers of maker/Tiny")
    page.until(
        "their rows",
        lambda: {row.repo.repo for row in page.view.hub.rows.shown} == {REPO, "another/Different-Name-GGUF"},
    )
    assert "On the Hugging Face Hub: maker/Tiny from every publisher" in words(page)


def test_a_next_page_that_failed_is_asked_for_again_and_the_first_one_stays(page: PagePerson, hub: HubServer) -> None:
    for index in range(40):
        hub.add_served(f"many/tiny{index}-GGUF", "tiny-Q8_0.gguf", hub.repositories[REPO].files["tiny-Q8_0.gguf"])
    search(page, "tiny")
    page.until("the first page", lambda: len(page.view.hub.rows.shown) == 30, timeout=60)
    page.until("the verdicts", lambda: "Fits" in words(page) and "Checking …" not in words(page), timeout=60)
    hub.search.status = 500
    press(page.view, "More results")
    page.until("the words", lambda: "answered with an error (HTTP 500)" in words(page))
    assert len(page.view.hub.rows.shown) == 30
    hub.search.status = 200
    press(page.view, "Try again")
    page.until("the second page", lambda: len(page.view.hub.rows.shown) == 41, timeout=60)


def test_a_newer_search_wins(page: PagePerson) -> None:
    search(page, "nobody has this")
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    assert "nobody has this" not in words(page)


def test_who_holds_enter_asks_the_hub_a_few_times_only(page: PagePerson, hub: HubServer) -> None:
    for _ in range(20):
        search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    assert sum("/api/models?" in request.path for request in hub.requests) <= 2


def test_rows_that_had_no_verdict_when_a_repository_was_opened_get_it_afterwards(
    page: PagePerson, hub: HubServer
) -> None:
    for index in range(3):
        hub.add_served(f"many/tiny{index}-GGUF", "tiny-Q8_0.gguf", hub.repositories[REPO].files["tiny-Q8_0.gguf"])
    hub.held_from = 1000  # in the middle of a header
    search(page, "tiny")
    page.until("the judging", lambda: "Checking …" in words(page))
    press(page.view, f"All files of {REPO}")
    hub.held_from = None
    page.until("the files", page.view.hub.files.isVisible, timeout=60)
    press(page.view, "Back to the results")
    page.until("all verdicts", lambda: words(page).count("Fits") == 4, timeout=60)
    assert "Checking …" not in words(page)


def test_after_the_results_were_closed_another_context_asks_nobody(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    press(page.view, f"All files of {REPO}")
    press(page.view, "Close the results")
    page.live(0.5)
    page.until("the end of what it was at", lambda: not page.shell.tasks._running)
    asked = len(hub.requests)
    page.view.pricing_changed.emit(4096, "f16")
    page.live(1)
    assert len(hub.requests) == asked


def test_who_clears_the_field_has_the_page_as_before(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    page.view._search.clear()
    assert not page.view.hub.isVisible()
    page.until("the end of what it was at", lambda: not page.shell.tasks._running)
    search(page, "")
    page.until("what is in demand", lambda: any(row.isVisible() for row in page.view.hub.findChildren(HubRow)))


def test_what_is_typed_widens_nothing_and_is_shown_as_it_is(page: PagePerson) -> None:
    page.view._search.setText("W" * 10_000)
    assert page.view._ask_hub.sizeHint().width() < 1000
    page.view._search.setText("a & b")
    assert page.view._ask_hub.text() == "Search the Hugging Face Hub for “a && b”"
    search(page, "W" * 10_000)
    page.until("the words", lambda: "has no model files" in words(page))
    assert page.view.hub.minimumSizeHint().width() < 844


def test_a_repository_that_changed_is_listed_anew_by_the_next_search(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    hub.repositories[REPO].commit = "c" * 40
    hub.repositories[REPO].facts = {"lastModified": "2026-02-03T00:00:00.000Z"}
    search(page, "tiny")
    page.until("the verdict", lambda: "Download Tiny 1B Q8_0" in names(page), timeout=60)
    press(page.view, "Download Tiny 1B Q8_0")
    page.until("the download", lambda: page.models == ["tiny-1b:Q8_0"], timeout=60)
    assert page.services.library.find("tiny-1b:Q8_0").revision == "c" * 40


def test_a_row_whose_repository_was_forgotten_meanwhile_is_listed_again_and_downloaded(page: PagePerson) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    cast("ModelsController", page.controller)._hub._listings.known.clear()
    press(page.view, "Download Tiny 1B Q8_0")
    page.until("the download", lambda: page.models == ["tiny-1b:Q8_0"], timeout=60)


@pytest.mark.allow_log("The Hub does not have")
def test_a_row_whose_file_is_gone_says_so(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    cast("ModelsController", page.controller)._hub._listings.known.clear()
    del hub.repositories[REPO].files["tiny-Q8_0.gguf"]
    press(page.view, "Download Tiny 1B Q8_0")
    page.until("the words", lambda: any("does not have" in wish.text for wish in page.notices))


@pytest.mark.allow_log("no exact figures for")
def test_trying_again_lists_a_repository_anew_whose_commit_was_gone(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the verdict", lambda: "Fits" in words(page), timeout=60)
    hub.repositories[REPO].commit = "c" * 40
    press(page.view, f"All files of {REPO}")
    page.until("the words", lambda: "One file could not be checked." in words(page), timeout=60)
    page.live(0.3)
    assert "The Hub does not have" in page.view.hub._message.text()
    assert page.view.hub.files.filter.rowCount() == 1, "the header of the other was known"
    press(page.view, "Try again")
    page.until("all files", lambda: page.view.hub.files.filter.rowCount() == 2, timeout=60)
    page.until("their end", lambda: not page.view.hub._message.isVisible())


def test_the_sha256_of_a_file_is_told_and_can_be_copied(page: PagePerson, hub: HubServer) -> None:
    search(page, "tiny")
    page.until("the row", lambda: page.view.hub.findChildren(HubRow))
    press(page.view, f"All files of {REPO}")
    table = page.view.hub.files
    page.until("the files", lambda: table.filter.rowCount() == 2, timeout=60)
    rows = [table.filter.index(row, MODEL) for row in range(2)]
    index = next(each for each in rows if each.data() == "tiny-Q8_0")
    digest = hub.repositories[REPO].files["tiny-Q8_0.gguf"].sha256
    assert f"SHA-256 {digest}" in index.data(Qt.ItemDataRole.ToolTipRole)
    table.setCurrentIndex(index)
    key = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint())
    QApplication.sendEvent(table.viewport(), key)
    menu = cast("QMenu", QApplication.activePopupWidget())
    row, copy, _sorting = menu.actions()
    assert row.text() == "Copy this row"
    assert copy.text() == "Copy SHA-256"
    copy.trigger()
    menu.close()
    assert QApplication.clipboard().text() == digest
