"""A piece of code: its language, a button that copies it, and colours."""

import math

from PySide6.QtCore import QEvent, Qt, QTimer, QUrl
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QTextBrowser, QVBoxLayout, QWidget

from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.document_writer import fixed_font
from desktop.ui.widgets.labels import PlainLabel

_HIGHLIGHT_PAUSE = 250
"""Milliseconds between two colourings while code is still being written."""


class _CodeText(QTextBrowser):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("codeText")
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setUndoRedoEnabled(False)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.NoWrap)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTabChangesFocus(True)
        self.setFont(fixed_font())
        self.document().setDefaultFont(fixed_font())
        self.document().setDocumentMargin(0)
        self.horizontalScrollBar().rangeChanged.connect(self.fit_height)

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        return None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().x() and self.horizontalScrollBar().maximum():
            super().wheelEvent(event)
        else:
            event.ignore()

    def fit_height(self) -> None:
        bar = self.horizontalScrollBar()
        extra = bar.sizeHint().height() if bar.maximum() > 0 else 0
        self.setFixedHeight(math.ceil(self.document().size().height()) + extra + 2)


class CodeBlock(QFrame):
    """Code that may still grow; coloured a few times a second while it does, and once at its end."""

    def __init__(self, language: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("codeBlock")
        self._language = language
        self._code = ""
        self._label = PlainLabel(language or self.tr("text"), tone="small")
        self._copy = Button(self.tr("Copy"), kind="quiet")
        self._copy.setAccessibleName(self.tr("Copy this code"))
        self._copy.clicked.connect(self._on_copy)
        self._text = _CodeText(self.tr("Code"))
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._highlight)
        self._lay_out()

    def set_code(self, code: str, *, final: bool) -> None:
        """Show `code`; `final` when nothing will be added."""
        if code.startswith(self._code) and self._code:
            self._append(code[len(self._code) :])
        elif code != self._code:
            self._text.setPlainText(code)
        self._code = code
        self._text.fit_height()
        if final:
            self._later.stop()
            self._highlight()
        elif not self._later.isActive():
            self._later.start(_HIGHLIGHT_PAUSE)

    def set_language(self, language: str) -> None:
        """Name the language, once its name is complete."""
        if language != self._language:
            self._language = language
            self._label.setText(language or self.tr("text"))

    def code(self) -> str:
        """The code as it is copied."""
        return self._code

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._code:
            self._highlight()

    def _lay_out(self) -> None:
        header = QFrame()
        header.setObjectName("codeHeader")
        row = QHBoxLayout(header)
        row.setContentsMargins(12, 4, 8, 4)
        row.addWidget(self._label)
        row.addStretch(1)
        row.addWidget(self._copy)
        body = QVBoxLayout()
        body.setContentsMargins(12, 10, 12, 10)
        body.addWidget(self._text)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(header)
        column.addLayout(body)

    def _append(self, more: str) -> None:
        cursor = QTextCursor(self._text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(more)

    def _highlight(self) -> None:
        from desktop.ui.widgets.highlight import spans

        colours = current_colours()
        cursor = QTextCursor(self._text.document())
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        plain = QTextCharFormat()
        plain.setForeground(QColor(colours.text))
        cursor.setCharFormat(plain)
        for span in spans(self._code, self._language):
            form = QTextCharFormat()
            form.setForeground(QColor(getattr(colours, span.colour)))
            cursor.setPosition(span.start)
            cursor.setPosition(span.start + span.length, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(form)
        cursor.endEditBlock()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._code)
        self._copy.setText(self.tr("Copied"))
        QTimer.singleShot(1500, self._copy, lambda: self._copy.setText(self.tr("Copy")))
