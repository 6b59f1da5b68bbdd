"""Labels that never read their text as markup: most of it comes from models, files and the network."""

from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

_LONGEST_WORD = 320
"""Pixels that a word may claim of the window: a path of 200 characters is one word, and is cut."""

Tone = Literal["normal", "muted", "small", "faint", "strong", "title", "display", "good", "warn", "bad"]


class PlainLabel(QLabel):
    """Text that can be selected and is shown as it is written."""

    def __init__(
        self, text: str = "", *, tone: Tone = "normal", wrap: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setProperty("tone", tone)
        self.setWordWrap(wrap)
        self.setText(text)

    def minimumSizeHint(self) -> QSize:
        """Where lines are broken, no word widens the window."""
        size = super().minimumSizeHint()
        return QSize(min(size.width(), _LONGEST_WORD), size.height()) if self.wordWrap() else size

    def set_tone(self, tone: Tone) -> None:
        """Change the colour and size to those of `tone`."""
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            self.style().unpolish(self)
            self.style().polish(self)


class ElidedLabel(PlainLabel):
    """One line that ends in an ellipsis where there is no room; the whole text is in the tooltip, above a hint."""

    _hint = ""  # here, because the label is told its text while it is being made

    def __init__(self, text: str = "", *, tone: Tone = "normal", parent: QWidget | None = None) -> None:
        super().__init__("", tone=tone, parent=parent)
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show `text`; line breaks become spaces."""
        self._text = " ".join(text.split())
        self.setAccessibleName(self._text)
        super().setText(self._text)
        self.updateGeometry()
        self._update_tooltip()

    def set_hint(self, hint: str) -> None:
        """Explain the text in its tooltip."""
        self._hint = hint
        self._update_tooltip()

    def text(self) -> str:
        """The whole text, also where it is cut."""
        return self._text

    def minimumSizeHint(self) -> QSize:
        """Nothing but an ellipsis is needed."""
        return QSize(self.fontMetrics().horizontalAdvance("…") * 3, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the tooltip whether it is needed."""
        super().resizeEvent(event)
        self._update_tooltip()

    def changeEvent(self, event: QEvent) -> None:
        """Measure again with a new font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the label, cut at its end where it must be."""
        if not self._is_cut():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        flags = int(self.alignment() | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(self.contentsRect(), flags, self._shortened())

    def _shortened(self) -> str:
        return self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.contentsRect().width())

    def _is_cut(self) -> bool:
        return self.fontMetrics().horizontalAdvance(self._text) > self.contentsRect().width()

    def _update_tooltip(self) -> None:
        parts = (self._text if self._is_cut() else "", self._hint)
        self.setToolTip(plain_tooltip("\n".join(filter(None, parts))))


def plain_tooltip(text: str) -> str:
    """Text for a tooltip, which Qt would otherwise take for markup when it looks like it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<p style='white-space:pre-wrap'>{escaped}</p>" if escaped else ""
