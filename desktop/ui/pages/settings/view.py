"""The settings page: one card per section, one row per setting, all of it made from the declarations."""

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.setting import Setting
from desktop.settings import ALL_SETTINGS, DEFAULT_MODEL, NETWORK, SECTIONS
from desktop.ui.bridge import translate_core
from desktop.ui.pages.settings.editors import ModelEditor, make_editor
from desktop.ui.pages.settings.token import TokenRow
from desktop.ui.widgets.buttons import IconButton
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.notice import Notice
from desktop.ui.widgets.page import Page

_EDITOR_WIDTH = 240


class SettingRow(QWidget):
    """Title, help, editor, and a reset that shows where the value differs from the default."""

    value_chosen = Signal(object, object)
    reset_requested = Signal(object)

    def __init__(self, setting: Setting[Any]) -> None:
        super().__init__()
        self._setting = setting
        self.editor = make_editor(setting)
        self.editor.setFixedWidth(_EDITOR_WIDTH)
        self.editor.value_chosen.connect(lambda value: self.value_chosen.emit(setting, value))
        title = translate_core(setting.title)
        self._reset = IconButton("reset", self.tr("Set {name} back to its default").format(name=title), size=24)
        self._reset.clicked.connect(lambda: self.reset_requested.emit(setting))
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        self._problem = PlainLabel(tone="bad", wrap=True)
        self._problem.hide()
        self._remark = PlainLabel(tone="good", wrap=True)
        self._remark.hide()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(PlainLabel(title, tone="strong"))
        words.addWidget(PlainLabel(translate_core(setting.help), tone="muted", wrap=True))
        words.addWidget(self._problem)
        words.addWidget(self._remark)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 4)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(self._reset, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.editor, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_value(self, value: Any) -> None:
        """Show the value in force."""
        self.editor.show_value(value)
        self._reset.setVisible(value != self._setting.default)
        self._problem.hide()

    def set_problem(self, text: str) -> None:
        """Say why the value was not taken."""
        self._problem.setText(text)
        self._problem.show()

    def set_remark(self, text: str) -> None:
        """Say what else there is to do now that the value was taken; "" for nothing."""
        self._remark.setText(text)
        self._remark.setVisible(bool(text))

    def problem(self) -> str:
        """Why the value was not taken, or is not the person's to choose."""
        return self._problem.text() if not self._problem.isHidden() else ""

    def remark(self) -> str:
        """What else there is to do."""
        return self._remark.text() if not self._remark.isHidden() else ""

    def lock(self, reason: str) -> None:
        """The value cannot be changed here, and why."""
        self.editor.setEnabled(False)
        self._reset.hide()
        self.set_problem(reason)
        self._problem.set_tone("warn")


class SettingsView(Page):
    """Rows by section. Signals carry the Setting itself."""

    value_chosen = Signal(object, object)
    reset_requested = Signal(object)

    def __init__(self, settings: Iterable[Setting[Any]] = ALL_SETTINGS, parent: QWidget | None = None) -> None:
        super().__init__("", max_width=820, parent=parent)
        self.header.set_title(self.tr("Settings"))
        self.rows: dict[str, SettingRow] = {}
        self.token = TokenRow(_EDITOR_WIDTH)
        shown = [setting for setting in settings if not setting.hidden]
        for section in SECTIONS:
            self._add_section(section, [setting for setting in shown if setting.section == section])
        self._about = PlainLabel(tone="muted", wrap=True)
        self.body.addWidget(self._about)
        self.body.addStretch(1)

    def _add_section(self, section: str, settings: list[Setting[Any]]) -> None:
        if not settings:
            return
        card = Card(translate_core(section))
        for setting in settings:
            row = SettingRow(setting)
            row.value_chosen.connect(self.value_chosen)
            row.reset_requested.connect(self.reset_requested)
            self.rows[setting.key] = row
            card.body.addWidget(row)
        if section == NETWORK:
            card.body.addWidget(self.token)
        self.body.addWidget(card)

    def show_value(self, setting: Setting[Any], value: Any) -> None:
        """Show one value in force."""
        self.rows[setting.key].show_value(value)

    def set_restart_needed(self, setting: Setting[Any], needed: bool) -> None:
        """Say at the row that a change of this setting is seen at the next start."""
        text = self.tr("Saved. Snug uses it from its next start on.")
        self.rows[setting.key].set_remark(text if needed else "")

    def offer_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer the installed models, (id, name), where one can be chosen."""
        editor = self.rows[DEFAULT_MODEL.key].editor
        if isinstance(editor, ModelEditor):
            editor.offer(models)

    def show_notices(self, texts: Iterable[str]) -> None:
        """Say what was wrong with the settings file."""
        for text in texts:
            self.notices.add(Notice(text, kind="warn"), key=text)

    def set_problem(self, setting: Setting[Any], text: str) -> None:
        """Say at the row why a value was not taken."""
        self.rows[setting.key].set_problem(text)

    def lock(self, setting: Setting[Any], *, variable: str) -> None:
        """An environment variable decides this value."""
        self.rows[setting.key].lock(self.tr("The environment variable {name} decides this.").format(name=variable))

    def set_about(self, *, version: str, settings: str, data: str, log: str) -> None:
        """Name the version and the folders, at the foot."""
        text = self.tr("Snug {version}\nSettings: {settings}\nChats and models: {data}\nLog: {log}")
        self._about.setText(text.format(version=version, settings=settings, data=data, log=log))
