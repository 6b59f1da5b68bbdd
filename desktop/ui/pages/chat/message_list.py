"""The messages of a conversation. Stays at the end only while the reader is there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.ui.pages.chat.shown import ShownMessage
from desktop.ui.theme import MESSAGE_WIDTH
from desktop.ui.widgets.buttons import Button, IconButton

if TYPE_CHECKING:
    from desktop.ui.pages.chat.message import OwnMessage, ReplyMessage

PAGE = 20
"""Messages that are drawn at first, and with each "Show earlier messages": what takes well under 0.2 s."""
_NEAR_END = 24
"""Pixels from the end that still count as being there."""


class MessageList(QScrollArea):
    """Draws the newest messages; the earlier ones on demand."""

    regenerate_requested = Signal(str)
    continue_requested = Signal(str)
    version_wanted = Signal(str, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Messages"))
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Always there, so that the messages stay in line with the composer; seen only when there is where to scroll.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._messages: list[ShownMessage] = []
        self._first_drawn = 0
        self._widgets: list[OwnMessage | ReplyMessage] = []
        self._at_end = True
        self._make_column()
        self._to_end = IconButton("down", self.tr("Go to the end"), size=32, parent=self)
        self._to_end.setObjectName("toEnd")
        self._to_end.clicked.connect(self.scroll_to_end)
        self._to_end.hide()
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._on_scrolled)
        bar.rangeChanged.connect(self._on_range_changed)

    def set_messages(self, messages: Sequence[ShownMessage]) -> None:
        """Show another conversation, from its end."""
        self._clear()
        self._messages = list(messages)
        self._first_drawn = max(0, len(self._messages) - PAGE)
        for message in self._messages[self._first_drawn :]:
            self._append_widget(message)
        self._earlier.setVisible(self._first_drawn > 0)
        self._at_end = True

    def add_message(self, message: ShownMessage) -> None:
        """Append one message; the reader who sends it wants to see it."""
        self._messages.append(message)
        self._append_widget(message)
        self._at_end = True

    def stream(self, text: str, reasoning: str, seconds: float) -> None:
        """Show the text so far of the last reply."""
        last = self.last_reply()
        if last is not None:
            last.stream(text, reasoning, seconds)

    def set_waiting(self, words: str) -> None:
        """Say what happens before the last reply's first word."""
        last = self.last_reply()
        if last is not None:
            last.set_waiting(words)

    def replace_message(self, message: ShownMessage) -> None:
        """Show the message with the same id as it is now."""
        for index, old in enumerate(self._messages):
            if old.id == message.id:
                self._messages[index] = message
                if index >= self._first_drawn and not message.is_own:
                    cast("ReplyMessage", self._widgets[index - self._first_drawn]).set_message(message)

    def last_reply(self) -> "ReplyMessage | None":
        """The newest reply, if the newest message is one."""
        if not self._widgets or self._messages[-1].is_own:
            return None
        return cast("ReplyMessage", self._widgets[-1])

    def widgets(self) -> "list[OwnMessage | ReplyMessage]":
        """What is drawn, oldest first."""
        return list(self._widgets)

    def scroll_to_end(self) -> None:
        """Go to the newest words and stay there."""
        self._at_end = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def show_earlier(self) -> None:
        """Draw one more page of older messages, without moving what is being read."""
        first = max(0, self._first_drawn - PAGE)
        below = self.verticalScrollBar().maximum() - self.verticalScrollBar().value()
        for index, message in enumerate(self._messages[first : self._first_drawn]):
            widget = self._make_widget(message)
            self._widgets.insert(index, widget)
            self._column.insertWidget(index + 1, widget)
        self._first_drawn = first
        self._earlier.setVisible(first > 0)
        self._holder.adjustSize()
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum() - below)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the button at its corner."""
        super().resizeEvent(event)
        self._to_end.move((self.width() - self._to_end.width()) // 2, self.height() - self._to_end.height() - 8)

    def _make_column(self) -> None:
        self._holder = QWidget()
        self._holder.setObjectName("conversation")
        inner = QWidget()
        inner.setMaximumWidth(MESSAGE_WIDTH)
        row = QHBoxLayout(self._holder)
        row.setContentsMargins(12, 20, 2, 12)
        row.addStretch(1)
        row.addWidget(inner, 1000)
        row.addStretch(1)
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(20)
        self._earlier = Button(self.tr("Show earlier messages"), kind="link")
        self._earlier.clicked.connect(self.show_earlier)
        self._earlier.hide()
        self._column.addWidget(self._earlier, 0, Qt.AlignmentFlag.AlignHCenter)
        self._column.addStretch(1)
        self.setWidget(self._holder)

    def _clear(self) -> None:
        for widget in self._widgets:
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._widgets = []
        self._messages = []

    def _append_widget(self, message: ShownMessage) -> None:
        widget = self._make_widget(message)
        self._widgets.append(widget)
        self._column.insertWidget(self._column.count() - 1, widget)

    def _make_widget(self, message: ShownMessage) -> "OwnMessage | ReplyMessage":
        from desktop.ui.pages.chat.message import OwnMessage, ReplyMessage  # markdown is not needed for a first paint

        if message.is_own:
            return OwnMessage(message)
        reply = ReplyMessage(message)
        reply.regenerate_requested.connect(self.regenerate_requested)
        reply.continue_requested.connect(self.continue_requested)
        reply.version_wanted.connect(self.version_wanted)
        return reply

    def _on_scrolled(self, value: int) -> None:
        self._at_end = value >= self.verticalScrollBar().maximum() - _NEAR_END
        self._to_end.setVisible(not self._at_end)

    def _on_range_changed(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)
        if self._at_end:
            self.verticalScrollBar().setValue(high)
        else:
            self._to_end.setVisible(high > self.verticalScrollBar().value() + _NEAR_END)
