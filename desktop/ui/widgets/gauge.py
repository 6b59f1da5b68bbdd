"""The memory gauge: one stacked bar per device, what its colours mean, and the last minute as a line."""

from collections import deque

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop.ui.theme import Colours, current_colours
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel

PARTS = ("weights", "kv", "compute", "others")
"""The parts of a bar in their order; each is the name of its colour in the theme."""


class GaugeBar(QWidget):
    """A bar of stacked parts. Values and `total` in one unit of the caller's choice (bytes)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: tuple[tuple[str, int], ...] = ()
        self._total = 1
        self.setFixedHeight(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_values(
        self, *, total: int, weights: int = 0, kv: int = 0, compute: int = 0, others: int = 0, described_as: str = ""
    ) -> None:
        """Show the parts of `total`; what is not named is free. `described_as` is read to who cannot see it."""
        values = tuple(zip(PARTS, (weights, kv, compute, others), strict=True))
        if (values, max(1, total), described_as) == (self._values, self._total, self.accessibleName()):
            return  # a machine at rest says the same every second
        self._values = values
        self._total = max(1, total)
        self.setAccessibleName(described_as)
        self.update()

    def sizeHint(self) -> QSize:
        """Wide enough to be read."""
        return QSize(160, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the track and the parts inside its rounding."""
        colours = current_colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = QPainterPath()
        radius = min(7.0, self.height() / 2)
        outline.addRoundedRect(QRectF(self.rect()), radius, radius)
        painter.fillPath(outline, QColor(colours.track))
        painter.setClipPath(outline)
        left = 0.0
        for name, value in self._values:
            width = self.width() * max(0, value) / self._total
            painter.fillRect(QRectF(left, 0, width, self.height()), QColor(getattr(colours, name)))
            left += width


class DeviceGauge(QWidget):
    """A device's name, its figure, and its bar."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = ElidedLabel()
        self._figure = PlainLabel(tone="muted")
        self._bar = GaugeBar()
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self._name, 1)
        row.addWidget(self._figure)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row)
        column.addWidget(self._bar)

    def set_texts(self, name: str, figure: str) -> None:
        """Name the device and say how full it is."""
        self._name.setText(name)
        self._figure.setText(figure)

    def set_values(self, *, total: int, weights: int = 0, kv: int = 0, compute: int = 0, others: int = 0) -> None:
        """Show the parts, in bytes."""
        words = f"{self._name.text()}: {self._figure.text()}"
        self._bar.set_values(total=total, weights=weights, kv=kv, compute=compute, others=others, described_as=words)


class Swatch(QWidget):
    """A small square in a colour of the theme, for a legend."""

    def __init__(self, colour_name: str) -> None:
        super().__init__()
        self._colour_name = colour_name
        self.setFixedSize(8, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(current_colours(), self._colour_name)))
        painter.drawRoundedRect(self.rect(), 2, 2)


class GaugeLegend(QWidget):
    """What the colours of a gauge mean, two to a row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        names = (self.tr("Weights"), self.tr("KV cache"), self.tr("Compute"), self.tr("Other programs"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for index, (part, name) in enumerate(zip(PARTS, names, strict=True)):
            entry = QHBoxLayout()
            entry.setSpacing(6)
            entry.addWidget(Swatch(part))
            entry.addWidget(PlainLabel(name, tone="small"))
            entry.addStretch(1)
            grid.addLayout(entry, index // 2, index % 2)


class Sparkline(QWidget):
    """The last values as a line, oldest at the left; `capacity` values fill it."""

    def __init__(self, *, capacity: int = 60, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: deque[float] = deque(maxlen=capacity)
        self._capacity = capacity
        self.setFixedHeight(40)

    def append(self, fraction: float) -> None:
        """Add a value, 0 (empty) to 1 (full)."""
        self._values.append(min(1.0, max(0.0, fraction)))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the line; a single value is a dot's width."""
        if len(self._values) < 2:
            return
        colours: Colours = current_colours()
        step = self.width() / (self._capacity - 1)
        first = self._capacity - len(self._values)
        height = self.height() - 4
        points = [QPointF((first + i) * step, 2 + height * (1 - v)) for i, v in enumerate(self._values)]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colours.accent), 1.5))
        painter.drawPolyline(QPolygonF(points))
