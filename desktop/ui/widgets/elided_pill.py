"""A pill that gives way: where there is too little room its words end in an ellipsis, and the tooltip has them all."""

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.ui.widgets.labels import plain_tooltip
from desktop.ui.widgets.pill import PillKind, paint_pill, pill_size

_LEAST = 60


class ElidedPill(QWidget):
    """Looks like Pill."""

    def __init__(self, text: str = "", *, kind: PillKind = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self._kind: PillKind = kind
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(text)
        self.setToolTip(plain_tooltip(text))

    def text(self) -> str:
        """All the words."""
        return self._text

    def sizeHint(self) -> QSize:
        """Room for all the words."""
        return pill_size(self._text, self._kind, self.font())

    def minimumSizeHint(self) -> QSize:
        """Room for a few letters."""
        size = self.sizeHint()
        return QSize(min(size.width(), _LEAST), size.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the badge."""
        paint_pill(QPainter(self), QRectF(self.rect()), self._text, self._kind)
