"""Long work: what it is, how far it came with a figure, and a way to stop it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import ElidedLabel


class ProgressCard(Card):
    """A title, a bar, a line of figures and Stop."""

    stop_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(" ", parent=parent)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._figures = ElidedLabel(tone="muted")
        self._stop = Button(self.tr("Stop"))
        self._stop.clicked.connect(self.stop_requested)
        row = QHBoxLayout()
        row.addWidget(self._figures, 1)
        row.addWidget(self._stop)
        self.body.addWidget(self._bar)
        self.body.addLayout(row)

    def show_progress(self, title: str, figures: str, fraction: float | None) -> None:
        """Show how far the work came, 0 to 1; None where nobody knows."""
        self.set_title(title)
        self._bar.setRange(0, 0 if fraction is None else 1000)
        self._bar.setValue(round(1000 * (fraction or 0)))
        self._bar.setAccessibleName(f"{title}: {figures}")
        self._figures.setText(figures)

    def set_stoppable(self, stoppable: bool) -> None:
        """Some work ends by itself in a moment."""
        self._stop.setVisible(stoppable)

    def text(self) -> str:
        """The figures shown."""
        return self._figures.text()
