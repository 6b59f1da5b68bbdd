"""The line at the window's foot: how the engine is, what it runs on, and the figures of the last reply."""

from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip

StateKind = Literal["idle", "busy", "ready", "bad"]


class _Dot(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.kind: StateKind = "idle"
        self.setFixedSize(8, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = current_colours()
        by_kind = {"idle": colours.faint, "busy": colours.tight, "ready": colours.fits, "bad": colours.fails}
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(by_kind[self.kind]))
        painter.drawEllipse(self.rect())


class StatusLine(QFrame):
    """State in words, device, and two figures at the right; that the network is off, where it is."""

    network_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setFixedHeight(28)
        self._dot = _Dot()
        self._state = PlainLabel(tone="small")
        self._device = ElidedLabel(tone="small")
        self._figures = PlainLabel(tone="small")
        self._offline = Button(self.tr("No network"), kind="link")
        self._offline.setToolTip(plain_tooltip(self.tr("Snug opens no connection. A setting switches that.")))
        self._offline.setStyleSheet("padding: 0 10px")  # of the line's height
        self._offline.clicked.connect(self.network_clicked)
        self._offline.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 0, 14, 0)
        row.setSpacing(6)
        row.addWidget(self._dot)
        row.addWidget(self._state)
        row.addSpacing(10)
        row.addWidget(self._device, 1)
        row.addWidget(self._offline)
        row.addWidget(self._figures)

    def set_state(self, kind: StateKind, words: str) -> None:
        """Say how the engine is; the dot's colour only repeats the words."""
        self._dot.kind = kind
        self._dot.update()
        self._state.setText(words)

    def state(self) -> str:
        """The words shown."""
        return self._state.text()

    def set_device(self, text: str) -> None:
        """Say what the model runs on."""
        self._device.setText(text)

    def set_figures(self, text: str) -> None:
        """Show the figures of the last reply."""
        self._figures.setText(text)

    def set_offline(self, offline: bool) -> None:
        """Say that no connection is opened."""
        self._offline.setVisible(offline)

    def offline(self) -> bool:
        """Whether it says so."""
        return self._offline.isVisible()

    def figures(self) -> str:
        """The figures shown."""
        return self._figures.text()
