"""The hardware page: a card per thing found, its speed, how the loaded model is split, and the doctor's checks."""

from collections.abc import Sequence

from PySide6.QtCore import QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from desktop.doctor.check import Check
from desktop.engine.protocol import DeviceMemory
from desktop.hardware.types import Gpu, HardwareProfile, HardwareSample, SourceProblem
from desktop.ui.bridge import render, sentences
from desktop.ui.pages.hardware.cards import FoundCard
from desktop.ui.pages.hardware.doctor import DoctorCard
from desktop.ui.pages.hardware.planner import PlannerCard
from desktop.ui.pages.hardware.speeds import SpeedCard
from desktop.ui.pages.hardware.split import SplitCard
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.page import Page

_CARD_WIDTH = 340
"""Pixels: the narrowest card before the grid drops a column."""
_MOST_COLUMNS = 3


class HardwareView(Page):
    """Setters only, and a button that asks to look again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent=parent)
        self.header.set_title(self.tr("Hardware"))
        self.again = Button(self.tr("Look again"), icon_name="regenerate")
        self.what_if = Button(self.tr("What if …"))
        self.what_if.setCheckable(True)
        self.what_if.toggled.connect(self._on_what_if_toggled)
        for button in (self.again, self.what_if):
            self.header.row.addWidget(button)
        self._grid = QGridLayout()
        self._grid.setSpacing(16)
        self._cards: list[FoundCard] = []
        self._gpus: dict[str, FoundCard] = {}
        self._found: dict[str, Gpu] = {}
        self._live: set[str] = set()  # the GPUs that samples told of
        self._silent: list[FoundCard] = []
        self._cpu = FoundCard()
        self._disk = FoundCard()
        self._columns = 0
        self.speeds = SpeedCard()
        self.split = SplitCard()
        self.speeds.hide()
        self.split.hide()
        self.planner = PlannerCard()
        self.planner.hide()
        self.doctor = DoctorCard()
        self._waiting = PlainLabel(self.tr("Looking at this machine …"), tone="muted", wrap=True)
        self._problems = PlainLabel(tone="warn", wrap=True)
        self._problems.hide()
        self.body.addWidget(self._waiting)
        self.body.addLayout(self._grid)
        for widget in (self._problems, self.planner, self.speeds, self.split, self.doctor):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        for card in (self._cpu, self._disk):
            card.hide()

    def set_profile(self, profile: HardwareProfile) -> None:
        """Show what was found."""
        for card in (*self._gpus.values(), *self._silent):
            card.hide()
            card.deleteLater()
        self._gpus = {}
        self._found = {gpu.pci_address or f"{number}": gpu for number, gpu in enumerate(profile.gpus)}
        self._live = set()
        for key, gpu in self._found.items():
            card = self._gpus[key] = FoundCard()
            card.show_gpu(gpu)
        self._silent = [FoundCard() for _ in profile.silent_cards]
        for card, found in zip(self._silent, profile.silent_cards, strict=True):
            card.show_silent_card(found)
        self._cpu.show_cpu(profile.cpu, profile.ram)
        self._disk.show_disk(profile.disk)
        self._cards = [*self._gpus.values(), *self._silent, self._cpu, self._disk]
        self._problems.setText("\n".join(f"{problem.source}: {render(problem.what)}" for problem in profile.problems))
        self._problems.setVisible(bool(profile.problems))
        self._waiting.hide()
        self.split.show()
        self._columns = 0
        self._arrange()

    def set_sample(self, sample: HardwareSample, held: Sequence[DeviceMemory] = ()) -> None:
        """Follow the machine; `held` is what the engine says the loaded model has on each device."""
        parts = {part.device: part for part in held}
        live = {gpu.pci_address or f"{number}": gpu for number, gpu in enumerate(sample.gpus)}
        for key, card in self._gpus.items():
            if key in live:
                card.show_gpu_sample(live[key], parts.get(self._found[key].backend or ""))
            elif (problems := self._problems_of(key, sample)) or key in self._live:
                card.show_no_gpu_sample("\n".join(render(problem.what) for problem in problems))
        self._live = self._live.union(live)
        if self._cards:
            self._cpu.show_ram_sample(sample, parts.get("CPU"))

    def _problems_of(self, key: str, sample: HardwareSample) -> list[SourceProblem]:
        """Why a GPU is missing from the sample: what is said of it, else what is said of no card by its name."""
        named = [problem for problem in sample.problems if problem.source == self._found[key].name]
        names = {gpu.name for gpu in self._found.values()}
        return named or [problem for problem in sample.problems if problem.source not in names]

    def set_checks(self, checks: Sequence[Check]) -> None:
        """Show the doctor's findings."""
        self.doctor.set_checks(checks)

    def set_waiting(self) -> None:
        """The machine is being looked at; what was found the last time stays."""
        self.again.setEnabled(False)
        self.doctor.set_state(self.tr("Checking …"))

    def set_done(self) -> None:
        """The person may look again."""
        self.again.setEnabled(True)

    def set_failed(self, message: str, hint: str) -> None:
        """The machine could not be looked at."""
        self._waiting.setText(sentences((message, hint)))
        self.doctor.set_state(self.tr("The checks could not run."))

    def card_texts(self) -> list[str]:
        """What each card says, in their order."""
        return [card.texts() for card in self._cards]

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many columns as there is room for."""
        super().resizeEvent(event)
        self._arrange()

    def _on_what_if_toggled(self, shown: bool) -> None:
        self.planner.setVisible(shown)
        if shown:
            self.planner.focus_field()
            QTimer.singleShot(0, self, self._scroll_to_planner)  # its place is known once the layout has run

    def _scroll_to_planner(self) -> None:
        self.scroll_area.verticalScrollBar().setValue(self.planner.y())

    def _arrange(self) -> None:
        room = (self.width() - 56) // _CARD_WIDTH
        columns = max(1, min(_MOST_COLUMNS, room, len(self._cards)))
        if len(self._cards) == _MOST_COLUMNS + 1 and columns == _MOST_COLUMNS:
            columns = 2  # two and two look better than three and one
        if columns == self._columns:
            return
        self._columns = columns
        for column in range(_MOST_COLUMNS):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        for place, card in enumerate(self._cards):
            last = place == len(self._cards) - 1
            span = columns - place % columns if last else 1
            self._grid.addWidget(card, place // columns, place % columns, 1, span)
            card.show()
