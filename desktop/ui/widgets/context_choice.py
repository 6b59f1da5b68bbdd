"""Context length and KV type, side by side: what every price of a model depends on."""

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from desktop.ui.widgets.labels import PlainLabel, plain_tooltip

CONTEXTS = (2048, 4096, 8192, 16384, 32768, 65536, 131072)
"""Stops of the context slider, in tokens."""


class _Slider(QSlider):
    """Scrolling the page must not change a value under the pointer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class CalmCombo(QComboBox):
    """A list to choose from that keeps its choice while the page is scrolled under the pointer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the page."""
        event.ignore()


class ContextChoice(QWidget):
    """A slider over CONTEXTS and a list of KV types; `changed` carries tokens and the engine's name of the type."""

    changed = Signal(int, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = CONTEXTS[0]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(24)
        row.addWidget(self._make_context(), 1000)
        row.addWidget(self._make_kv(), 0, Qt.AlignmentFlag.AlignBottom)
        row.addStretch(1)

    def set_values(self, context: int, kv: str) -> None:
        """Show a context (tokens; it need not be a stop) and a KV type, and tell nobody."""
        self._context = context
        nearest = min(range(len(CONTEXTS)), key=lambda i: abs(CONTEXTS[i] - context))
        with QSignalBlocker(self._slider), QSignalBlocker(self._kv):
            self._slider.setValue(nearest)
            self._kv.setCurrentIndex(max(0, self._kv.findData(kv)))
        self._figure.setText(self.locale().toString(context))

    @property
    def can_be_shorter(self) -> bool:
        """Whether there is a stop below the context that is chosen."""
        return self._context > CONTEXTS[0]

    def shorten(self) -> None:
        """Choose the next stop below, as if the person had."""
        stop = max(stop for stop, context in enumerate(CONTEXTS) if stop == 0 or context < self._context)
        with QSignalBlocker(self._slider):  # it may stand there already: the nearest stop to what is no stop
            self._slider.setValue(stop)
        self._on_stop_chosen(stop)

    def _make_context(self) -> QWidget:
        self._slider = _Slider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, len(CONTEXTS) - 1)
        self._slider.setPageStep(1)
        self._slider.setAccessibleName(self.tr("Context length"))
        self._figure = PlainLabel(tone="strong")
        self._slider.valueChanged.connect(self._on_stop_chosen)
        head = QHBoxLayout()
        head.addWidget(PlainLabel(self.tr("Context")))
        head.addStretch(1)
        head.addWidget(self._figure)
        holder = QWidget()
        holder.setMinimumWidth(180)
        holder.setMaximumWidth(340)
        help_text = self.tr(
            "How much of a conversation the model keeps in mind, in tokens: each is about three quarters of a word."
        )
        holder.setToolTip(plain_tooltip(help_text))
        holder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._slider)
        return holder

    def _make_kv(self) -> QWidget:
        self._kv = CalmCombo()
        self._kv.addItem(self.tr("f16 (exact)"), "f16")
        self._kv.addItem(self.tr("q8_0 (half)"), "q8_0")
        self._kv.setAccessibleName(self.tr("KV cache type"))
        help_text = self.tr(
            "How the conversation is kept in memory: exactly (f16), or in half the room, hardly worse (q8_0)."
        )
        self._kv.setToolTip(plain_tooltip(help_text))
        self._kv.currentIndexChanged.connect(self._tell)
        holder = QWidget()
        holder.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(PlainLabel(self.tr("KV cache")))
        row.addWidget(self._kv)
        return holder

    def _on_stop_chosen(self, stop: int) -> None:
        self._context = CONTEXTS[stop]
        self._figure.setText(self.locale().toString(self._context))
        self._tell()

    def _tell(self) -> None:
        self.changed.emit(self._context, self._kv.currentData())
