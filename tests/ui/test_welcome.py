"""The welcome page: three screens, the keyboard, and all that can go wrong without keeping a person from the chat."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.errors import AppError, Phrase
from desktop.fit.types import Choice
from desktop.hardware import probe
from desktop.settings import HF_ENDPOINT, MINIMUM_SPEED, OFFLINE, WANTED_CONTEXT, WELCOME_DONE
from desktop.ui.pages.welcome.view import ADVICE, FOUND, START, WelcomeView
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from tests.support.catalogs import tiny_catalog
from tests.support.hub_server import HubServer
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_person import PagePerson
from tests.support.page_values import choice, gpu, machine

LONG = "A Model With a Remarkably Long Name and a Date 30B-A3B Instruct 2507"


@pytest.fixture
def view(styled: QApplication) -> Iterator[WelcomeView]:
    with shown(WelcomeView()) as made:
        yield made


def words(view: WelcomeView) -> str:
    labels = [each.text() for each in view.findChildren(PlainLabel) if each.isVisible()]
    return "\n".join(labels + buttons(view))


def buttons(view: WelcomeView) -> list[str]:
    return [each.text() for each in view.findChildren(Button) if each.isVisible()]


def press(view: WelcomeView, text: str) -> None:
    next(each for each in view.findChildren(Button) if each.isVisible() and each.text() == text).click()
    QApplication.processEvents()


def test_three_screens_forth_and_back(view: WelcomeView) -> None:
    assert "Welcome to Snug" in words(view)
    assert "1 of 3" in words(view)
    assert "Back" not in buttons(view)
    press(view, "Next")
    assert "What suits this machine" in words(view)
    press(view, "Next")
    assert "Start right away" in words(view)
    press(view, "Back")
    press(view, "Back")
    assert view.step() == FOUND


@pytest.mark.parametrize("step", [FOUND, ADVICE, START])
def test_every_screen_can_be_skipped_by_button_and_by_escape(view: WelcomeView, step: int) -> None:
    skipped: list[bool] = []
    view.skipped.connect(lambda: skipped.append(True))
    for _ in range(step):
        press(view, "Next")
    press(view, "Skip the introduction")
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert len(skipped) == 2


def test_enter_goes_on_to_the_chat(view: WelcomeView) -> None:
    chats: list[bool] = []
    view.chat_chosen.connect(lambda: chats.append(True))
    view.focus_first()
    for _ in range(3):
        QTest.keyClick(view, Qt.Key.Key_Return)
    assert view.step() == START
    assert chats == [True]


def test_it_says_what_was_found(view: WelcomeView) -> None:
    view.set_profile(machine(gpu("Card One", 12), gpu("Card Two", 8), ram=32, free=20))
    QApplication.processEvents()
    assert {"Card One · 12.0 GiB", "Card Two · 8.00 GiB", "32.0 GiB, 20.0 GiB free", "200.00 GB free"} <= set(
        words(view).split("\n")
    )
    view.set_profile(machine())
    QApplication.processEvents()
    assert "none found: models run in main memory" in words(view)
    assert "Card One" not in words(view)


def test_it_recommends_and_offers_to_download_meanwhile(view: WelcomeView) -> None:
    wanted: list[Choice] = []
    view.download_chosen.connect(wanted.append)
    best = choice(reasons=(Phrase.of("Because it fits."),))
    view.set_choice(best)
    press(view, "Next")
    assert "Tiny 1B · Q4_K_M" in words(view)
    assert "Because it fits." in words(view)
    press(view, "Next")
    assert "Tiny 1B is a download of 1.50 GB from Nobody (Apache-2.0)." in words(view)
    assert "Just chat" in buttons(view)
    press(view, "Chat now, download the better one meanwhile")
    assert wanted == [best]


@pytest.mark.parametrize("best", [None, choice(installed=True)])
def test_without_anything_to_download_there_is_only_the_chat(view: WelcomeView, best: Choice | None) -> None:
    view.set_choice(best)
    press(view, "Next")
    press(view, "Next")
    assert buttons(view) == ["Start to chat", "Back", "Skip the introduction"]


def test_nothing_fits_is_said(view: WelcomeView) -> None:
    view.set_choice(None)
    press(view, "Next")
    assert "The built-in model" in words(view)
    assert "Nothing larger fits with room to spare right now." in words(view)


def test_nothing_is_clipped_nameless_or_read_as_markup(view: WelcomeView) -> None:
    view.set_profile(machine(*(gpu(f"{LONG} {number}") for number in range(4))), problem=f"{LONG} " * 3)
    view.set_choice(choice(LONG, licence=LONG, reasons=(Phrase.of("<b>x</b> " * 30),) * 3))
    for _step in (FOUND, ADVICE, START):
        QApplication.processEvents()
        assert clipped(view) == []
        assert nameless(view) == []
        assert guessing(view) == []
        if view.step() != START:
            press(view, "Next")


# --- with its controller ------------------------------------------------------------------------------------------


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "welcome")
    person.services.__dict__["catalog"] = tiny_catalog()
    person.settings.set(WANTED_CONTEXT, 4096)
    person.settings.set(MINIMUM_SPEED, 0.0)
    yield person
    person.close()


def test_the_chat_is_reached_before_anything_was_found_out(page: PagePerson) -> None:
    page.open()
    page.view.skipped.emit()
    assert page.pages == ["chat"]
    assert page.settings.get(WELCOME_DONE)


def test_an_engine_that_cannot_start_is_said_and_what_was_found_is_shown(page: PagePerson) -> None:
    page.engine.failure = AppError(reason="the engine is broken")
    page.open()
    page.until("the machine", lambda: "Processor" in words(page.view))
    assert "the engine is broken" in words(page.view)
    page.until("the advice", lambda: page.view._choice is not None)


def test_a_machine_that_cannot_be_read_still_lets_the_person_chat(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(**_arguments: object) -> None:
        raise AppError(reason="the probe is broken")

    monkeypatch.setattr(probe, "probe_hardware", broken)
    page.open()
    page.until("the failure", lambda: "the probe is broken" in words(page.view))
    press(page.view, "Next")
    press(page.view, "Next")
    press(page.view, "Start to chat")
    assert page.pages == ["chat"]


def test_with_the_network_switched_off_nothing_is_offered_for_download(page: PagePerson) -> None:
    page.settings.set(OFFLINE, True)
    page.open()
    page.until("the advice", lambda: page.view._choice is not None)
    press(page.view, "Next")
    press(page.view, "Next")
    assert "Start to chat" in buttons(page.view)


def test_the_download_runs_while_the_person_chats_and_ends_in_an_offer(page: PagePerson, tmp_path: Path) -> None:
    file = tmp_path / "served.gguf"
    file.write_bytes(b"GGUF" + bytes(100_000))
    with HubServer() as hub:
        for name in ("Q4_K_M", "Q8_0"):
            hub.add("owner/tiny-GGUF", f"tiny-{name}.gguf", file)
        page.settings.set(HF_ENDPOINT, hub.endpoint)
        page.open()
        page.until("the advice", lambda: page.view._choice is not None)
        press(page.view, "Next")
        press(page.view, "Next")
        press(page.view, "Chat now, download the better one meanwhile")
        assert page.pages == ["chat"]
        page.until("the offer", lambda: page.notices)
    assert page.notices[0].text == "Tiny 1B is ready and verified."
    assert page.models == [], "a chat that has begun is not taken to another model unasked"
