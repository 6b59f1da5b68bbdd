"""The answer first: the best model for this machine, why, and one button."""

from PySide6.QtCore import QLocale, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.fit.types import Choice
from desktop.ui.bridge import translate_core
from desktop.ui.item_models.choices import verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill


class AnswerCard(Card):
    """Shows one Choice; `chosen` carries it. Before a choice is there it says what is going on."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._choice: Choice | None = None
        self._caption = PlainLabel(self.tr("Best for this machine"), tone="muted")
        self._name = PlainLabel(tone="display", wrap=True)
        self._reasons = PlainLabel(tone="muted", wrap=True)
        self._pills = [Pill() for _ in range(4)]
        self._button = Button(kind="primary", icon_name="download")
        self._button.clicked.connect(lambda: self.chosen.emit(self._choice))
        self._remark = PlainLabel(tone="muted")
        self._lay_out()
        self.set_waiting(self.tr("Looking at this machine …"))

    def _lay_out(self) -> None:
        pills = QHBoxLayout()
        pills.setSpacing(4)
        for pill in self._pills:
            pills.addWidget(pill)
        pills.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(6)
        for label in (self._caption, self._name, self._reasons):
            words.addWidget(label)
        words.addLayout(pills)
        action = QVBoxLayout()
        action.setSpacing(6)
        action.addStretch(1)
        action.addWidget(self._button)
        action.addWidget(self._remark)
        action.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(24)
        row.addLayout(words, 1)
        row.addLayout(action)
        self.body.addLayout(row)

    def set_waiting(self, text: str) -> None:
        """No answer yet, and why."""
        self._choice = None
        self._name.setText(text)
        for widget in (self._reasons, self._button, self._remark, *self._pills):
            widget.hide()

    def set_choice(self, choice: Choice) -> None:
        """Show the answer."""
        self._choice = choice
        locale = QLocale()
        self._name.setText(f"{choice.model_name} · {choice.quantization}")
        self._reasons.setText("\n".join(reason.render(translate_core) for reason in choice.reasons))
        number = locale.toString
        texts = (
            verdict_text(choice),
            self.tr("{size} GiB memory").format(size=number(choice.memory_total / 2**30, "f", 1)),
            self.tr("about {low}–{high} tok/s (estimate)").format(
                low=number(choice.speed.decode_low, "f", 0), high=number(choice.speed.decode_high, "f", 0)
            ),
            self.tr("quality loss {kld}").format(kld=number(choice.quality.kld, "f", 3)),
        )
        self._pills[0].set_verdict(texts[0], choice.verdict)
        for pill, text in zip(self._pills[1:], texts[1:], strict=True):
            pill.set_verdict(text, "neutral")
        size = number(choice.download_size / 1e9, "f", 2)
        about = f"≈ {size}" if choice.size_is_estimate else size
        self._button.setText(self.tr("Chat") if choice.installed else self.tr("Download and chat"))
        self._button.set_icon_name("chat" if choice.installed else "download")
        self._remark.setText(self.tr("{size} GB · {licence}").format(size=about, licence=choice.licence))
        for widget in (self._button, self._remark, *self._pills):
            widget.show()
        self._reasons.setVisible(bool(choice.reasons))

    def set_busy(self, busy: bool) -> None:
        """While a download is under way, nothing else is started here."""
        self._button.setEnabled(not busy)
