"""Long work: what it is, how far it came with a figure, and a way to stop it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.focus import pass_focus_on
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel, plain_tooltip


class ProgressCard(Card):
    """A title, a bar, a line of figures and Stop; work that was stopped offers to go on or to be forgotten.

    Work that waits for its turn offers to be the next.
    """

    stop_requested = Signal()
    resume_requested = Signal()
    discard_requested = Signal()
    next_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._title = ElidedLabel(tone="strong")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._figures = ElidedLabel(tone="muted")
        self._problem = PlainLabel(tone="bad", wrap=True)
        self._stop = Button(self.tr("Stop"))
        self._stop.clicked.connect(self.stop_requested)
        self._resume = Button(self.tr("Go on"), icon_name="play")
        self._resume.clicked.connect(self.resume_requested)
        self._discard = Button(self.tr("Remove"))
        self._discard.setToolTip(plain_tooltip(self.tr("Takes it off the list and deletes what has come of it.")))
        self._discard.clicked.connect(self.discard_requested)
        self._next = Button(self.tr("Make it the next"))
        self._next.clicked.connect(self.next_requested)
        words = QHBoxLayout()
        words.setSpacing(8)
        words.addWidget(self._title, 1)
        for button in (self._next, self._resume, self._discard, self._stop):
            words.addWidget(button)
        self.body.addLayout(words)
        self.body.addWidget(self._bar)
        self.body.addWidget(self._figures)
        self.body.addWidget(self._problem)
        self._problem.hide()
        self.set_stopped(False)
        self.set_waiting(False)

    def show_progress(self, title: str, figures: str, fraction: float | None, problem: str = "") -> None:
        """Show how far the work came, 0 to 1, None where nobody knows; and what ended it too early."""
        if title != self._title.text():
            self._title.setText(title)
            for button in (self._next, self._resume, self._discard, self._stop):
                button.setAccessibleName(f"{button.text()}: {title}")  # there may be several cards
        self._bar.setRange(0, 0 if fraction is None else 1000)
        self._bar.setValue(round(1000 * (fraction or 0)))
        self._bar.setAccessibleName(f"{title}: {figures}")
        self._figures.setText(figures)
        self._figures.setVisible(bool(figures))
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))

    def set_stopped(self, stopped: bool) -> None:
        """Offer to go on instead of to stop."""
        coming, leaving = (self._resume, (self._stop,)) if stopped else (self._stop, (self._resume, self._discard))
        coming.show()
        for button in leaving:
            pass_focus_on(button, self.take_focus)
            button.hide()
        self._discard.setVisible(stopped)
        if self._bar.property("stopped") != stopped:
            self._bar.setProperty("stopped", stopped)
            self._bar.style().unpolish(self._bar)
            self._bar.style().polish(self._bar)

    def set_waiting(self, waiting: bool) -> None:
        """Offer to be the next, where there are others before it."""
        if not waiting:
            pass_focus_on(self._next, self.take_focus)
        self._next.setVisible(waiting)

    def take_focus(self) -> None:
        """Bring the keyboard to what stops the work, or goes on with it."""
        (self._stop if self._resume.isHidden() else self._resume).setFocus(Qt.FocusReason.OtherFocusReason)

    def title(self) -> str:
        """What the work is."""
        return self._title.text()

    def text(self) -> str:
        """The figures shown, and the problem."""
        return " ".join(filter(None, (self._figures.text(), self._problem.text())))
