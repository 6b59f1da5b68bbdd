"""The rail at the left edge: one icon per page that exists."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from desktop.ui.widgets.buttons import RailButton

WIDTH = 56
"""Pixels."""


class Rail(QFrame):
    """Icons of the pages; those `at_bottom` stand at the lower end."""

    page_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("rail")
        self.setFixedWidth(WIDTH)
        self._buttons: dict[str, RailButton] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(7, 12, 8, 12)
        self._layout.setSpacing(6)
        self._layout.addStretch(1)
        self._above = 0

    def add_page(self, name: str, title: str, icon_name: str, *, shortcut: str = "", at_bottom: bool = False) -> None:
        """Add the page called `name`."""
        button = RailButton(icon_name, title, shortcut=shortcut, parent=self)
        button.clicked.connect(lambda: self.page_chosen.emit(name))
        self._buttons[name] = button
        if at_bottom:
            self._layout.addWidget(button)
        else:
            self._layout.insertWidget(self._above, button)
            self._above += 1

    def set_current(self, name: str) -> None:
        """Mark the page that is shown; a page without an icon marks none."""
        for button_name, button in self._buttons.items():
            button.setAutoExclusive(False)
            button.setChecked(button_name == name)
            button.setAutoExclusive(True)
