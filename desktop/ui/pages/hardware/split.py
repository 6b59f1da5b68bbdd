"""How the loaded model runs, as the engine reported it: where its layers are, and whether tokens are guessed ahead."""

from itertools import groupby

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.engine.protocol import LoadedModel
from desktop.ui.engine_words import guessing_words
from desktop.ui.theme import current_colours
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel, plain_tooltip

_GAP = 6
"""Pixels between two parts."""
_ON_BRIGHT = "#101314"
"""Text on the colours of KV cache, compute and others, which are bright in both schemes."""


class SplitBar(QWidget):
    """One part per run of layers on the same device, as wide as its share."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: list[tuple[str, int, int]] = []
        self.setFixedHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_layers(self, layers: tuple[str, ...]) -> None:
        """Show one device name per layer; the last entry is the output head."""
        self._runs = []
        start = 0
        for device, group in groupby(layers):
            count = len(list(group))
            self._runs.append((device, start, start + count - 1))
            start += count
        self.setAccessibleName(", ".join(self.texts()))
        self.setToolTip(plain_tooltip("\n".join(self.texts())))
        self.update()

    def texts(self) -> list[str]:
        """The words of each part."""
        template = self.tr("{device} · layers {first}–{last}")
        return [template.format(device=device, first=first, last=last) for device, first, last in self._runs]

    def sizeHint(self) -> QSize:
        """Wide enough to be read."""
        return QSize(320, 36)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the parts, in the order of the layers."""
        devices = list(dict.fromkeys(device for device, _, _ in self._runs))
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        total = self._runs[-1][2] + 1 if self._runs else 1
        room = self.width() - _GAP * (len(self._runs) - 1)
        left = 0.0
        for (device, first, last), text in zip(self._runs, self.texts(), strict=True):
            width = room * (last - first + 1) / total
            self._paint_part(painter, QRectF(left, 0, width, self.height()), devices.index(device), device, text)
            left += width + _GAP

    def _paint_part(self, painter: QPainter, part: QRectF, number: int, device: str, text: str) -> None:
        colours = current_colours()
        fills = (colours.weights, colours.kv, colours.compute, colours.others)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(fills[number % len(fills)]))
        painter.drawRoundedRect(part, 8, 8)
        painter.setPen(QColor(colours.on_accent if number % len(fills) == 0 else _ON_BRIGHT))
        fits = self.fontMetrics().horizontalAdvance(text) <= part.width() - 12
        words = text if fits else device
        shown = self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, int(part.width()) - 8)
        painter.drawText(part, int(Qt.AlignmentFlag.AlignCenter), shown)


class SplitCard(Card):
    """The bar, which model it is about, and how its tokens are guessed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("Split"))
        self._bar = SplitBar()
        self._guessing = PlainLabel(tone="muted", wrap=True)
        explained = self.tr(
            "Words that are likely to come next are guessed, and the model checks several of them in one step "
            "(speculative decoding). The text stays the same."
        )
        self._guessing.setToolTip(plain_tooltip(explained))
        self.body.addWidget(self._bar)
        self.body.addWidget(self._guessing)

    def show_model(self, model: LoadedModel) -> None:
        """Show where the layers of `model` really are."""
        self.set_aside(self.tr("{model}, as the engine reported it").format(model=model.name))
        self._bar.set_layers(model.layers)
        words = guessing_words(model)
        self._guessing.setText(words)
        self._guessing.setVisible(bool(words))

    def texts(self) -> list[str]:
        """The words of each part."""
        return self._bar.texts()
