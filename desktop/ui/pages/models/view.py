"""The models page: the answer, what is on this disk, and every choice priced for this machine."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QSlider, QVBoxLayout, QWidget

from desktop.fit.types import Choice
from desktop.library.types import InstalledModel
from desktop.ui.icons import icon
from desktop.ui.pages.models.answer import AnswerCard
from desktop.ui.pages.models.installed import InstalledCard
from desktop.ui.pages.models.table import ChoicesView
from desktop.ui.theme import current_colours
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.page import Page
from desktop.ui.widgets.progress import ProgressCard

CONTEXTS = (2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Stops of the context slider, in tokens."""


class ModelsView(Page):
    """Setters in, signals out. `choice_chosen` carries a Choice, `installed_chosen` an InstalledModel."""

    choice_chosen = Signal(object)
    installed_chosen = Signal(object)
    stop_requested = Signal()
    pricing_changed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent=parent)
        self.header.set_title(self.tr("Models"))
        self.answer = AnswerCard()
        self.answer.chosen.connect(self.choice_chosen)
        self.progress = ProgressCard()
        self.progress.stop_requested.connect(self.stop_requested)
        self.progress.hide()
        self.installed = InstalledCard()
        self.installed.chosen.connect(self.installed_chosen)
        self.table = ChoicesView(self.tr("Models for this machine"))
        self.table.chosen.connect(self.choice_chosen)
        self._empty = PlainLabel(self.tr("No model of the catalog has this in its name."), tone="muted")
        self._empty.hide()
        self.body.addWidget(self.answer)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.installed)
        self.body.addLayout(self._make_controls())
        card = Card()
        card.body.addWidget(self.table)
        card.body.addWidget(self._empty)
        self.body.addWidget(card)
        self.body.addStretch(1)

    def _make_controls(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addLayout(self._make_context())
        row.addWidget(self._make_kv(), 0, Qt.AlignmentFlag.AlignBottom)
        row.addStretch(1)
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search the catalog"))
        self._search.setAccessibleName(self.tr("Search the catalog"))
        self._search.addAction(icon("search", current_colours().muted), QLineEdit.ActionPosition.LeadingPosition)
        self._search.setClearButtonEnabled(True)
        self._search.setFixedWidth(220)
        self._search.textChanged.connect(self._on_search_changed)
        row.addWidget(self._search, 0, Qt.AlignmentFlag.AlignBottom)
        return row

    def _make_context(self) -> QVBoxLayout:
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, len(CONTEXTS) - 1)
        self._slider.setPageStep(1)
        self._slider.setFixedWidth(280)
        self._slider.setAccessibleName(self.tr("Context length"))
        self._figure = PlainLabel(tone="strong")
        self._slider.valueChanged.connect(self._on_pricing_changed)
        head = QHBoxLayout()
        head.addWidget(PlainLabel(self.tr("Context")))
        head.addStretch(1)
        head.addWidget(self._figure)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._slider)
        return column

    def _make_kv(self) -> QWidget:
        self._kv = QComboBox()
        self._kv.addItem(self.tr("f16 (exact)"), "f16")
        self._kv.addItem(self.tr("q8_0 (half the memory)"), "q8_0")
        self._kv.setAccessibleName(self.tr("KV cache type"))
        self._kv.currentIndexChanged.connect(self._on_pricing_changed)
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(PlainLabel(self.tr("KV cache")))
        row.addWidget(self._kv)
        return holder

    def set_pricing(self, context: int, kv: str) -> None:
        """Show the context (tokens) and the KV type that the rows are priced for."""
        for widget in (self._slider, self._kv):
            widget.blockSignals(True)
        nearest = min(range(len(CONTEXTS)), key=lambda i: abs(CONTEXTS[i] - context))
        self._slider.setValue(nearest)
        self._kv.setCurrentIndex(max(0, self._kv.findData(kv)))
        for widget in (self._slider, self._kv):
            widget.blockSignals(False)
        self._figure.setText(self.locale().toString(CONTEXTS[nearest]))

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Show the rows, best first."""
        self.table.choices.set_choices(choices)
        self._show_whether_empty()

    def set_installed(self, models: Sequence[InstalledModel], loaded: str) -> None:
        """Show what is on the disk; `loaded` is the id of the model in use."""
        self.installed.set_models(models, loaded)

    def show_progress(self, title: str, figures: str, fraction: float | None, *, stoppable: bool = True) -> None:
        """Show the download or the load that is under way."""
        self.progress.show_progress(title, figures, fraction)
        self.progress.set_stoppable(stoppable)
        self.progress.show()
        self.answer.set_busy(True)

    def hide_progress(self) -> None:
        """Nothing is under way."""
        self.progress.hide()
        self.answer.set_busy(False)

    def _on_pricing_changed(self) -> None:
        context = CONTEXTS[self._slider.value()]
        self._figure.setText(self.locale().toString(context))
        self.pricing_changed.emit(context, self._kv.currentData())

    def _on_search_changed(self, text: str) -> None:
        self.table.filter.setFilterFixedString(text.strip())
        self._show_whether_empty()

    def _show_whether_empty(self) -> None:
        empty = self.table.filter.rowCount() == 0 and bool(self._search.text().strip())
        self._empty.setVisible(empty)
        self.table.setVisible(not empty)
