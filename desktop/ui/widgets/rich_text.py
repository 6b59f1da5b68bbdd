"""Text of a message: as high as it is long, selectable, and unable to load anything."""

import math

from PySide6.QtCore import QSizeF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QTextCursor, QTextOption, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QWidget

from desktop.ui.theme import MESSAGE_SIZE, current_colours
from desktop.ui.widgets.document_writer import INDENT, DocumentWriter, is_openable
from desktop.ui.widgets.markdown import Block

_MEASURED = 10_000
"""Characters up to which a copy of the text is laid out to measure it: 200 kB took 0.1 s at each step of a resize."""


class MessageText(QTextBrowser):
    """A read-only document without scroll bars. Links open on a click only, and only http and https."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageText")
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setTabChangesFocus(True)
        self.viewport().setAutoFillBackground(False)
        font = self.font()
        font.setPixelSize(MESSAGE_SIZE)
        self.setFont(font)
        self.document().setDefaultFont(font)
        self.document().setDocumentMargin(0)
        self.document().setIndentWidth(INDENT)
        self.document().documentLayout().documentSizeChanged.connect(self._on_size_changed)
        self.anchorClicked.connect(open_link)
        self._stable_end = 0

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Load nothing, from nowhere."""
        return None

    def append_blocks(self, blocks: tuple[Block, ...], tail: Block | None) -> None:
        """Replace what was the tail by final `blocks` and the new `tail`."""
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        cursor.setPosition(self._stable_end)
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        writer = DocumentWriter(cursor, current_colours())
        for block in blocks:
            writer.write(block)
        self._stable_end = self.document().characterCount() - 1
        if tail is not None:
            writer.write(tail)
        cursor.endEditBlock()

    def is_blank(self) -> bool:
        """Whether there is nothing to read."""
        return self.document().isEmpty()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scrolling is the list's."""
        event.ignore()

    def _on_size_changed(self, size: QSizeF) -> None:
        self.setFixedHeight(max(1, math.ceil(size.height())))


class PlainMessageText(MessageText):
    """Text as a person wrote it: no markdown, as wide as it is long."""

    def set_plain(self, text: str) -> None:
        """Show `text` as it is."""
        self.setPlainText(text)
        self._space_lines()

    def ideal_width(self, widest: int) -> int:
        """Pixels that the longest line needs, at most `widest`; a text of many pages takes it all, unmeasured."""
        if self.document().characterCount() > _MEASURED:
            return widest
        document = self.document().clone()
        document.setTextWidth(widest)
        width = math.ceil(document.idealWidth()) + 2
        document.deleteLater()
        return min(widest, width)

    def _space_lines(self) -> None:
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        form = cursor.blockFormat()
        form.setLineHeight(128, form.LineHeightTypes.ProportionalHeight.value)
        cursor.setBlockFormat(form)


def open_link(address: QUrl) -> None:
    """Open an address in the person's browser, if it is one."""
    if is_openable(address.toString()):
        QDesktopServices.openUrl(address)
