"""The hardware page: a card per thing found, how the loaded model is split, and the doctor's checks."""

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from desktop.doctor.check import Check
from desktop.engine.protocol import LoadedModel
from desktop.hardware.types import HardwareProfile, HardwareSample
from desktop.ui.pages.hardware.cards import CheckRow, FoundCard
from desktop.ui.pages.hardware.split import SplitCard
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.page import Page
from desktop.ui.widgets.pill import Pill

_CARD_WIDTH = 340
"""Pixels: the narrowest card before the grid drops a column."""


class HardwareView(Page):
    """Setters only, and a button that asks to look again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent=parent)
        self.header.set_title(self.tr("Hardware"))
        self.again = Button(self.tr("Look again"), icon_name="regenerate")
        self.header.row.addWidget(self.again)
        self._grid = QGridLayout()
        self._grid.setSpacing(16)
        self._cards: list[FoundCard] = []
        self._gpus: dict[str, FoundCard] = {}
        self._cpu = FoundCard()
        self._disk = FoundCard()
        self.split = SplitCard()
        self.split.hide()
        self._doctor = Card(self.tr("Doctor"))
        self._summary = Pill()
        self._doctor.add_aside(self._summary)
        self._waiting = PlainLabel(self.tr("Checking …"), tone="muted")
        self._doctor.body.addWidget(self._waiting)
        self._rows: list[CheckRow] = []
        self._problems = PlainLabel(tone="warn", wrap=True)
        self._problems.hide()
        self.body.addLayout(self._grid)
        self.body.addWidget(self._problems)
        self.body.addWidget(self.split)
        self.body.addWidget(self._doctor)
        self.body.addStretch(1)
        for card in (self._cpu, self._disk):
            card.hide()

    def set_profile(self, profile: HardwareProfile) -> None:
        """Show what was found."""
        for card in self._gpus.values():
            card.hide()
            card.deleteLater()
        self._gpus = {}
        for number, gpu in enumerate(profile.gpus):
            card = FoundCard()
            card.show_gpu(gpu)
            self._gpus[gpu.pci_address or f"{number}"] = card
        self._cpu.show_cpu(profile.cpu, profile.ram)
        self._disk.show_disk(profile.disk)
        self._cards = [*self._gpus.values(), self._cpu, self._disk]
        self._problems.setText("\n".join(f"{problem.source}: {problem.message}" for problem in profile.problems))
        self._problems.setVisible(bool(profile.problems))
        self._arrange()

    def set_sample(self, sample: HardwareSample) -> None:
        """Follow the machine."""
        for number, gpu in enumerate(sample.gpus):
            card = self._gpus.get(gpu.pci_address or f"{number}")
            if card is not None:
                card.show_gpu_sample(gpu)
        if self._cards:
            self._cpu.show_ram_sample(sample)

    def set_split(self, model: LoadedModel | None) -> None:
        """Show which layers of the loaded model live where."""
        self.split.setVisible(model is not None)
        if model is not None:
            self.split.show_model(model)

    def set_checks(self, checks: Sequence[Check]) -> None:
        """Show the doctor's findings, the ones that need a person first."""
        for row in self._rows:
            row.hide()
            row.deleteLater()
        order = {"fail": 0, "warn": 1, "pass": 2, "skip": 3}
        self._rows = [CheckRow(check) for check in sorted(checks, key=lambda check: order[check.status])]
        for row in self._rows:
            self._doctor.body.addWidget(row)
        self._waiting.hide()
        wrong = sum(check.status in ("warn", "fail") for check in checks)
        if wrong:
            text = QCoreApplication.translate("HardwareView", "%n hint(s)", "", wrong)
            self._summary.set_verdict(text, "tight")
        else:
            self._summary.set_verdict(self.tr("All good"), "fits")

    def set_waiting(self) -> None:
        """The checks run."""
        self._waiting.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many columns as there is room for."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        columns = max(1, min(3, (self.width() - 56) // _CARD_WIDTH))
        for column in range(3):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        for place, card in enumerate(self._cards):
            self._grid.addWidget(card, place // columns, place % columns)
            card.show()
