"""The doctor's card: what needs a person first, then what is good; what was not judged is folded away."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from desktop.doctor.check import Check, Status
from desktop.ui.bridge import render
from desktop.ui.icons import icon_pixmap
from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.card import Card
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill

_SIZE = 22
_ICON = 14


class _Mark(QWidget):
    """A shape in a circle: the colour only repeats it."""

    def __init__(self, status: Status, word: str) -> None:
        super().__init__()
        self._status = status
        self.setFixedSize(_SIZE, _SIZE)
        self.setAccessibleName(word)
        self.setToolTip(word)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = current_colours()
        name, colour, background = {
            "pass": ("check", colours.fits, colours.fits_on),
            "warn": ("warning", colours.tight, colours.tight_on),
            "fail": ("cross", colours.fails, colours.fails_on),
            "skip": ("info", colours.muted, colours.neutral_on),
        }[self._status]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(background))
        painter.drawEllipse(QRectF(self.rect()))
        at = (_SIZE - _ICON) // 2
        painter.drawPixmap(at, at, icon_pixmap(name, colour, _ICON, self.devicePixelRatioF()))


class _Line(QWidget):
    """A hairline between rows, in the colour of the theme."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), QColor(current_colours().line))


class CheckRow(QFrame):
    """A check of the doctor: a shape, what was found, what is wanted, what to do."""

    def __init__(self, check: Check) -> None:
        super().__init__()
        word = self._status_word(check.status)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.setContentsMargins(0, 3, 0, 0)  # on one line with the mark
        found = PlainLabel(f"{render(check.title)}: {render(check.found)}", wrap=True)
        words.addWidget(found)
        if check.remedy is not None and check.status in ("warn", "fail"):
            remedy = PlainLabel(render(check.remedy), tone="muted", wrap=True)
            remedy.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            remedy.setAccessibleName(remedy.text())
            words.addWidget(remedy)
        wanted = PlainLabel(self.tr("Wanted: {what}").format(what=render(check.wanted)), tone="muted", wrap=True)
        row = QHBoxLayout()
        row.setContentsMargins(8, 11, 8, 11)
        row.setSpacing(16)
        row.addWidget(_Mark(check.status, word), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 3)
        beside = QVBoxLayout()
        beside.setContentsMargins(0, 3, 0, 0)
        beside.addWidget(wanted)
        beside.addStretch(1)
        row.addLayout(beside, 2)
        row.setAlignment(words, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(_Line())
        self.setAccessibleName(f"{word}: {found.text()}")

    def _status_word(self, status: Status) -> str:
        return {
            "pass": self.tr("Good"),
            "warn": self.tr("Hint"),
            "fail": self.tr("Problem"),
            "skip": self.tr("Not judged"),
        }[status]


class DoctorCard(Card):
    """Every check as a row, and what all of them come to at the right of the title."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.set_title(self.tr("Doctor"))
        self._summary = Pill()
        self._summary.hide()
        self.add_aside(self._summary)
        self._state = PlainLabel(tone="muted", wrap=True)
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        self._fold = Button(kind="quiet")
        self._fold.hide()
        self._fold.clicked.connect(self._on_fold_clicked)
        self._rows: list[CheckRow] = []
        self._folded: list[CheckRow] = []
        self._unfolded = False
        self.body.addWidget(self._state)
        self.body.addLayout(self._column)
        self.body.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignLeft)
        self.set_state(self.tr("Checking …"))

    def set_state(self, text: str) -> None:
        """Say that the checks run, or why there are none; rows of the last time stay."""
        self._state.setText(text)
        self._state.setVisible(bool(text))

    def set_checks(self, checks: Sequence[Check]) -> None:
        """Show the findings, the ones that need a person first."""
        self.set_state("")
        for row in (*self._rows, *self._folded):
            row.hide()
            row.deleteLater()
        order = {"fail": 0, "warn": 1, "pass": 2}
        here = sorted((check for check in checks if check.status != "skip"), key=lambda check: order[check.status])
        self._rows = [CheckRow(check) for check in here]
        self._folded = [CheckRow(check) for check in checks if check.status == "skip"]
        for row in (*self._rows, *self._folded):
            self._column.addWidget(row)
        self._summarize(checks)
        self._show_folded()

    def texts(self) -> list[str]:
        """What the rows that are shown say, in their order."""
        shown = (*self._rows, *self._folded) if self._unfolded else self._rows
        return [row.accessibleName() for row in shown]

    def summary(self) -> str:
        """What all of the checks come to."""
        return self._summary.text()

    def _summarize(self, checks: Sequence[Check]) -> None:
        failed = sum(check.status == "fail" for check in checks)
        hints = sum(check.status == "warn" for check in checks)
        parts = []
        if failed:
            parts.append(self.tr("1 problem") if failed == 1 else self.tr("{count} problems").format(count=failed))
        if hints:
            parts.append(self.tr("1 hint") if hints == 1 else self.tr("{count} hints").format(count=hints))
        self._summary.set_verdict(
            ", ".join(parts) or self.tr("All good"), "does_not_fit" if failed else "tight" if hints else "fits"
        )
        self._summary.show()

    def _show_folded(self) -> None:
        for row in self._folded:
            row.setVisible(self._unfolded)
        count = len(self._folded)
        self._fold.setVisible(bool(count))
        if self._unfolded:
            self._fold.setText(self.tr("Hide what was not judged"))
        else:
            self._fold.setText(self.tr("Show what was not judged ({count})").format(count=count))

    def _on_fold_clicked(self) -> None:
        self._unfolded = not self._unfolded
        self._show_folded()
