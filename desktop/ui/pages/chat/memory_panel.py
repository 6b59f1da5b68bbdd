"""The memory gauge of the chat: a bar per GPU, or main memory where there is none, and the last minute."""

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.ui.widgets.gauge import DeviceGauge, GaugeLegend, Sparkline
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel
from desktop.ui.widgets.pill import Pill, PillKind


class GaugeRow(NamedTuple):
    """One device: its name, its figure in words, and the parts of `total` in bytes."""

    name: str
    figure: str
    total: int
    weights: int = 0
    kv: int = 0
    compute: int = 0
    others: int = 0


class MemoryPanel(QWidget):
    """Shows rows once a second; keeps the last 60 for the line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pill = Pill()
        self._pill.hide()
        self._note = PlainLabel(tone="small", wrap=True)
        self._gauges: list[DeviceGauge] = []
        self._bars = QVBoxLayout()
        self._bars.setSpacing(10)
        self._line = Sparkline()
        self._comparison = ElidedLabel(tone="small")
        self._legend = GaugeLegend()
        self._waiting = PlainLabel(self.tr("Waiting for the first reading …"), tone="small")
        self._lay_out()

    def set_rows(self, rows: Sequence[GaugeRow]) -> None:
        """Show one bar per row; the first row's devices feed the line."""
        self.add_to_line(rows)
        self._waiting.setVisible(not rows)
        self._fit_gauges(len(rows))
        for gauge, row in zip(self._gauges, rows, strict=True):
            gauge.set_texts(row.name, row.figure)
            gauge.set_values(total=row.total, weights=row.weights, kv=row.kv, compute=row.compute, others=row.others)

    def add_to_line(self, rows: Sequence[GaugeRow]) -> None:
        """A moment that nobody saw, for the line alone."""
        total = sum(row.total for row in rows)
        used = sum(row.weights + row.kv + row.compute + row.others for row in rows)
        self._line.append(used / total if total else 0.0)

    def set_note(self, text: str) -> None:
        """Say what the bars cannot, for example that there is no GPU."""
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def set_comparison(self, words: str, pill: str = "", kind: PillKind = "neutral", *, by_device: str = "") -> None:
        """What was predicted and what is used, in words, and the verdict beside the title; by_device: a line each."""
        self._comparison.setText(words)
        self._comparison.set_hint(by_device)
        self._pill.setVisible(bool(pill))
        if pill:
            self._pill.set_verdict(pill, kind)

    def texts(self) -> list[str]:
        """Everything that can be read here."""
        labels = self.findChildren(PlainLabel)
        return [label.text() for label in labels if label.text()]

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.addWidget(PlainLabel(self.tr("Memory"), tone="strong"))
        title.addStretch(1)
        title.addWidget(self._pill)
        ends = QHBoxLayout()
        ends.addWidget(PlainLabel(self.tr("60 s ago"), tone="faint"))
        ends.addStretch(1)
        ends.addWidget(PlainLabel(self.tr("now"), tone="faint"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(title)
        column.addWidget(self._note)
        column.addWidget(self._waiting)
        column.addLayout(self._bars)
        column.addWidget(self._legend)
        column.addWidget(self._line)
        column.addLayout(ends)
        column.addWidget(self._comparison)
        self._note.hide()

    def _fit_gauges(self, count: int) -> None:
        while len(self._gauges) < count:
            gauge = DeviceGauge()
            self._gauges.append(gauge)
            self._bars.addWidget(gauge)
        while len(self._gauges) > count:
            gauge = self._gauges.pop()
            self._bars.removeWidget(gauge)
            gauge.hide()
            gauge.deleteLater()
