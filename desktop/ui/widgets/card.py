"""A card: a white panel with a title, what stands at its right, and a body."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from desktop.ui.widgets.labels import ElidedLabel


class Card(QFrame):
    """`body` takes the content; `set_aside` puts text, `add_aside` a widget at the right of the title."""

    def __init__(self, title: str = "", *, aside: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(16, 16, 16, 16)
        outer.setSpacing(12)
        self._header = QWidget(self)
        self._header_row = QHBoxLayout(self._header)
        self._header_row.setContentsMargins(0, 0, 0, 0)
        self._header_row.setSpacing(12)
        self._title = ElidedLabel(title, tone="strong")
        self._aside = ElidedLabel(aside, tone="muted")
        self._header_row.addWidget(self._title)
        self._header_row.addStretch(1)
        self._header_row.addWidget(self._aside)
        self._header.setVisible(bool(title or aside))
        outer.addWidget(self._header)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        outer.addLayout(self.body)

    def set_title(self, title: str) -> None:
        """Change the title; an empty one hides the header."""
        self._title.setText(title)
        self._header.setVisible(bool(title or self._aside.text()))

    def set_aside(self, text: str) -> None:
        """Change the quiet text at the right of the title."""
        self._aside.setText(text)

    def add_aside(self, widget: QWidget) -> None:
        """Put a widget at the right end of the title's row."""
        self._header.show()
        self._header_row.addWidget(widget)
