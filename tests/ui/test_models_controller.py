"""The models page with real services: what it looks up, what it fetches, what it says when that fails."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from desktop import services
from desktop.actions.recommend import recommend_models
from desktop.fit.types import Choice
from desktop.hardware.types import HardwareProfile
from desktop.library.types import WantedModel
from desktop.services import Survey
from desktop.settings import DOWNLOADS_AT_ONCE, HF_ENDPOINT, KV_TYPE, MINIMUM_SPEED, OFFLINE, WANTED_CONTEXT
from desktop.ui.item_models.choices import ACTION, CHOICE_ROLE, COMING_ROLE, MODEL, SPEED
from desktop.ui.pages.models import controller
from tests.support.catalogs import tiny_catalog
from tests.support.hub_server import HubServer
from tests.support.model_files import small_model
from tests.support.page_person import PagePerson
from tests.support.page_values import gpu, machine
from tests.support.screen import press


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    file = small_model(tmp_path / "served.gguf")
    with file.open("ab") as weights:
        weights.write(bytes(3_000_000))  # so that it takes its time
    with HubServer() as server:
        for name in ("Q4_K_M", "Q8_0"):
            server.add("owner/tiny-GGUF", f"tiny-{name}.gguf", file)
        yield server


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "models", profile=machine(gpu(backend="CUDA0")))
    person.services.__dict__["catalog"] = tiny_catalog()
    person.settings.set(WANTED_CONTEXT, 4096)
    person.settings.set(MINIMUM_SPEED, 0.0)
    yield person
    person.close()


def open_and_wait(page: PagePerson) -> Choice:
    page.open()
    page.until("the prices", page.view.table.filter.rowCount)
    choice = page.view.answer._choice
    assert isinstance(choice, Choice)
    return choice


def download(page: PagePerson, hub: HubServer) -> Choice:
    page.settings.set(HF_ENDPOINT, hub.endpoint)
    choice = open_and_wait(page)
    page.view.choice_chosen.emit(choice)
    return choice


def test_the_page_prices_the_catalog_and_shows_what_is_installed(page: PagePerson) -> None:
    choice = open_and_wait(page)
    assert choice.model_name == "Tiny 1B"
    names = {page.view.table.filter.index(row, MODEL).data() for row in range(page.view.table.filter.rowCount())}
    assert names == {"Tiny 1B"}
    assert page.view.installed.isVisible(), "the starter model came with the set-up"
    assert page.notices == []


def test_another_context_gives_other_memory_without_a_second_look(page: PagePerson) -> None:
    before = open_and_wait(page)
    page.view.pricing_changed.emit(2048, "q8_0")
    page.until("other prices", lambda: page.view.answer._choice.context == 2048)
    assert page.view.answer._choice.memory_total < before.memory_total
    assert page.engine.starts == 0


def test_a_model_is_loaded_with_what_it_was_priced_with(page: PagePerson) -> None:
    open_and_wait(page)
    starter = next(model for model in page.services.library.installed() if model.bundled)
    page.view.pricing_changed.emit(2048, "q8_0")
    wanted: list[str] = []
    page.shell.model_wanted.connect(wanted.append)
    page.view.installed_chosen.emit(starter)
    page.until("the wish for the model", lambda: wanted == [starter.id])
    assert page.settings.get(WANTED_CONTEXT) == 2048
    assert page.settings.get(KV_TYPE) == "q8_0"


@pytest.mark.allow_log("could not be saved")
def test_settings_that_cannot_be_saved_are_told_and_keep_nobody_from_chatting(page: PagePerson) -> None:
    open_and_wait(page)
    starter = next(model for model in page.services.library.installed() if model.bundled)
    page.keep_settings_from_being_saved()
    page.view.pricing_changed.emit(2048, "q8_0")
    page.view.installed_chosen.emit(starter)
    page.until("the wish for the model", lambda: page.models == [starter.id])
    assert "could not be saved" in page.notices[-1].text


@pytest.mark.allow_log("could not be saved")
def test_settings_that_cannot_be_saved_keep_nobody_from_downloading(page: PagePerson, hub: HubServer) -> None:
    page.settings.set(HF_ENDPOINT, hub.endpoint)
    choice = open_and_wait(page)
    page.keep_settings_from_being_saved()
    page.view.pricing_changed.emit(4096, "q8_0")
    page.view.choice_chosen.emit(choice)
    page.until("the download to end", lambda: page.models == [f"{choice.model_id}:{choice.quantization}"])


def test_prices_are_for_the_machine_as_it_was_looked_at_last(page: PagePerson, monkeypatch: pytest.MonkeyPatch) -> None:
    open_and_wait(page)
    may_go_on = threading.Event()
    priced_for: list[str] = []

    def price_slowly(services: Any, profile: HardwareProfile, **wishes: Any) -> Any:
        priced_for.append(profile.gpus[0].name)
        assert may_go_on.wait(60)
        return recommend_models(services, profile, **wishes)

    monkeypatch.setattr(controller, "recommend_models", price_slowly)
    page.view.pricing_changed.emit(2048, "f16")
    page.until("prices on their way", lambda: priced_for)
    page.services.surveys.latest = Survey(profile=machine(gpu("New Card", 8, backend="CUDA0")), engine=None)
    page.open()
    page.until("the new look", lambda: page.controller._stale)  # type: ignore[union-attr]
    may_go_on.set()
    page.until("the new prices", page.controller._pricing.done)  # type: ignore[union-attr]
    assert priced_for == ["Test Card", "New Card"]


def test_looking_at_prices_changes_no_setting(page: PagePerson) -> None:
    open_and_wait(page)
    page.view.pricing_changed.emit(2048, "q8_0")
    page.until("other prices", lambda: page.view.answer._choice.context == 2048)
    assert (page.settings.get(WANTED_CONTEXT), page.settings.get(KV_TYPE)) == (4096, "f16")


def test_moving_the_slider_fast_ends_at_its_last_place(page: PagePerson) -> None:
    open_and_wait(page)
    for context in (2048, 4096, 1024, 4096, 1024):
        page.view.pricing_changed.emit(context, "f16")
        page.live(0.03)
    page.until("the last price", lambda: page.view.answer._choice.context == 1024)
    page.live(0.2)
    assert page.view.answer._choice.context == 1024


def test_a_download_is_shown_verified_and_then_chatted_with(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1_000_000
    choice = download(page, hub)
    name = f"{choice.model_id}:{choice.quantization}"
    page.until("a card", lambda: name in page.view.downloads.cards)
    hub.held_from = None
    page.until("the chat", lambda: page.models)
    assert page.models == [name]
    assert page.view.downloads.cards == {}
    page.until("the new price", lambda: page.view.answer._choice.installed)
    requests = len(hub.requests)
    page.view.choice_chosen.emit(page.view.answer._choice)
    page.until("the chat again", lambda: page.models == [name, name])
    assert len(hub.requests) == requests, "what is there is not fetched again"


def test_a_download_that_is_stopped_stays_in_sight_and_goes_on(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1_000_000
    choice = download(page, hub)
    name = f"{choice.model_id}:{choice.quantization}"
    page.until(
        "figures", lambda: name in page.view.downloads.cards and "MB of" in page.view.downloads.cards[name].text()
    )
    assert page.view.answer._button.text() == "Downloading …"
    assert page.view.downloads.card_of((choice.repo, choice.file)) is page.view.downloads.cards[name]
    row = page.view.table.filter.index(0, ACTION)
    assert row.data(CHOICE_ROLE).file == choice.file
    page.until("its row to say it", lambda: row.data(COMING_ROLE).endswith(" %"))
    page.view.downloads.stop_requested.emit(name)
    page.until("the stop", lambda: "not finished" in page.view.downloads.cards[name].title())
    assert page.notices == [], "stopping is no error"
    hub.held_from = None
    page.view.downloads.resume_requested.emit(name)
    page.until("the end", lambda: page.notices)
    assert page.notices[0].text == "Tiny 1B is ready and verified."
    assert page.notices[0].action == "Chat with it"
    assert page.models == []


def test_a_stopped_download_can_be_thrown_away(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1_000_000
    choice = download(page, hub)
    name = f"{choice.model_id}:{choice.quantization}"
    page.until(
        "figures", lambda: name in page.view.downloads.cards and "MB of" in page.view.downloads.cards[name].text()
    )
    page.view.downloads.discard_requested.emit(name)
    page.until("the card to go", lambda: page.view.downloads.cards == {})
    page.until("an end", lambda: not list(page.services.models_folder.rglob("*.part")))
    assert [one.progress.state for one in page.services.downloads.downloads()] == ["cancelled"]
    assert page.notices == [], "throwing it away is no error"


def test_a_failed_download_says_why_and_offers_to_try_again(page: PagePerson, hub: HubServer) -> None:
    del hub.repositories["owner/tiny-GGUF"].files["tiny-Q8_0.gguf"]
    file = hub.repositories["owner/tiny-GGUF"].files.pop("tiny-Q4_K_M.gguf")
    choice = download(page, hub)
    page.until("a banner", lambda: page.notices)
    banner = page.notices[0]
    assert banner.kind == "bad"
    assert banner.hint
    assert banner.action == "Try again"
    assert banner.on_action is not None
    card = page.view.downloads.cards[f"{choice.model_id}:{choice.quantization}"]
    assert banner.text in card.text(), "the card says it too once the banner is closed"
    for name in ("tiny-Q4_K_M.gguf", "tiny-Q8_0.gguf"):
        hub.repositories["owner/tiny-GGUF"].files[name] = file
    banner.on_action()
    page.until("the chat", lambda: page.models)
    assert page.models == [f"{choice.model_id}:{choice.quantization}"]


def test_with_the_network_switched_off_the_person_is_told(page: PagePerson, hub: HubServer) -> None:
    page.settings.set(OFFLINE, True)
    download(page, hub)
    page.until("a banner", lambda: page.notices)
    assert hub.requests == []
    assert (page.notices[0].kind, page.notices[0].action) == ("info", "Try again"), "it is their own wish"


def test_an_engine_that_cannot_start_leaves_the_page_usable(page: PagePerson) -> None:
    from desktop.engine.failure import explain_failure
    from desktop.engine.protocol import EngineFailure, FailureKind

    page.services.surveys.latest = None
    page.engine.failure = explain_failure(EngineFailure(kind=FailureKind.UNRESPONSIVE, detail="it hung"))
    open_and_wait(page)
    assert page.notices[0].kind == "bad"
    assert page.notices[0].action == "Try again"
    page.engine.failure = None
    assert page.notices[0].on_action is not None
    page.unwanted.clear()
    page.notices[0].on_action()
    page.until("the banner to go", lambda: "engine failure" in page.unwanted)
    assert page.view.table.filter.index(0, SPEED).data()


def test_a_machine_that_cannot_be_read_is_said_and_looked_at_again(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desktop.errors import AppError
    from desktop.hardware import probe

    real = probe.probe_hardware

    async def broken(**_arguments: object) -> None:
        raise AppError(reason="the probe is broken")

    page.services.surveys.latest = None
    monkeypatch.setattr(probe, "probe_hardware", broken)
    page.open()
    page.until("the words", lambda: "the probe is broken" in page.view.answer._name.text())
    assert page.notices == [], "it is said once"
    monkeypatch.setattr(probe, "probe_hardware", real)
    press(page.view, "Try again")
    page.until("the prices", page.view.table.filter.rowCount)


def test_a_catalog_that_cannot_be_read_is_said_with_a_way_to_try_again(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    catalog = page.services.__dict__.pop("catalog")
    (tmp_path / "models.json").write_text("{")
    monkeypatch.setattr(services, "catalog_file", lambda: tmp_path / "models.json")
    page.open()
    page.until("the words", lambda: "models.json" in page.view.answer._name.text())
    page.services.__dict__["catalog"] = catalog
    press(page.view, "Try again")
    page.until("the prices", page.view.table.filter.rowCount)


def test_a_library_that_cannot_be_read_does_not_take_the_window_along(page: PagePerson) -> None:
    page.services.paths.library_database.parent.mkdir(parents=True)
    page.services.paths.library_database.write_bytes(b"no database " * 1000)
    page.open()
    page.until("the words", lambda: "library.sqlite3" in page.view.answer._name.text())


@pytest.fixture
def earlier(page: PagePerson, styled: QApplication, hub: HubServer) -> str:
    """A download that was under way when the person closed Snug, which is open again now."""
    hub.held_from = 1_000_000
    choice = download(page, hub)
    name = f"{choice.model_id}:{choice.quantization}"
    page.until(
        "figures", lambda: name in page.view.downloads.cards and "MB of" in page.view.downloads.cards[name].text()
    )
    page.close()
    hub.held_from = None
    page.__init__(styled, "models", profile=machine())  # type: ignore[misc]
    page.open()
    page.until("the card", lambda: name in page.view.downloads.cards)
    assert "not finished" in page.view.downloads.cards[name].title()
    return name


def test_a_download_of_an_earlier_run_is_still_there_to_go_on_with(page: PagePerson, earlier: str) -> None:
    page.view.downloads.resume_requested.emit(earlier)
    page.until("the end", lambda: page.notices)
    assert page.notices[0].text == "Tiny 1B is ready and verified."


def test_a_download_of_an_earlier_run_goes_on_as_soon_as_the_network_may_be_used(
    page: PagePerson, earlier: str, hub: HubServer
) -> None:
    hub.requests.clear()
    page.shell.offline_changed.emit(True)
    page.live(0.3)
    assert hub.requests == []
    page.shell.offline_changed.emit(False)
    page.until("the end", lambda: page.notices)
    assert page.notices[0].text == "Tiny 1B is ready and verified."
    assert page.models == [], "nobody waits in front of it to chat"


def test_a_download_that_the_network_switch_ended_goes_on_when_it_is_back(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1_000_000
    choice = download(page, hub)
    name = f"{choice.model_id}:{choice.quantization}"
    page.until(
        "figures", lambda: name in page.view.downloads.cards and "MB of" in page.view.downloads.cards[name].text()
    )
    page.settings.set(OFFLINE, True)
    hub.held_from = None  # the next bytes that come are refused
    page.until("a banner", lambda: page.notices)
    assert "not finished" in page.view.downloads.cards[name].title()
    page.settings.set(OFFLINE, False)
    page.shell.offline_changed.emit(False)
    page.until("the end", lambda: len(page.notices) == 2)
    assert page.notices[1].text == "Tiny 1B is ready and verified."
    assert f"download {name}" in page.unwanted, "the banner that said why it stopped is gone"


def test_what_snug_pull_did_meanwhile_is_seen_when_the_page_is_shown_again(page: PagePerson, earlier: str) -> None:
    page.services.library.database.execute("DELETE FROM downloads")
    page.open()
    page.until("the card to go", lambda: page.view.downloads.cards == {})


def test_a_download_that_waits_can_be_made_the_next_and_all_can_be_stopped(page: PagePerson, hub: HubServer) -> None:
    hub.held_from = 1_000_000
    hub.add("owner/other-GGUF", "other-Q8_0.gguf", next(iter(hub.repositories["owner/tiny-GGUF"].files.values())).path)
    page.settings.set(HF_ENDPOINT, hub.endpoint)
    page.settings.set(DOWNLOADS_AT_ONCE, 1)
    open_and_wait(page)
    queue = page.services.downloads
    files = [
        ("tiny-1b", "Q4_K_M", "owner/tiny-GGUF"),
        ("tiny-1b", "Q8_0", "owner/tiny-GGUF"),
        ("o", "Q8_0", "owner/other-GGUF"),
    ]

    async def start() -> None:
        for model, quantization, repo in files:
            queue.start(WantedModel(model_id=model, name=model, quantization=quantization, repo=repo))

    page.do(start())
    order = [f"{model}:{quantization}" for model, quantization, _ in files]
    page.until("the cards", lambda: list(page.view.downloads.cards) == order)
    page.until("the first", lambda: "MB of" in page.view.downloads.cards[order[0]].text())
    waiting = [name for name, card in page.view.downloads.cards.items() if card._next.isVisible()]
    assert waiting == [order[2]], "the one that is the next already is not offered it"
    page.view.downloads.cards[order[2]].next_requested.emit()
    page.until("its place", lambda: page.view.downloads.order() == [order[2], *order[:2]])
    page.view.downloads._stop_all.click()
    page.until("the end", lambda: {each.progress.state for each in queue.downloads()} == {"paused"})
    assert page.view.downloads._resume_all.isVisible()
    hub.held_from = None
    page.view.downloads._resume_all.click()
    page.until("all of them", lambda: len(page.services.library.installed()) == 4, timeout=60)
    page.until("no card", lambda: page.view.downloads.cards == {})
