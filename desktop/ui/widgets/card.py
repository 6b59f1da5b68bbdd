"""A card: a white panel with a title, what stands at its right, and a body."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from desktop.ui.widgets.labels import ElidedLabel

REACH = 11
"""Pixels that the rows of a wide card reach into its margin: the padding of a table's cells."""
_MARGIN = 16


class Card(QFrame):
    """`body` takes the content; `set_aside` puts text, `add_aside` a widget at the right of the title.

    wide: for tables and lines of rows, which reach nearly to the edges; their words stand below the title.
    """

    def __init__(self, title: str = "", *, aside: str = "", wide: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        reach = REACH if wide else 0
        outer = self._outer = QVBoxLayout(self)
        outer.setContentsMargins(_MARGIN - reach, _MARGIN, _MARGIN - reach, _MARGIN // 2 if wide else _MARGIN)
        self._wide = wide
        outer.setSpacing(12)
        self._header = QWidget(self)
        self._header_row = QHBoxLayout(self._header)
        self._header_row.setContentsMargins(reach, 0, reach, 0)
        self._header_row.setSpacing(12)
        self._title = ElidedLabel(title, tone="strong")
        self._aside = ElidedLabel(aside, tone="muted")
        self._header_row.addWidget(self._title)
        self._header_row.addStretch(1)
        self._header_row.addWidget(self._aside)
        self._show_header(bool(title or aside))
        outer.addWidget(self._header)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        outer.addLayout(self.body)

    def set_title(self, title: str) -> None:
        """Change the title; an empty one hides the header."""
        self._title.setText(title)
        self._show_header(bool(title or self._aside.text()))

    def set_aside(self, text: str) -> None:
        """Change the quiet text at the right of the title."""
        self._aside.setText(text)

    def add_aside(self, widget: QWidget) -> None:
        """Put a widget at the right end of the title's row."""
        self._show_header(True)
        self._header_row.addWidget(widget)

    def _show_header(self, shown: bool) -> None:
        self._header.setVisible(shown)
        margins = self._outer.contentsMargins()
        margins.setTop(_MARGIN if shown or not self._wide else _MARGIN // 2)  # a table's headings have air of their own
        self._outer.setContentsMargins(margins)
