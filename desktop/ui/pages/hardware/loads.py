"""What each device would hold, as a table of figures with a bar below each row."""

from collections.abc import Sequence

from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from desktop.fit.plans.split_editor import DeviceLoad
from desktop.ui.card_names import short_card_name
from desktop.ui.figures import GIB, gib
from desktop.ui.widgets.gauge import Swatch
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip
from desktop.ui.widgets.pill import Pill, PillKind, pill_size
from desktop.ui.widgets.stacked_bar import StackedBar

_LEAST_FIGURE = 52
"""Pixels of a column of figures."""
_AIR = 8
_BAR_AND_GAP = 26
"""Pixels from the upper edge of a bar to the next device."""


class _Row:
    """The widgets of one device."""

    def __init__(self) -> None:
        self.name = ElidedLabel(tone="strong")
        self.figures = [PlainLabel() for _ in range(5)]
        for figure in self.figures:
            figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            figure.setMinimumWidth(_LEAST_FIGURE)
        self.pill = Pill()
        self.bar = StackedBar()
        self.shown: DeviceLoad | None = None

    def widgets(self) -> tuple[QWidget, ...]:
        """All of them."""
        return (self.name, *self.figures, self.pill, self.bar)


class DeviceLoads(QWidget):
    """A row per device. The headings are the legend of the bars: weights, KV cache, compute, other programs, free."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        # Nothing may move to the side while a boundary is dragged: the columns keep the width of what they may say.
        widest = pill_size(self.tr("Needs {size} more").format(size="88.8 GiB"), "tight", self.font()).width()
        self._grid.setColumnMinimumWidth(6, widest + _AIR)
        self._rows: list[_Row] = []
        self._grid.addWidget(PlainLabel(self.tr("GiB"), tone="small"), 0, 0)
        headings = (
            ("weights", self.tr("Weights")),
            ("kv", self.tr("KV cache")),
            ("compute", self.tr("Compute")),
            ("others", self.tr("Other programs")),
            ("track", self.tr("Free")),
        )
        for column, (colour, words) in enumerate(headings, start=1):
            self._grid.addLayout(self._heading(colour, words), 0, column)

    def set_loads(self, loads: Sequence[DeviceLoad]) -> None:
        """Show the devices in their order."""
        self._fit_rows(len(loads))
        for row, load in zip(self._rows, loads, strict=True):
            if row.shown != load:  # most of a device's figures stay as they are while a boundary is dragged
                self._fill(row, load)
                row.shown = load

    def texts(self) -> list[str]:
        """What each row says: name, figures, verdict."""
        return [
            " ".join([row.name.text(), *(figure.text() for figure in row.figures), row.pill.text()])
            for row in self._rows
        ]

    def _heading(self, colour: str, words: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        label = ElidedLabel(words, tone="small")
        label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        row.addWidget(Swatch(colour))
        row.addWidget(label)
        return row

    def _fill(self, row: _Row, load: DeviceLoad) -> None:
        if row.shown is None or row.shown.label != load.label:
            row.name.setText(short_card_name(load.label) if load.is_gpu else load.label)
            row.name.set_hint(load.label)
        compute = load.compute + load.overhead
        parts = (load.weights, load.kv, compute, load.others, load.free)
        for figure, size in zip(row.figures, parts, strict=True):
            text = QLocale().toString(size / GIB, "f", 2)
            if figure.text() != text:
                figure.setText(text)
        row.figures[2].setToolTip(
            plain_tooltip(
                self.tr("Buffers {buffers}, and {driver} for the driver and the engine itself").format(
                    buffers=gib(load.compute), driver=gib(load.overhead)
                )
            )
        )
        words, kind = self._verdict(load)
        if row.pill.text() != words:  # each verdict has one look; a new look is costly
            row.pill.set_verdict(words, kind)
        row.pill.setToolTip(plain_tooltip(self._verdict_help(load)))
        spoken = self.tr("{device}: {used} of {total} GiB needed. {verdict}").format(
            device=load.label,
            used=gib(load.needed + load.others, unit=False),
            total=gib(load.total, unit=False),
            verdict=words,
        )
        row.bar.set_values(
            total=load.total, weights=load.weights, kv=load.kv, compute=compute, others=load.others, described_as=spoken
        )

    def _verdict(self, load: DeviceLoad) -> tuple[str, PillKind]:
        if not load.needed:
            return self.tr("Not used"), "neutral"
        if load.room == "fits":
            return self.tr("Fits"), "fits"
        if load.room == "tight":
            return self.tr("Little to spare"), "tight"
        return self.tr("Needs {size} more").format(size=gib(load.missing)), "does_not_fit"

    def _verdict_help(self, load: DeviceLoad) -> str:
        if load.room == "tight":
            return self.tr("It fits, but {size} of what should stay free are missing.").format(size=gib(load.missing))
        return ""

    def _fit_rows(self, count: int) -> None:
        while len(self._rows) > count:
            for widget in self._rows.pop().widgets():
                widget.hide()
                widget.deleteLater()
        while len(self._rows) < count:
            self._add_row()

    def _add_row(self) -> None:
        row = _Row()
        at = 1 + 2 * len(self._rows)
        self._rows.append(row)
        self._grid.addWidget(row.name, at, 0)
        for column, figure in enumerate(row.figures, start=1):
            self._grid.addWidget(figure, at, column)
        self._grid.addWidget(row.pill, at, 6, Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(row.bar, at + 1, 0, 1, 7, Qt.AlignmentFlag.AlignTop)
        self._grid.setRowMinimumHeight(at + 1, _BAR_AND_GAP)
