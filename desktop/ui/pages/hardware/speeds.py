"""How fast this machine computes: what was measured of each device, and the measurement itself."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QProgressBar, QVBoxLayout, QWidget

from desktop.engine.protocol import DeviceSpeeds, TypeSpeed
from desktop.ui.figures import speed
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip

Occupation = Literal["answering", "loading"]
"""What the engine does that a measurement would be wrong beside."""

_SHOWN = (("f16", "F16"), ("q8_0", "Q8_0"), ("q6_K", "Q6_K"), ("q4_K", "Q4_K"))
"""Types of weights that most files are made of: the engine's names, and those of people."""
_PROMPT = "q4_K"
"""The type whose products stand for reading a prompt."""
_ON_THE_LINE = Qt.AlignmentFlag.AlignBaseline


class SpeedRow(NamedTuple):
    """A device that the engine computes on; None where it was not measured yet."""

    name: str
    speeds: DeviceSpeeds | None


class SpeedCard(Card):
    """Setters in; `measure_requested` and `stop_requested` out."""

    measure_requested = Signal()
    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("Speed"))
        self.measure = Button()
        self.measure.clicked.connect(self.measure_requested)
        self.stop = Button(self.tr("Stop"))
        self.stop.clicked.connect(self.stop_requested)
        for button in (self.measure, self.stop):
            self.add_aside(button)
        self._about = PlainLabel(tone="muted", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._state = PlainLabel(tone="muted", wrap=True)
        self._problem = PlainLabel(tone="bad", wrap=True)
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._rows: tuple[SpeedRow, ...] = ()
        self._lay_out()
        self.set_problem("")
        self.set_rows(())
        self.set_idle()

    def _lay_out(self) -> None:
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(0, 1)
        running = QVBoxLayout()
        running.setSpacing(6)
        running.addWidget(self._bar)
        running.addWidget(self._state)
        self.body.setSpacing(12)
        self.body.addWidget(self._problem)
        self.body.addLayout(running)
        self.body.addWidget(self._about)
        self.body.addWidget(self._table)

    def set_rows(self, rows: Sequence[SpeedRow]) -> None:
        """Show what was measured of each device."""
        self._rows = tuple(rows)
        measured = [row for row in rows if row.speeds is not None]
        self.measure.setText(self.tr("Measure again") if measured else self.tr("Measure this machine"))
        if not measured:
            about = self.tr(
                "The speeds that Snug predicts here are estimates until this machine was measured. That takes about "
                "20 seconds for each device and needs no model."
            )
        elif len(measured) < len(rows):
            about = self.tr("What was not measured yet is predicted by estimates. Measure again to have all of it.")
        else:
            about = self.tr(
                "Measured on this machine; predicted speeds rest on it. Writing: how fast the weights of a model are "
                "read, by their quantization. Reading: how fast a prompt is worked through."
            )
        self._about.setText(about)
        self._fill_table(rows if measured else ())

    def set_idle(self) -> None:
        """Nothing is being measured: the person may begin."""
        self._show_running(False)

    def set_waiting(self, occupation: Occupation) -> None:
        """The measurement has not begun, or begins anew, and why."""
        self._show_running(True)
        self._bar.hide()
        self._state.setText(
            self.tr(
                "A reply is being written. Beside it the figures would be wrong: measuring begins when it has ended."
            )
            if occupation == "answering"
            else self.tr("A model is being loaded. Beside it the figures would be wrong: measuring begins after that.")
        )

    def set_progress(self, fraction: float) -> None:
        """How far the measurement is, 0 to 1."""
        self._show_running(True)
        percent = self.tr("Measuring … {percent} %").format(percent=round(100 * fraction))
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(1000 * fraction))
        self._bar.setAccessibleName(percent)
        self._state.setText(percent)

    def set_problem(self, text: str) -> None:
        """Why nothing could be measured, and what to do; "" for nothing."""
        self._problem.setText(text)
        self._problem.setVisible(bool(text))

    def texts(self) -> list[str]:
        """What is shown, in words: the state, then a line per device."""
        said = [label.text() for label in (self._problem, self._state, self._about) if not label.isHidden()]
        return [*said, *(" · ".join(self._cells(row)) for row in self._rows if not self._table.isHidden())]

    def _show_running(self, running: bool) -> None:
        for widget in (self._bar, self._state, self.stop):
            widget.setVisible(running)
        self.measure.setVisible(not running)
        self._about.setVisible(not running)

    def _fill_table(self, rows: Sequence[SpeedRow]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._table.setVisible(bool(rows))
        if not rows:
            return
        heads = [*(self.tr("Writing, {kind}").format(kind=name) for _kind, name in _SHOWN), self.tr("Reading")]
        for column, head in enumerate(heads, start=1):
            self._put(PlainLabel(head, tone="small"), 0, column)
        for line, row in enumerate(rows, start=1):
            name, *cells = self._cells(row)
            self._grid.addWidget(ElidedLabel(name), line, 0, _ON_THE_LINE)
            if row.speeds is None:
                self._grid.addWidget(PlainLabel(cells[0], tone="muted"), line, 1, 1, len(heads), _ON_THE_LINE)
                continue
            for column, cell in enumerate(cells, start=1):
                self._put(PlainLabel(cell), line, column)

    def _put(self, label: PlainLabel, row: int, column: int) -> None:
        if column == len(_SHOWN) + 1:
            tip = self.tr("Thousand millions of operations a second, with weights in Q4_K")
        else:
            tip = self.tr("Thousand millions of bytes of weights a second")
        label.setToolTip(plain_tooltip(tip))
        self._grid.addWidget(label, row, column, Qt.AlignmentFlag.AlignRight | _ON_THE_LINE)

    def _cells(self, row: SpeedRow) -> list[str]:
        """Name and figures of a device."""
        if row.speeds is None:
            return [row.name, self.tr("not measured yet")]
        name = row.name
        if row.speeds.threads:
            name = self.tr("{name} · {count} threads").format(name=row.name, count=row.speeds.threads)
        types = {each.kind: each for each in row.speeds.types}
        return [name, *(_read(types.get(kind)) for kind, _name in _SHOWN), _computed(types.get(_PROMPT))]


def _read(kind: TypeSpeed | None) -> str:
    return "–" if kind is None else f"{speed(kind.read_wide / 1e9)} GB/s"


def _computed(kind: TypeSpeed | None) -> str:
    if kind is None:
        return "–"
    rate = kind.compute_wide / 1e9
    return f"{speed(rate)} GFLOP/s" if rate < 1000 else f"{speed(rate / 1000)} TFLOP/s"
