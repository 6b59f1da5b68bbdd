"""The planner: cards and memory that are not here, and what would come first with them."""

from collections.abc import Sequence

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QCompleter, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from desktop.fit.cards.cards import Card as GraphicsCard
from desktop.fit.cards.planner import Comparison, HardwareWish
from desktop.fit.types import Choice
from desktop.ui.bridge import render, sentences
from desktop.ui.figures import GIB, gib
from desktop.ui.verdicts import verdict_kind, verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.context_choice import CalmCombo
from desktop.ui.widgets.elided_pill import ElidedPill
from desktop.ui.widgets.flow import FlowLayout
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip

_SIZES = (8, 12, 16, 24, 32, 48)
_RAM = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
_REASONS = 2
_WIDEST_CHIP = 400
"""Pixels of the words for a card that was added."""


class ChoiceTile(QWidget):
    """One choice in few words: name, verdict, memory, speed, and its first reasons."""

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        number = QLocale().toString
        exact, estimate = self.tr("{memory} exact · {low}–{high} tok/s"), self.tr("about {memory} · {low}–{high} tok/s")
        figures = (exact if choice.exact else estimate).format(
            memory=gib(choice.memory_total),
            low=number(choice.speed.decode_low, "f", 0),
            high=number(choice.speed.decode_high, "f", 0),
        )
        pills = FlowLayout(spacing=6)
        pills.addWidget(ElidedPill(verdict_text(choice), kind=verdict_kind(choice)))
        pills.addWidget(ElidedPill(figures))
        reasons = sentences(render(reason) for reason in choice.reasons[:_REASONS])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(ElidedLabel(f"{choice.model_name} · {choice.quantization}", tone="strong"))
        column.addLayout(pills)
        column.addWidget(PlainLabel(reasons, tone="small", wrap=True))


class _Column(QWidget):
    """Choices below each other, under a caption."""

    def __init__(self, caption: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tiles: list[QWidget] = []
        self._column = QVBoxLayout()
        self._column.setSpacing(16)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(6)
        outer.addWidget(PlainLabel(caption, tone="muted"))
        outer.addLayout(self._column)
        outer.addStretch(1)

    def set_choices(self, choices: Sequence[Choice], if_none: str) -> None:
        """Show them in their order."""
        for tile in self._tiles:
            tile.hide()
            tile.deleteLater()
        self._tiles = [ChoiceTile(choice) for choice in choices] or [PlainLabel(if_none, wrap=True)]
        for tile in self._tiles:
            self._column.addWidget(tile)


class PlannerCard(Card):
    """`wish_changed` carries a HardwareWish; `card_wanted` what was typed, and whether it is for another machine."""

    wish_changed = Signal(object)
    card_wanted = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("What if …"))
        self._here: list[GraphicsCard] = []
        self._elsewhere: list[GraphicsCard] = []
        self._field = self._make_field()
        self._place = CalmCombo()
        self._place.addItem(self.tr("in this machine"))
        self._place.addItem(self.tr("in another machine"))
        self._place.setAccessibleName(self.tr("Where the card would be"))
        self._add = Button(self.tr("Add"), icon_name="plus")
        self._add.clicked.connect(self._on_add)
        self._problem = PlainLabel(tone="warn", wrap=True)
        self._chips = FlowLayout(spacing=8)
        self._keep = QCheckBox(self.tr("Keep the cards that are here"))
        self._keep.setChecked(True)
        self._keep.toggled.connect(self._on_changed)
        self._ram = self._make_ram()
        self._change = PlainLabel(tone="strong", wrap=True)
        self._today = _Column(self.tr("Today"))
        self._then = _Column(self.tr("Then"))
        self._notes = PlainLabel(tone="small", wrap=True)
        self._lay_out()
        self.set_nothing_wished()

    def _make_field(self) -> QComboBox:
        field = CalmCombo()
        field.setEditable(True)
        field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        field.setMinimumContentsLength(20)
        field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        field.setAccessibleName(self.tr("Graphics card, or its memory"))
        edit = field.lineEdit()
        if edit is not None:
            edit.setPlaceholderText(self.tr("RTX 4070, or 16 GB"))
            edit.setAccessibleName(self.tr("Graphics card, or its memory"))
            edit.returnPressed.connect(self._on_add)
        return field

    def _make_ram(self) -> QComboBox:
        ram = CalmCombo()
        ram.addItem(self.tr("as now"), None)
        for size in _RAM:
            ram.addItem(f"{size} GiB", size * GIB)
        ram.setAccessibleName(self.tr("Main memory"))
        ram.currentIndexChanged.connect(self._on_changed)
        return ram

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(8)
        first.addWidget(self._field, 1)
        first.addWidget(self._place)
        first.addWidget(self._add)
        second = FlowLayout(spacing=16)
        memory = QWidget()
        row = QHBoxLayout(memory)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(PlainLabel(self.tr("Main memory")))
        row.addWidget(self._ram)
        second.addWidget(memory)
        second.addWidget(self._keep)
        columns = QGridLayout()
        columns.setHorizontalSpacing(32)
        for column, widget in enumerate((self._today, self._then)):
            columns.addWidget(widget, 0, column, Qt.AlignmentFlag.AlignTop)
            columns.setColumnStretch(column, 1)
        self.body.setSpacing(12)
        self.body.addLayout(first)
        self.body.addWidget(self._problem)
        self.body.addLayout(self._chips)
        self.body.addLayout(second)
        self.body.addWidget(self._change)
        self.body.addLayout(columns)
        self.body.addWidget(self._notes)

    def set_names(self, names: Sequence[str]) -> None:
        """Offer these cards, and bare sizes before them."""
        with QSignalBlocker(self._field):
            self._field.clear()
            self._field.addItems([*(f"{size} GB" for size in _SIZES), *names])
            self._field.setCurrentIndex(-1)
            self._field.setEditText("")
        completer = QCompleter(self._field.model(), self._field)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._field.setCompleter(completer)

    def set_machine(self, ram: int, *, has_cards: bool) -> None:
        """What is here: main memory in bytes, and whether there are cards that could be kept."""
        self._ram.setItemText(0, self.tr("as now ({size})").format(size=gib(ram)))
        self._keep.setVisible(has_cards)

    def add_card(self, card: GraphicsCard, *, elsewhere: bool) -> None:
        """Think of one more card."""
        (self._elsewhere if elsewhere else self._here).append(card)
        self._problem.hide()
        self._field.setEditText("")
        self._add_chip(card, elsewhere=elsewhere)
        self._on_changed()

    def set_problem(self, message: str) -> None:
        """What was typed is no card, and why."""
        self._problem.setText(message)
        self._problem.show()

    def set_nothing_wished(self) -> None:
        """Nothing would be different yet."""
        self._problem.hide()
        self._change.setText(self.tr("Add a card or choose another amount of memory to see what would come first."))
        for widget in (self._today, self._then, self._notes):
            widget.hide()

    def set_comparison(self, comparison: Comparison, *, context: int) -> None:
        """Show today's choices beside those of the machine that is thought of. context: tokens."""
        none = self.tr("Nothing of the catalog fits with room to spare.")
        self._change.setText(render(comparison.change))
        self._today.set_choices(comparison.today, none)
        self._then.set_choices(comparison.then, none)
        tokens = QLocale().toString(context)
        words = [self.tr("At {count} tokens of context.").format(count=tokens), *map(render, comparison.notes)]
        self._notes.setText(sentences(words))
        for widget in (self._today, self._then, self._notes):
            widget.show()

    def set_failed(self, message: str) -> None:
        """The comparison could not be made, and why."""
        self.set_nothing_wished()
        self._change.setText(message)

    def wish(self) -> HardwareWish:
        """The machine that is thought of."""
        return HardwareWish(
            cards=tuple(self._here),
            remote=tuple(self._elsewhere),
            keep=self._keep.isChecked() or self._keep.isHidden(),
            ram=self._ram.currentData(),
        )

    def focus_field(self) -> None:
        """Let the person type at once."""
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _add_chip(self, card: GraphicsCard, *, elsewhere: bool) -> None:
        size = gib(card.memory)
        words = card.name if size in card.name else f"{card.name} · {size}"
        if elsewhere:
            words = self.tr("{card}, in another machine").format(card=words)
        shown = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, _WIDEST_CHIP)
        chip = Button(shown, icon_name="cross")
        chip.setAccessibleName(self.tr("Remove {card}").format(card=words))
        chip.setToolTip(plain_tooltip(self.tr("Remove {card}").format(card=words)))
        chip.clicked.connect(lambda: self._remove(chip, card, elsewhere=elsewhere))
        self._chips.addWidget(chip)

    def _remove(self, chip: Button, card: GraphicsCard, *, elsewhere: bool) -> None:
        (self._elsewhere if elsewhere else self._here).remove(card)
        self._chips.removeWidget(chip)
        chip.hide()
        chip.deleteLater()
        self.focus_field()
        self._on_changed()

    def _on_add(self) -> None:
        text = self._field.currentText().strip()
        if text:
            self.card_wanted.emit(text, self._place.currentIndex() == 1)

    def _on_changed(self) -> None:
        self.wish_changed.emit(self.wish())
