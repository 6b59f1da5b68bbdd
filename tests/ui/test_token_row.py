"""The token for the Hub on the settings page: kept, told where, never shown again, forgotten."""

from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from desktop.actions import hub_token
from desktop.ui.pages.settings.token import TokenRow
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from tests.support.keyrings import HangingKeyring
from tests.support.looks import clipped, guessing, nameless
from tests.support.page_person import PagePerson

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def page(styled: QApplication, snug_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PagePerson]:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    person = PagePerson(styled, "settings")
    person.open()
    yield person
    person.close()


def words(row: TokenRow) -> str:
    return "\n".join(each.text() for each in row.findChildren(PlainLabel) if each.isVisible())


def button(row: TokenRow, text: str) -> Button:
    return next(each for each in row.findChildren(Button) if each.text() == text)


def line(row: TokenRow) -> QLineEdit:
    found = row.findChild(QLineEdit)
    assert found is not None
    return found


def give(row: TokenRow, token: str) -> None:
    QTest.keyClicks(line(row), token)
    button(row, "Keep").click()


def test_a_token_is_kept_in_a_file_with_a_notice_where_there_is_no_keyring(page: PagePerson) -> None:
    row = page.view.token
    assert "Made on huggingface.co/settings/tokens" in words(row)
    give(row, TOKEN)
    page.until("the words", lambda: "A token is kept in a file." in words(row))
    assert "which only you can read" in words(row)
    assert TOKEN not in words(row)
    assert line(row).text() == ""
    assert not line(row).isVisible()
    assert page.services.hub.token_for("https://huggingface.co/x") == TOKEN
    button(row, "Forget the token").click()
    page.until("the words", lambda: "Made on huggingface.co" in words(row))
    assert page.services.hub.token_for("https://huggingface.co/x") is None


def test_what_is_no_token_is_refused_with_words(page: PagePerson) -> None:
    row = page.view.token
    give(row, "two words")
    page.until("the words", lambda: "This is not a token of the Hub." in words(row))
    assert line(row).text() == "two words", "so that it can be corrected"


@pytest.mark.parametrize("place", ["none", "keyring", "file", "environment"])
def test_every_state_has_its_words_and_room(styled: QApplication, place: str) -> None:
    row = TokenRow(240)
    row.set_state(place, ["A notice of some length that says what else a person should know of where it is."])
    row.resize(780, 200)
    row.show()
    assert "A notice of some length" in words(row)
    assert line(row).isVisible() == (place in ("none", "environment"))
    row.set_waiting()
    assert "Asking the keyring" in words(row)
    assert not any(each.isEnabled() for each in (line(row), *row.findChildren(Button)))
    row.set_problem("It did not work.")
    for _ in range(3):
        QApplication.processEvents()
    assert "A notice of some length" in words(row)
    assert "Asking the keyring" not in words(row)
    assert line(row).isVisible(), "another token can be given"
    assert line(row).isEnabled() == (place != "environment")
    assert clipped(row) == []
    assert nameless(row) == []
    assert guessing(row) == []
    row.hide()  # no last window that is closed: it would end the application
    row.deleteLater()


def come_back(page: PagePerson) -> None:
    assert page.controller is not None
    page.controller.activate()


def test_a_keyring_that_hangs_stops_nothing_but_its_row_and_not_for_ever(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_token, "_PATIENCE", 3.0)
    hanging, before = HangingKeyring(), keyring.get_keyring()
    keyring.set_keyring(hanging)
    row = page.view.token
    try:
        give(row, TOKEN)
        page.until("the words", lambda: "Asking the keyring" in words(row))
        assert not button(row, "Keep").isEnabled()
        come_back(page)
        page.live(0.2)
        assert "Asking the keyring" in words(row), "the page was left and come back to"
        page.until("the message", lambda: "does not answer. Look for a window that asks" in words(row))
        assert button(row, "Keep").isEnabled()
        assert line(row).text() == TOKEN, "so that it need not be typed again"
    finally:
        hanging.answers.set()
        keyring.set_keyring(before)


def test_what_is_being_typed_stays_when_the_page_is_left_and_come_back_to(page: PagePerson) -> None:
    row = page.view.token
    QTest.keyClicks(line(row), "hf_half")
    come_back(page)
    page.live(0.2)
    assert line(row).text() == "hf_half"
