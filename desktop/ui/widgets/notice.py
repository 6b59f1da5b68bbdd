"""A banner above a page: what happened, and a button that does what can be done about it."""

from collections.abc import Callable
from typing import Literal

from PySide6.QtCore import QEvent, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop.ui.bridge import sentences
from desktop.ui.icons import icon_pixmap
from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.labels import PlainLabel

NoticeKind = Literal["info", "warn", "bad"]
_ICONS = {"info": "info", "warn": "warning", "bad": "warning"}


class Notice(QFrame):
    """Shows one message with an optional second line, an optional action, and a button that closes it."""

    closed = Signal()

    def __init__(
        self,
        text: str,
        *,
        hint: str = "",
        kind: NoticeKind = "info",
        action: str = "",
        on_action: Callable[[], None] | None = None,
        seconds: float = 0.0,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setProperty("kind", kind)
        self.setAccessibleName(sentences((text, hint)))
        self._kind = kind
        self._picture = QLabel(self)
        self._lay_out(text, hint, action, on_action)
        self._refresh_icon()
        if seconds:
            timer = QTimer(self)
            timer.setSingleShot(True)
            timer.timeout.connect(self.dismiss)
            timer.start(round(seconds * 1000))

    def _lay_out(self, text: str, hint: str, action: str, on_action: Callable[[], None] | None) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self._picture)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(PlainLabel(text, tone="strong" if hint else "normal", wrap=True))
        if hint:
            words.addWidget(PlainLabel(hint, wrap=True))
        row.addLayout(words, 1)
        if action and on_action is not None:
            button = Button(action)
            button.clicked.connect(self.dismiss)
            button.clicked.connect(on_action)
            row.addWidget(button)
        close = IconButton("cross", self.tr("Close this message"), size=24)
        close.clicked.connect(self.dismiss)
        row.addWidget(close)

    def dismiss(self) -> None:
        """Take the banner away."""
        self.hide()
        self.closed.emit()
        self.deleteLater()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        colours = current_colours()
        colour = {"info": colours.accent, "warn": colours.tight, "bad": colours.fails}[self._kind]
        self._picture.setPixmap(icon_pixmap(_ICONS[self._kind], colour, 18, self.devicePixelRatioF()))


class NoticeStack(QWidget):
    """The banners of a page, newest at the bottom; takes no room while there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 8, 12, 0)
        self._column.setSpacing(8)
        self._notices: dict[str, Notice] = {}
        self.hide()

    def add(self, notice: Notice, *, key: str = "") -> None:
        """Show `notice`; one with the same `key` makes room for it."""
        name = key or str(id(notice))
        old = self._notices.get(name)
        self._notices[name] = notice
        self._column.addWidget(notice)
        notice.closed.connect(lambda: self._forget(name, notice))
        self.show()
        if old is not None:
            old.dismiss()

    def remove(self, key: str) -> None:
        """Take away the banner called `key`, if it is there."""
        if key in self._notices:
            self._notices[key].dismiss()

    def texts(self) -> list[str]:
        """What is shown, oldest first."""
        return [notice.accessibleName() for notice in self._notices.values()]

    def _forget(self, name: str, notice: Notice) -> None:
        if self._notices.get(name) is notice:
            del self._notices[name]
        self.setVisible(bool(self._notices))
