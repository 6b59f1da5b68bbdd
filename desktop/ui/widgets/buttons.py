"""Buttons in the kinds the window knows."""

from typing import Literal

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QEnterEvent, QIcon, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QPushButton, QToolButton, QWidget

from desktop.ui.icons import ICON_SIZE, icon
from desktop.ui.theme import current_colours
from desktop.ui.widgets.labels import plain_tooltip

Kind = Literal["normal", "primary", "link", "quiet", "left"]

_GAP = 5
"""Pixels between an icon of ICON_SIZE and the words beside it, on top of the style's own."""


class Button(QPushButton):
    """A push button with words. `primary` is the one thing to do here; `link` and `quiet` read like text."""

    def __init__(
        self, text: str = "", *, kind: Kind = "normal", icon_name: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(text, parent)
        self._icon_name = icon_name
        self.setProperty("kind", kind)
        self.setAutoDefault(False)
        if kind in ("link", "quiet"):
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self._refresh_icon()

    def set_icon_name(self, name: str) -> None:
        """Show another icon before the words; "" for none."""
        self._icon_name = name
        self._refresh_icon()

    def set_kind(self, kind: Kind) -> None:
        """Look like another kind."""
        if self.property("kind") != kind:
            self.setProperty("kind", kind)
            self.style().unpolish(self)
            self.style().polish(self)
            self._refresh_icon()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses it, as Space does."""
        if not _pressed_by_enter(self, event):
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        if not self._icon_name:
            self.setIcon(QIcon())
            return
        colours = current_colours()
        by_kind = {"primary": colours.on_accent, "link": colours.accent, "quiet": colours.muted}
        colour = by_kind.get(self.property("kind"), colours.text)
        self.setIcon(icon(self._icon_name, colour, colours.faint, gap=_GAP))
        self.setIconSize(QSize(16 * (ICON_SIZE + _GAP) // ICON_SIZE, 16))


class IconButton(QToolButton):
    """A button that is only an icon. `name` is what it does, for the tooltip and for screen readers."""

    def __init__(
        self, icon_name: str, name: str, *, size: int = 28, shortcut: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon_name
        self._accented = False
        self.setIconSize(QSize(min(ICON_SIZE, size - 10), min(ICON_SIZE, size - 10)))
        self.setFixedSize(size, size)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.set_name(name, shortcut)
        self._refresh_icon()

    def set_name(self, name: str, shortcut: str = "") -> None:
        """Say what the button does; the shortcut is shown, not installed."""
        self.setAccessibleName(name)
        keys = QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)
        self.setToolTip(plain_tooltip(f"{name} ({keys})" if keys else name))

    def set_icon_name(self, icon_name: str) -> None:
        """Show another icon."""
        self._icon_name = icon_name
        self._refresh_icon()

    def set_accented(self, accented: bool) -> None:
        """Draw the icon in the accent colour."""
        self._accented = accented
        self._refresh_icon()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses it, as Space does."""
        if not _pressed_by_enter(self, event):
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        colours = current_colours()
        colour = colours.on_accent if self.property("kind") == "send" else colours.muted
        self.setIcon(icon(self._icon_name, colours.accent if self._accented else colour, colours.faint))


class RailButton(IconButton):
    """A page in the rail: checked while its page is shown, which also gives it the accent colour."""

    def __init__(self, icon_name: str, name: str, *, shortcut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(icon_name, name, size=40, shortcut=shortcut, parent=parent)
        self.setIconSize(QSize(ICON_SIZE, ICON_SIZE))
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.toggled.connect(self.set_accented)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show at once what the page is called."""
        super().enterEvent(event)
        self.setCursor(Qt.CursorShape.PointingHandCursor)


def _pressed_by_enter(button: QAbstractButton, event: QKeyEvent) -> bool:
    """Click for Enter, once however long it is held; in a window that is no dialog Qt only knows Space."""
    if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return False
    if not event.isAutoRepeat():
        button.click()
    return True
