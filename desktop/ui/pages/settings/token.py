"""The token for the Hub: given once, never shown again."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel


class TokenRow(QWidget):
    """Says where the token is, takes a new one or forgets it. `token_given` carries the text as it was typed."""

    token_given = Signal(str)
    forget_requested = Signal()

    def __init__(self, width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = PlainLabel(tone="muted", wrap=True)
        self._notices = PlainLabel(tone="warn", wrap=True)
        self._problem = PlainLabel(tone="bad", wrap=True)
        self._line = QLineEdit()
        self._line.setEchoMode(QLineEdit.EchoMode.Password)
        self._line.setPlaceholderText("hf_…")
        self._line.setAccessibleName(self.tr("Hugging Face token"))
        self._line.returnPressed.connect(self._give)
        self._save = Button(self.tr("Keep"))
        self._save.clicked.connect(self._give)
        self._forget = Button(self.tr("Forget the token"))
        self._forget.clicked.connect(self.forget_requested)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(PlainLabel(self.tr("Hugging Face token"), tone="strong"))
        for label in (self._state, self._notices, self._problem):
            words.addWidget(label)
        editor = QWidget()
        editor.setFixedWidth(width)
        giving = QHBoxLayout()
        giving.setSpacing(8)
        giving.addWidget(self._line, 1)
        giving.addWidget(self._save)
        boxes = QVBoxLayout(editor)
        boxes.setContentsMargins(0, 0, 0, 0)
        boxes.setSpacing(8)
        boxes.addLayout(giving)
        boxes.addWidget(self._forget, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 4, 0, 4)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addSpacing(36)  # where other rows have their reset
        row.addWidget(editor, 0, Qt.AlignmentFlag.AlignVCenter)
        self.set_state("none", ())

    def set_state(self, place: str, notices: Sequence[str]) -> None:
        """Say where the token is: "none", "environment", "keyring" or "file"; notices: what else is to be known."""
        states = {
            "none": self.tr(
                "For repositories that ask for your agreement, and for your private ones. Made on "
                "huggingface.co/settings/tokens; reading is enough."
            ),
            "keyring": self.tr("A token is kept in the keyring of this computer."),
            "file": self.tr("A token is kept in a file."),
            "environment": self.tr("A token is given by the environment."),
        }
        self._place, self._words = place, states[place]
        self._state.setText(self._words)
        self._notices.setText("\n".join(notices))
        self._notices.setVisible(bool(notices))
        self._problem.hide()
        kept = place in ("keyring", "file")
        if kept:
            self._line.clear()
        for widget in (self._line, self._save):
            widget.setVisible(not kept)
            widget.setEnabled(place != "environment")
        self._forget.setVisible(kept)
        self._forget.setEnabled(True)

    def set_waiting(self) -> None:
        """A change is under way; the keyring may take its time."""
        self._problem.hide()
        self._state.setText(self.tr("Asking the keyring of this computer; it may want its password …"))
        for widget in (self._line, self._save, self._forget):
            widget.setEnabled(False)

    def set_problem(self, text: str) -> None:
        """Say why nothing was changed; what was typed is still there, and another token can be given in any case."""
        self._state.setText(self._words)
        self._problem.setText(text)
        self._problem.show()
        self._forget.setEnabled(True)
        for widget in (self._line, self._save):
            widget.setEnabled(self._place != "environment")
            widget.show()

    def _give(self) -> None:
        if text := self._line.text().strip():
            self.token_given.emit(text)
