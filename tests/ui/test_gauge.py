"""The bar of the memory gauge."""

from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication

from desktop.ui.widgets.gauge import GaugeBar
from tests.support.looks import shown


class _Counting(GaugeBar):
    def __init__(self) -> None:
        super().__init__()
        self.paints = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1
        super().paintEvent(event)


def test_a_bar_is_painted_anew_only_when_it_says_something_else(styled: QApplication) -> None:
    with shown(_Counting()) as bar:
        bar.set_values(total=100, weights=10, described_as="10 of 100")
        QApplication.processEvents()
        painted = bar.paints
        for _ in range(3):
            bar.set_values(total=100, weights=10, described_as="10 of 100")
            QApplication.processEvents()
        assert bar.paints == painted
        bar.set_values(total=100, weights=20, described_as="20 of 100")
        QApplication.processEvents()
        assert bar.paints == painted + 1
