"""A gauge's bar that can also hold too much: then its whole length is what is wanted, and a mark says what there is."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop.ui.theme import current_colours
from desktop.ui.widgets.gauge import GaugeBar


class StackedBar(GaugeBar):
    """As GaugeBar while everything has room; beyond that it is hatched in the colour of what does not fit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._capacity = 1.0

    def set_values(
        self, *, total: int, weights: int = 0, kv: int = 0, compute: int = 0, others: int = 0, described_as: str = ""
    ) -> None:
        """As GaugeBar has it; the parts may come to more than `total`."""
        wanted = weights + kv + compute + others
        self._capacity = min(total / wanted, 1.0) if wanted else 1.0
        super().set_values(
            total=max(total, wanted), weights=weights, kv=kv, compute=compute, others=others, described_as=described_as
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the parts, then what is too much over them."""
        super().paintEvent(event)
        if self._capacity >= 1.0:
            return
        colours = current_colours()
        beyond = QRectF(self.rect())
        beyond.setLeft(self.width() * self._capacity)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), self.height() / 2, self.height() / 2)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipPath(outline)
        painter.fillRect(beyond, QColor(colours.fails_on))
        painter.fillRect(beyond, QBrush(QColor(colours.fails), Qt.BrushStyle.BDiagPattern))
        painter.setPen(QPen(QColor(colours.fails), 2))
        painter.drawLine(beyond.topLeft(), beyond.bottomLeft())
