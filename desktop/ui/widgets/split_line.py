"""One line of layers with boundaries that can be dragged, or moved with the arrow keys."""

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from desktop.ui.theme import current_colours
from desktop.ui.widgets.labels import plain_tooltip
from desktop.ui.widgets.pill import PillKind, pill_colours

HEIGHT = 44
"""Pixels."""
_HANDLE = 14
"""Pixels: as wide as a boundary can be caught; it is also the gap between two parts."""
_LEAST_WORDS = 24
_LEAST_STEP = 6
_NOTCH = 6


class LinePart(NamedTuple):
    """A device's part of the line. words: longest first, the first that has room is shown."""

    layers: int
    kind: PillKind
    words: tuple[str, ...]


class BoundaryHandle(QAbstractSlider):
    """A boundary: its value is the layer at which the part to its right begins. A slider to screen readers too."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setSingleStep(1)
        self.setPageStep(4)
        self.setFixedSize(_HANDLE, HEIGHT)

    def sizeHint(self) -> QSize:
        """As it is drawn."""
        return QSize(_HANDLE, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint a grip; thicker in the accent colour where the keyboard or the pointer is."""
        colours = current_colours()
        active = self.hasFocus() or self.underMouse() or self.isSliderDown()
        width = 4.0 if active else 3.0
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent if active else colours.faint))
        painter.drawRoundedRect(QRectF((_HANDLE - width) / 2, 6, width, HEIGHT - 12), width / 2, width / 2)
        if self.hasFocus():
            painter.setPen(QColor(colours.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(0.5, 0.5, _HANDLE - 1, HEIGHT - 1), 5, 5)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and Down move it to the left, Right and Up to the right; Page keys by four layers, Home and End all."""
        super().keyPressEvent(event)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the page."""
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer."""
        line = self.parentWidget()
        if self.isSliderDown() and isinstance(line, SplitLine):
            self.setValue(line.layer_at(self, self.mapToParent(event.position()).x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self.setSliderDown(False)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be caught."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Look as before."""
        super().leaveEvent(event)
        self.update()


class SplitLine(QWidget):
    """Parts side by side, as wide as their layers, a handle between two neighbours.

    `boundary_moved` carries the handle's index and the layer at which the part to its right is to begin. The line moves
    when it is told the new parts.
    """

    boundary_moved = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: tuple[LinePart, ...] = ()
        self._handles: list[BoundaryHandle] = []
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_parts(self, parts: Sequence[LinePart], names: Sequence[str], values: Sequence[str]) -> None:
        """Show the parts. names: of the handles, one less than parts; values: where each is, for who cannot see."""
        self._parts = tuple(parts)
        self._fit_handles(len(parts) - 1)
        borders = [sum(part.layers for part in self._parts[: index + 1]) for index in range(len(self._handles))]
        total = sum(part.layers for part in self._parts)
        for index, (handle, name, value) in enumerate(zip(self._handles, names, values, strict=True)):
            with QSignalBlocker(handle):
                low = borders[index - 1] if index else 0
                handle.setRange(low, borders[index + 1] if index + 1 < len(borders) else total)
                handle.setValue(borders[index])
            handle.setAccessibleName(name)
            handle.setAccessibleDescription(value)
            handle.setToolTip(plain_tooltip(f"{name}\n{value}"))
        self.setAccessibleName(", ".join(self.texts()))
        self.setToolTip(plain_tooltip("\n".join(self.texts())))
        self._place_handles()
        self.update()

    def texts(self) -> list[str]:
        """The words of each part that has layers."""
        return [part.words[0] for part in self._parts if part.layers]

    def handles(self) -> tuple[BoundaryHandle, ...]:
        """The boundaries, from the left."""
        return tuple(self._handles)

    def layer_at(self, handle: BoundaryHandle, x: float) -> int:
        """The layer nearest to a place in pixels, for this handle."""
        total = sum(part.layers for part in self._parts)
        left = self._handles.index(handle) * _HANDLE + _HANDLE / 2
        return round((x - left) / max(self._room(), 1) * total)

    def sizeHint(self) -> QSize:
        """Wide enough to be read."""
        return QSize(320, HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the handles at their boundaries."""
        super().resizeEvent(event)
        self._place_handles()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the parts."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for part, rect in zip(self._parts, self._rects(), strict=True):
            self._paint_part(painter, part, rect)

    def _paint_part(self, painter: QPainter, part: LinePart, rect: QRectF) -> None:
        if not part.layers:
            return
        colours = current_colours()
        text, background = pill_colours(part.kind, colours)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(background))
        painter.drawRoundedRect(rect, 8, 8)
        self._paint_ticks(painter, part, rect)
        room = rect.width() - 12
        metrics = self.fontMetrics()
        words = next((each for each in part.words if metrics.horizontalAdvance(each) <= room), part.words[-1])
        if room >= _LEAST_WORDS:
            painter.setPen(QColor(colours.text if part.kind == "neutral" else text))
            shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(room))
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), shown)

    def _paint_ticks(self, painter: QPainter, part: LinePart, rect: QRectF) -> None:
        """A notch between two layers, where they are far enough apart to be told from each other."""
        step = rect.width() / part.layers
        if step < _LEAST_STEP:
            return
        painter.setPen(QPen(QColor(current_colours().panel), 1))
        for layer in range(1, part.layers):
            x = rect.left() + layer * step
            painter.drawLine(QPointF(x, rect.bottom() - _NOTCH), QPointF(x, rect.bottom()))

    def _rects(self) -> list[QRectF]:
        total = max(sum(part.layers for part in self._parts), 1)
        rects, left = [], 0.0
        for part in self._parts:
            width = self._room() * part.layers / total
            rects.append(QRectF(QPointF(left, 0), QPointF(left + width, HEIGHT)))
            left += width + _HANDLE
        return rects

    def _room(self) -> int:
        return self.width() - _HANDLE * len(self._handles)

    def _place_handles(self) -> None:
        for handle, rect in zip(self._handles, self._rects(), strict=False):
            handle.move(round(rect.right()), 0)

    def _fit_handles(self, count: int) -> None:
        while len(self._handles) > max(count, 0):
            handle = self._handles.pop()
            handle.hide()
            handle.deleteLater()
        while len(self._handles) < count:
            index = len(self._handles)
            handle = BoundaryHandle(self)
            handle.valueChanged.connect(lambda layer, index=index: self.boundary_moved.emit(index, layer))
            handle.show()
            self._handles.append(handle)
