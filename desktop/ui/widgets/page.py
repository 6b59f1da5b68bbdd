"""What every page but the chat is made of: a header, and a body that scrolls; and what an empty place says."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel
from desktop.ui.widgets.notice import NoticeStack

HEADER_HEIGHT = 52
"""Pixels."""


class PageHeader(QFrame):
    """The title of a page, a quiet remark, and widgets at the right."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pageHeader")
        self.setFixedHeight(HEADER_HEIGHT)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(20, 0, 20, 0)
        self.row.setSpacing(8)
        self._title = ElidedLabel(title, tone="title")
        self._remark = ElidedLabel("", tone="muted")
        self._remark.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.row.addWidget(self._title, 1)
        self.row.addWidget(self._remark)

    def set_title(self, title: str) -> None:
        """Change the title."""
        self._title.setText(title)

    def title(self) -> str:
        """The title."""
        return self._title.text()

    def set_remark(self, text: str) -> None:
        """Change the quiet text at the right."""
        self._remark.setText(text)


class Page(QWidget):
    """A page with a header, banners, and a scrolling `body` (a vertical layout) of at most `max_width` pixels."""

    def __init__(self, title: str, *, max_width: int = 1240, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self.header = PageHeader(title, self)
        self.notices = NoticeStack(self)
        self.scroll_area = QScrollArea(self)
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self.header)
        outer.addWidget(self.notices)
        outer.addWidget(self.scroll_area, 1)
        self.body = self._make_body(max_width)

    def _make_body(self, max_width: int) -> QVBoxLayout:
        holder = QWidget()
        holder.setObjectName("pageBody")
        column = QWidget()
        column.setMaximumWidth(max_width)
        row = QHBoxLayout(holder)
        row.setContentsMargins(28, 20, 28, 28)
        row.addStretch(1)
        row.addWidget(column, 1000)
        row.addStretch(1)
        body = QVBoxLayout(column)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(16)
        self.scroll_area.setWidget(holder)
        return body


class EmptyState(QWidget):
    """An empty place says what to do next, and offers to do it."""

    action_chosen = Signal()

    def __init__(self, title: str, text: str = "", *, action: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(480)  # wrapped words tell no layout how wide they want to be
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(8)
        self._title = PlainLabel(title, tone="display", wrap=True)
        self._text = PlainLabel(text, tone="muted", wrap=True)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(label)
        self._button = Button(action, kind="primary")
        self._button.setVisible(bool(action))
        self._button.clicked.connect(self.action_chosen)
        column.addSpacing(8)
        column.addWidget(self._button, 0, Qt.AlignmentFlag.AlignHCenter)

    def set_texts(self, title: str, text: str = "", action: str = "") -> None:
        """Say something else."""
        self._title.setText(title)
        self._text.setText(text)
        self._button.setText(action)
        self._button.setVisible(bool(action))
