"""One message of a conversation: the person's in a bubble at the right, a reply plain at the left."""

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop.ui.pages.chat.shown import ShownMessage
from desktop.ui.theme import MESSAGE_WIDTH
from desktop.ui.widgets.buttons import Button, IconButton
from desktop.ui.widgets.labels import ElidedLabel, PlainLabel
from desktop.ui.widgets.reply_text import ReplyText
from desktop.ui.widgets.rich_text import PlainMessageText

_BUBBLE_SHARE = 0.78
"""Of the column's width that the person's own words may take."""


class OwnMessage(QWidget):
    """What the person said."""

    def __init__(self, message: ShownMessage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = PlainMessageText(self.tr("Your message"))
        self._text.set_plain(message.text)
        self._bubble = QFrame()
        self._bubble.setObjectName("bubble")
        inner = QVBoxLayout(self._bubble)
        inner.setContentsMargins(14, 11, 14, 8)  # a line's extra height stands below it
        inner.addWidget(self._text)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(self._bubble)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make the bubble as wide as its words, up to a share of the column."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Measure again with a new font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def text(self) -> str:
        """The words."""
        return self._text.toPlainText()

    def _fit(self) -> None:
        widest = round(min(MESSAGE_WIDTH, self.width()) * _BUBBLE_SHARE) - 28
        if widest > 0:
            self._bubble.setFixedWidth(self._text.ideal_width(widest) + 28)


class ReasoningBlock(QFrame):
    """What a model thought before it spoke: folded to one line until somebody wants to read it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("reasoning")
        self._toggle = Button("", kind="quiet", icon_name="chevron-right")
        self._toggle.clicked.connect(self._on_toggled)
        self._body = PlainLabel("", tone="muted", wrap=True)
        self._body.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 2, 0, 2)
        column.setSpacing(8)
        column.addWidget(self._toggle, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._body)
        self.hide()

    def set_reasoning(self, text: str, *, seconds: float, thinking: bool) -> None:
        """Show `text`; while `thinking` the line says so, then for how many seconds (0: not known)."""
        self.setVisible(bool(text))
        if self._body.isVisible() or not self._body.text():
            self._body.setText(text)
        self._whole = text
        if thinking:
            self._toggle.setText(self.tr("Thinking …"))
        elif seconds >= 1:
            self._toggle.setText(self.tr("Thought for {seconds} s").format(seconds=round(seconds)))
        else:
            self._toggle.setText(self.tr("Thoughts"))

    def _on_toggled(self) -> None:
        unfold = self._body.isHidden()
        self._body.setText(self._whole)
        self._body.setVisible(unfold)
        self._toggle.set_icon_name("chevron-down" if unfold else "chevron-right")


class ReplyActions(QWidget):
    """Under a reply: its versions, copy, again, go on, and its figures."""

    regenerate_requested = Signal()
    continue_requested = Signal()
    copy_requested = Signal()
    version_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._message: ShownMessage | None = None
        self._before = IconButton("chevron-left", self.tr("Earlier version"), size=24)
        self._versions = PlainLabel(tone="small")
        self._after = IconButton("chevron-right", self.tr("Later version"), size=24)
        self._copy = IconButton("copy", self.tr("Copy this reply"), size=26)
        self._again = IconButton("regenerate", self.tr("Answer again"), size=26, shortcut="Ctrl+Shift+R")
        self._continue = Button(self.tr("Continue"), kind="link", icon_name="continue")
        self._figures = ElidedLabel(tone="small")
        self._figures.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._before.clicked.connect(lambda: self._want_version(-1))
        self._after.clicked.connect(lambda: self._want_version(+1))
        self._copy.clicked.connect(self._on_copy)
        self._again.clicked.connect(self.regenerate_requested)
        self._continue.clicked.connect(self.continue_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self._before, self._versions, self._after, self._copy, self._again, self._continue):
            row.addWidget(widget)
        row.addWidget(self._figures, 1)

    def set_message(self, message: ShownMessage) -> None:
        """Offer what can be done with `message`."""
        self._message = message
        many = message.versions > 1
        for widget in (self._before, self._versions, self._after):
            widget.setVisible(many)
        self._versions.setText(f"{message.version} / {message.versions}")
        self._before.setEnabled(message.version > 1)
        self._after.setEnabled(message.version < message.versions)
        self._copy.setVisible(bool(message.text))
        self._continue.setVisible(message.can_continue)
        self._figures.setText(message.figures)
        self._figures.set_hint(message.figures_hint)

    def figures(self) -> str:
        """The figures shown."""
        return self._figures.text()

    def _want_version(self, step: int) -> None:
        if self._message is not None:
            self.version_wanted.emit(self._message.version + step)

    def _on_copy(self) -> None:
        self.copy_requested.emit()
        self._copy.set_icon_name("check")
        QTimer.singleShot(1500, self._copy, lambda: self._copy.set_icon_name("copy"))


class ReplyMessage(QWidget):
    """What the model said."""

    regenerate_requested = Signal(str)
    continue_requested = Signal(str)
    version_wanted = Signal(str, int)

    def __init__(self, message: ShownMessage, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message = message
        self._reasoning = ReasoningBlock()
        self._waiting = PlainLabel(self.tr("Reading your message …"), tone="muted")
        self._reply = ReplyText()
        self._mark = PlainLabel(tone="muted", wrap=True)
        self._actions = ReplyActions()
        self._actions.copy_requested.connect(self._on_copy)
        self._actions.regenerate_requested.connect(lambda: self.regenerate_requested.emit(self.message.id))
        self._actions.continue_requested.connect(lambda: self.continue_requested.emit(self.message.id))
        self._actions.version_wanted.connect(lambda number: self.version_wanted.emit(self.message.id, number))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self._reasoning, self._waiting, self._reply, self._mark, self._actions):
            column.addWidget(widget)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.set_message(message)

    def set_message(self, message: ShownMessage) -> None:
        """Show `message` whole: when it is opened, and when it has ended."""
        self.message = message
        self.stream(message.text, message.reasoning, message.thought_seconds, final=not message.streaming)
        words = f"{message.mark}. {message.hint}" if message.hint else message.mark
        self._mark.setText(words)
        self._mark.set_tone("bad" if message.mark_kind == "bad" else "muted")
        self._mark.setVisible(bool(message.mark))
        self._actions.set_message(message)
        self._actions.setVisible(not message.streaming)

    def stream(self, text: str, reasoning: str, seconds: float, *, final: bool = False) -> None:
        """Show the text so far."""
        self._waiting.setVisible(not final and not text and not reasoning)
        self._reasoning.set_reasoning(reasoning, seconds=seconds, thinking=not final and not text)
        self._reply.set_text(text, final=final)
        self._reply.setVisible(bool(text))

    def set_waiting(self, words: str) -> None:
        """Say what happens before the first word."""
        self._waiting.setText(words)

    def visible_text(self) -> str:
        """The words that can be read."""
        return self._reply.visible_text()

    def mark(self) -> str:
        """How the reply ended, in words; "" when it ended well."""
        return self._mark.text()

    def figures(self) -> str:
        """The figures under the reply."""
        return self._actions.figures()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._reply.text())
