"""Where a message is written: it grows with its text, Enter sends, and an input method's Enter does not."""

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QInputMethodEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from desktop.ui.theme import MESSAGE_SIZE, current_colours
from desktop.ui.widgets.buttons import IconButton
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel

_MOST_LINES = 8


class MessageEdit(QPlainTextEdit):
    """Plain text only; asks to be sent with Enter or Ctrl+Enter."""

    submitted = Signal()
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.send_with_enter = True
        self._composing = False
        font = self.font()
        font.setPixelSize(MESSAGE_SIZE)
        self.setFont(font)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(0)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        """Remember whether an input method is in the middle of a word."""
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Send with Enter (or with Ctrl+Enter), break the line with Shift+Enter."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not self._composing and self._sends(event.modifiers()):
            self.submitted.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Let the frame show the focus."""
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Let the frame show the focus."""
        super().focusOutEvent(event)
        self._composing = False
        self.focus_changed.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        """Measure again with a new font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _sends(self, modifiers: Qt.KeyboardModifier) -> bool:
        held = modifiers & ~Qt.KeyboardModifier.KeypadModifier
        if held == Qt.KeyboardModifier.ControlModifier:
            return True
        return self.send_with_enter and held == Qt.KeyboardModifier.NoModifier

    def _fit(self) -> None:
        lines = max(1, round(self.document().size().height()))
        shown = min(lines, _MOST_LINES)
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if lines > _MOST_LINES else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        self.setFixedHeight(self.fontMetrics().lineSpacing() * shown + 4)


class ContextMeter(QWidget):
    """How much of the context is used, and what the next reply may use of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = _MeterBar()
        self._label = PlainLabel(tone="small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self._bar, 1)
        row.addWidget(self._label)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)

    def set_values(self, *, used: int, next_reply: int, total: int, words: str) -> None:
        """Tokens used, tokens the next reply may take, tokens there are; and the same in words."""
        self._bar.set_fractions(used / total if total else 0.0, next_reply / total if total else 0.0)
        self._label.setText(words)
        self._bar.setAccessibleName(words)
        self.setVisible(total > 0)


class _MeterBar(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._used = self._next = 0.0
        self.setFixedHeight(6)

    def set_fractions(self, used: float, following: float) -> None:
        self._used, self._next = min(1.0, used), min(1.0, used + following)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = current_colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        parts = ((1.0, colours.track, 1.0), (self._next, colours.accent, 0.2), (self._used, colours.accent, 1.0))
        for fraction, colour, opacity in parts:
            painter.setOpacity(opacity)
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(0, 0, round(self.width() * fraction), self.height(), 3, 3)


class Composer(QFrame):
    """The edit, a line of help, and one button that sends or stops."""

    message_sent = Signal(str)
    stop_requested = Signal()
    draft_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self._busy = False
        self._can_send = True
        self.edit = MessageEdit()
        self.edit.setAccessibleName(self.tr("Message"))
        self.edit.setPlaceholderText(self.tr("Write a message"))
        self._help = ElidedLabel("", tone="muted")
        self._help.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.button = IconButton("send", self.tr("Send"), size=34)
        self.button.setProperty("kind", "send")
        self.button.setIconSize(QSize(20, 20))
        self.edit.submitted.connect(self._on_submitted)
        self.edit.textChanged.connect(self._on_text_changed)
        self.edit.focus_changed.connect(self._on_focus_changed)
        self.button.clicked.connect(self._on_button)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self._help, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 12, 10)
        column.setSpacing(8)
        column.addWidget(self.edit)
        column.addLayout(row)
        self._refresh()

    def set_busy(self, busy: bool) -> None:
        """While a reply comes, the button stops it."""
        self._busy = busy
        self._refresh()

    def set_send_with_enter(self, enter_sends: bool) -> None:
        """Whether Enter alone sends."""
        self.edit.send_with_enter = enter_sends
        self._refresh()

    def set_draft(self, text: str) -> None:
        """Put `text` into the edit without telling anyone."""
        if text != self.edit.toPlainText():
            self.edit.blockSignals(True)
            self.edit.setPlainText(text)
            self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)
            self.edit.blockSignals(False)
            self._refresh()

    def text(self) -> str:
        """What was typed."""
        return self.edit.toPlainText()

    def _refresh(self) -> None:
        self.button.set_icon_name("stop" if self._busy else "send")
        self.button.set_name(self.tr("Stop") if self._busy else self.tr("Send"), "Esc" if self._busy else "")
        self.button.setEnabled(self._busy or bool(self.text().strip()))
        if self._busy:
            self._help.setText(self.tr("Esc stops"))
        elif self.edit.send_with_enter:
            self._help.setText(self.tr("Enter sends, Shift+Enter breaks the line"))
        else:
            self._help.setText(self.tr("Ctrl+Enter sends"))

    def _on_button(self) -> None:
        if self._busy:
            self.stop_requested.emit()
        else:
            self._on_submitted()

    def _on_submitted(self) -> None:
        text = self.text()
        if not self._busy and text.strip():
            self.message_sent.emit(text)

    def _on_text_changed(self) -> None:
        self._refresh()
        self.draft_changed.emit(self.text())

    def _on_focus_changed(self, focused: bool) -> None:
        self.setProperty("focused", "true" if focused else "false")
        self.style().unpolish(self)
        self.style().polish(self)
