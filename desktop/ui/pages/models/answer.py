"""The answer first: the best model for this machine, why, and one button."""

from collections.abc import Collection, Sequence

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.errors import Phrase
from desktop.fit.types import Choice
from desktop.ui.bridge import render, sentences
from desktop.ui.figures import gb, gib
from desktop.ui.item_models.choices import MEMORY, SPEED, column_help, quality_help, quality_word
from desktop.ui.verdicts import verdict_kind, verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.flow import FlowLayout
from desktop.ui.widgets.focus import pass_focus_on
from desktop.ui.widgets.labels import PlainLabel, plain_tooltip
from desktop.ui.widgets.pill import Pill, PillKind

_SHORT = 2
"""Sentences that are always shown; the others are a click away."""


class AnswerCard(Card):
    """Shows one Choice; `chosen` carries it, `coming_chosen` one that is on its way.

    Where there is no choice it says why, and offers what may help: `remedy_chosen`.
    """

    chosen = Signal(object)
    coming_chosen = Signal(object)
    remedy_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._choice: Choice | None = None
        self._coming: frozenset[tuple[str, str]] = frozenset()
        self._caption = PlainLabel(self.tr("Best for this machine"), tone="muted")
        self._name = PlainLabel(tone="display", wrap=True)
        self._reasons = QVBoxLayout()
        self._reasons.setSpacing(4)
        self._lines: list[PlainLabel] = []
        self._more = Button(kind="link")
        self._more.setStyleSheet("padding-left: 0")  # its words stand below the others
        self._more.clicked.connect(self._on_more_clicked)
        self._all_shown = False
        self._sentences: tuple[str, ...] = ()
        self._pills = [Pill() for _ in range(4)]
        self._button = Button(kind="primary", icon_name="download")
        self._button.clicked.connect(self._on_clicked)
        self._remedy = Button()
        self._remedy.clicked.connect(self.remedy_chosen)
        self._remark = PlainLabel(tone="muted")
        self._lay_out()
        self.set_no_answer(self.tr("Looking at this machine …"))

    def _lay_out(self) -> None:
        self._pill_row = FlowLayout(spacing=4)
        for pill in self._pills:
            self._pill_row.addWidget(pill)
        words = QVBoxLayout()
        words.setSpacing(6)
        words.addWidget(self._caption)
        words.addWidget(self._name)
        words.addLayout(self._reasons)
        words.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        words.addLayout(self._pill_row)
        action = QVBoxLayout()
        action.setSpacing(6)
        action.addStretch(1)
        action.addWidget(self._button)
        action.addWidget(self._remedy)
        action.addWidget(self._remark, 0, Qt.AlignmentFlag.AlignHCenter)
        action.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addLayout(words, 1)
        row.addLayout(action)
        self.body.addLayout(row)

    def set_no_answer(self, text: str, why: str = "", remedy: str = "") -> None:
        """No answer yet, or with `why` none at all. remedy: what the button offers that may help, "" for nothing."""
        self._choice = None
        self._caption.setVisible(not why)
        self._name.setText(text)
        self._name.set_tone("title" if why else "display")  # a sentence, often with a path in it, is not shouted
        self._name.setToolTip("")
        self._set_sentences((why,) if why else ())
        for widget in (self._button, self._remark, *self._pills):
            widget.hide()
        self._remedy.setText(remedy)
        self._remedy.setVisible(bool(remedy))

    def set_choice(self, choice: Choice, notes: Sequence[Phrase] = ()) -> None:
        """Show the answer; `notes` say what would change it."""
        self._choice = choice
        self._name.setText(f"{choice.model_name} · {choice.quantization}")
        self._name.set_tone("display")
        self._name.setToolTip(plain_tooltip(self._help_of_name(choice)))
        self._set_sentences(tuple(render(phrase) for phrase in (*choice.reasons, *notes)))
        verdict = (verdict_text(choice), verdict_kind(choice))
        shown: list[tuple[str, PillKind]] = [verdict, *((text, "neutral") for text in self._figures(choice))]
        for pill, (text, kind), tip in zip(self._pills, shown, self._help(choice), strict=True):
            pill.setToolTip(plain_tooltip(tip))
            if pill.text() != text:  # a new look is costly, and most figures stay while a slider moves
                pill.set_verdict(text, kind)
        size = gb(choice.download_size)
        about = f"≈ {size}" if choice.size_is_estimate else size
        self._remark.setText(f"{about} · {choice.licence}")
        self._show_action()
        for widget in (self._caption, self._button, self._remark, *self._pills):
            widget.show()
        pass_focus_on(self._remedy, self.take_focus)
        self._remedy.hide()

    def _figures(self, choice: Choice) -> tuple[str, str, str]:
        number = QLocale().toString
        memory = self.tr("{size} memory, exact") if choice.exact else self.tr("{size} memory (estimate)")
        measured, estimated = self.tr("about {low}–{high} tok/s"), self.tr("about {low}–{high} tok/s (estimate)")
        speed = measured if choice.speed.measured else estimated
        return (
            memory.format(size=gib(choice.memory_total)),
            speed.format(low=number(choice.speed.decode_low, "f", 0), high=number(choice.speed.decode_high, "f", 0)),
            self.tr("quality: {word}").format(word=quality_word(choice)),
        )

    def _help_of_name(self, choice: Choice) -> str:
        return self.tr("{quantization} says how strongly the model is compressed.").format(
            quantization=choice.quantization
        )

    def _help(self, choice: Choice) -> tuple[str, str, str, str]:
        """The tooltips of the verdict and the figures."""
        return (
            "\n".join(self._sentences),
            column_help(MEMORY),
            column_help(SPEED),
            quality_help(choice),
        )

    def set_coming(self, files: Collection[tuple[str, str]]) -> None:
        """Name what is on its way, by repository and file, so that the same is not begun twice."""
        self._coming = frozenset(files)
        self._show_action()

    @property
    def has_answer(self) -> bool:
        """Whether there is a choice, and a button for it."""
        return self._choice is not None

    def take_focus(self) -> None:
        """Bring the keyboard to the button."""
        self._button.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def _is_coming(self) -> bool:
        choice = self._choice
        return choice is not None and (choice.repo, choice.file) in self._coming

    def _show_action(self) -> None:
        """The button stays enabled while the model comes: the keyboard would be thrown off it by its own press."""
        choice, coming = self._choice, self._is_coming
        if choice is None:
            return
        words = self.tr("Chat") if choice.installed else self.tr("Download and chat")
        self._button.setText(self.tr("Downloading …") if coming else words)
        self._button.set_icon_name("" if coming else "chat" if choice.installed else "download")
        self._button.set_kind("normal" if coming else "primary")
        self._button.setToolTip(plain_tooltip(self.tr("Shows how far it is.") if coming else ""))

    def _on_clicked(self) -> None:
        (self.coming_chosen if self._is_coming else self.chosen).emit(self._choice)

    def _set_sentences(self, sentences: tuple[str, ...]) -> None:
        self._sentences = sentences
        self._show_sentences()

    def _show_sentences(self) -> None:
        self._show_lines(self._sentences if self._all_shown else (sentences(self._sentences[:_SHORT]),))
        is_cut = len(self._sentences) > _SHORT
        if not is_cut:
            pass_focus_on(self._more, self.take_focus)
        self._more.setVisible(is_cut)
        self._more.setText(self.tr("Less") if self._all_shown else self.tr("Why, and what would change it"))

    def _show_lines(self, texts: Sequence[str]) -> None:
        """A label for each, so that where they are broken it can be seen where one begins."""
        while len(self._lines) < len(texts):
            self._lines.append(PlainLabel(tone="muted", wrap=True))
            self._reasons.addWidget(self._lines[-1])
        for number, label in enumerate(self._lines):
            text = texts[number] if number < len(texts) else ""
            label.setText(text)
            label.setVisible(bool(text))

    def _on_more_clicked(self) -> None:
        self._all_shown = not self._all_shown
        self._show_sentences()
