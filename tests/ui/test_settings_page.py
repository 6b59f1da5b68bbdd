"""What a person sees of the settings page: a row per declaration, written at once, refused with words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
    QWidget,
)

from desktop.paths import user_paths
from desktop.setting import Setting
from desktop.settings import (
    ALL_SETTINGS,
    DEFAULT_MODEL,
    HF_ENDPOINT,
    LANGUAGE,
    MAX_LENGTH,
    MEMORY_MARGIN,
    MODELS_FOLDER,
    OFFLINE,
    SYSTEM_PROMPT,
    TEMPERATURE,
    THEME,
    WANTED_CONTEXT,
)
from desktop.settings_store import SettingsStore
from desktop.ui.pages.settings.view import SettingRow, SettingsView
from desktop.ui.widgets.buttons import IconButton
from tests.support.looks import clipped, guessing, nameless
from tests.support.page_person import PagePerson

SHOWN = [setting for setting in ALL_SETTINGS if not setting.hidden]


@pytest.fixture
def view(styled: QApplication) -> Iterator[SettingsView]:
    made = SettingsView()
    made.resize(844, 572)
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "settings")
    person.open()
    person.until("the installed models", lambda: field(person, DEFAULT_MODEL, QComboBox).count() > 1)
    yield person
    person.close()


def field(page: "PagePerson | SettingsView", setting: Setting[Any], kind: type[QWidget] = QWidget) -> Any:
    view = page.view if isinstance(page, PagePerson) else page
    found = view.rows[setting.key].editor.field
    assert isinstance(found, kind)
    return found


def reset_button(page: PagePerson, setting: Setting[Any]) -> IconButton:
    row: SettingRow = page.view.rows[setting.key]
    return next(each for each in row.findChildren(IconButton) if each.accessibleName().startswith("Set "))


def in_the_file(setting: Setting[Any]) -> Any:
    return SettingsStore.open(user_paths().settings_file).get(setting)


def test_every_declared_setting_has_a_row_and_no_hidden_one(view: SettingsView) -> None:
    assert set(view.rows) == {setting.key for setting in SHOWN}


@pytest.mark.parametrize("setting", SHOWN, ids=lambda setting: setting.key)
def test_every_row_shows_any_value_the_setting_can_have_without_choosing_it(
    view: SettingsView, setting: Setting[Any]
) -> None:
    chosen: list[object] = []
    view.value_chosen.connect(lambda _setting, value: chosen.append(value))
    for value in (setting.default, *(each.value for each in setting.choices)):
        view.show_value(setting, value)
    assert chosen == []


def test_a_switch_writes_at_once(page: PagePerson) -> None:
    field(page, OFFLINE, QCheckBox).click()
    assert in_the_file(OFFLINE) is True


def test_a_number_is_written_when_it_is_complete_and_can_be_set_back(page: PagePerson) -> None:
    box = field(page, WANTED_CONTEXT, QSpinBox)
    box.selectAll()
    QTest.keyClicks(box, "16384")
    assert in_the_file(WANTED_CONTEXT) == 8192, "not while it is being typed"
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert in_the_file(WANTED_CONTEXT) == 16384
    assert reset_button(page, WANTED_CONTEXT).isVisible()
    reset_button(page, WANTED_CONTEXT).click()
    assert box.value() == 8192
    assert not reset_button(page, WANTED_CONTEXT).isVisible()
    assert in_the_file(WANTED_CONTEXT) == 8192


def test_one_step_below_the_smallest_number_leaves_it_to_the_model(page: PagePerson) -> None:
    box = field(page, TEMPERATURE, QDoubleSpinBox)
    assert box.text() == "As the model suggests"
    box.setValue(0.7)
    assert in_the_file(TEMPERATURE) == 0.7
    box.setValue(box.minimum())
    assert in_the_file(TEMPERATURE) is None
    field(page, MAX_LENGTH, QSpinBox).setValue(0)
    assert in_the_file(MAX_LENGTH) == 0


def test_memory_is_chosen_in_mebibytes_and_kept_in_bytes(page: PagePerson) -> None:
    box = field(page, MEMORY_MARGIN, QSpinBox)
    assert box.text() == "256 MiB"
    box.setValue(512)
    assert in_the_file(MEMORY_MARGIN) == 512 * 2**20


def test_an_emptied_text_is_no_choice_any_more(page: PagePerson) -> None:
    line = field(page, SYSTEM_PROMPT, QLineEdit)
    QTest.keyClicks(line, "Be kind.")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert in_the_file(SYSTEM_PROMPT) == "Be kind."
    line.selectAll()
    QTest.keyClick(line, Qt.Key.Key_Delete)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert in_the_file(SYSTEM_PROMPT) is None


def test_a_value_that_is_refused_is_said_at_its_row_and_the_old_one_shown(page: PagePerson) -> None:
    page.view.value_chosen.emit(WANTED_CONTEXT, 12)
    row = page.view.rows[WANTED_CONTEXT.key]
    assert "must be between 512 and 1048576" in row.problem()
    assert field(page, WANTED_CONTEXT, QSpinBox).value() == 8192
    page.view.value_chosen.emit(WANTED_CONTEXT, 4096)
    assert row.problem() == ""


def test_a_file_that_cannot_be_written_is_said_at_the_row(page: PagePerson) -> None:
    settings = user_paths().settings_file
    settings.unlink(missing_ok=True)
    settings.mkdir(parents=True)
    field(page, OFFLINE, QCheckBox).click()
    assert page.view.rows[OFFLINE.key].problem()
    assert not field(page, OFFLINE, QCheckBox).isChecked(), "what is shown is what is in force"


def test_the_theme_changes_at_once(page: PagePerson) -> None:
    wanted: list[str] = []
    page.shell.theme_wanted.connect(wanted.append)
    field(page, THEME, QComboBox).setCurrentIndex(2)
    assert wanted == ["dark"]


@pytest.mark.parametrize(("setting", "value"), [(LANGUAGE, "zh_CN"), (MODELS_FOLDER, "/elsewhere")])
def test_what_is_seen_at_the_next_start_only_says_so(page: PagePerson, setting: Setting[Any], value: str) -> None:
    row = page.view.rows[setting.key]
    page.view.value_chosen.emit(setting, value)
    assert row.remark() == "Saved. Snug uses it from its next start on."
    page.view.reset_requested.emit(setting)
    assert row.remark() == ""
    page.view.value_chosen.emit(OFFLINE, True)
    assert page.view.rows[OFFLINE.key].remark() == ""


def test_an_environment_variable_locks_its_row(
    styled: QApplication, snug_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    person = PagePerson(styled, "settings")
    try:
        person.open()
        assert "HF_ENDPOINT" in person.view.rows[HF_ENDPOINT.key].problem()
        assert field(person, HF_ENDPOINT, QLineEdit).text() == "https://mirror.example"
        assert not field(person, HF_ENDPOINT).isEnabled()
        assert not reset_button(person, HF_ENDPOINT).isVisible()
        assert field(person, OFFLINE).isEnabled()
    finally:
        person.close()


def test_the_model_for_new_chats_is_one_of_those_on_the_disk(page: PagePerson) -> None:
    combo = field(page, DEFAULT_MODEL, QComboBox)
    assert combo.currentText() == "The one used last"
    name = combo.itemText(1)
    combo.setCurrentIndex(1)
    assert in_the_file(DEFAULT_MODEL) == combo.itemData(1)
    page.shell.models_changed.emit()
    page.live(0.2)
    assert combo.currentText() == name


def test_a_default_model_that_is_gone_is_shown_not_forgotten(view: SettingsView) -> None:
    view.show_value(DEFAULT_MODEL, "gone:Q4_K_M")
    view.offer_models([("here:Q8_0", "Here")])
    assert field(view, DEFAULT_MODEL, QComboBox).currentText() == "gone:Q4_K_M"


def test_a_broken_settings_file_is_told_on_the_page(styled: QApplication, snug_home: Path) -> None:
    file = user_paths().settings_file
    file.parent.mkdir(parents=True)
    file.write_text("{")
    person = PagePerson(styled, "settings")
    try:
        person.open()
        assert any("could not be read" in text for text in person.view.notices.texts())
    finally:
        person.close()


def test_the_page_names_the_files_behind_it(page: PagePerson) -> None:
    about = page.view._about.text()
    assert str(user_paths().settings_file) in about
    assert str(user_paths().log_file) in about


def scroll_over(widget: QWidget) -> None:
    wheel = QWheelEvent(
        QPointF(5, 5), QPointF(widget.mapToGlobal(QPoint(5, 5))), QPoint(0, 0), QPoint(0, -120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, wheel)


@pytest.mark.parametrize("setting", [THEME, WANTED_CONTEXT, TEMPERATURE], ids=lambda setting: setting.key)
def test_scrolling_the_page_changes_no_value_under_the_pointer(page: PagePerson, setting: Setting[Any]) -> None:
    before = in_the_file(setting)
    scroll_over(field(page, setting))
    assert in_the_file(setting) == before


def test_numbers_have_no_arrows_but_are_shown(view: SettingsView) -> None:
    """With QAbstractSpinBox.NoButtons and this stylesheet Qt gives the number no room at all."""
    QApplication.processEvents()
    for box in view.findChildren(QAbstractSpinBox):
        line = box.findChild(QLineEdit)
        assert isinstance(line, QLineEdit)
        assert line.width() > box.width() / 2


@pytest.mark.parametrize("size", [(844, 572), (1224, 792)])
def test_nothing_is_clipped_nameless_or_read_as_markup(view: SettingsView, size: tuple[int, int]) -> None:
    view.resize(*size)
    for setting in SHOWN:
        view.show_value(setting, setting.default)
        view.set_problem(setting, "<b>This value</b> cannot be taken because of a reason that takes many words. " * 2)
        view.set_restart_needed(setting, True)
    view.set_about(version="1", settings="/a", data="/b", log="/c")
    for _ in range(3):
        QApplication.processEvents()
    assert clipped(view) == []
    assert nameless(view) == []
    assert guessing(view) == []
