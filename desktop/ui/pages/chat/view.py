"""The chat page: setters in, signals out."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QStackedLayout, QVBoxLayout, QWidget

from desktop.ui.pages.chat.composer import Composer, ContextMeter
from desktop.ui.pages.chat.header import ChatHeader
from desktop.ui.pages.chat.inspector import Inspector
from desktop.ui.pages.chat.message_list import MessageList
from desktop.ui.pages.chat.shown import ShownMessage
from desktop.ui.pages.chat.sidebar import Sidebar
from desktop.ui.theme import MESSAGE_WIDTH
from desktop.ui.widgets.page import EmptyState

_ROOM_FOR_INSPECTOR = 1040
"""Pixels: a narrower page folds the inspector by itself, so that nothing is clipped at 900 x 600."""


class ChatView(QWidget):
    """Assembles the parts; the controller talks to them through this class and its public parts."""

    message_sent = Signal(str)
    stop_requested = Signal()
    regenerate_requested = Signal(str)
    continue_requested = Signal(str)
    new_chat_requested = Signal()
    renamed = Signal(str, str)
    folds_changed = Signal(bool, bool)
    """Whether the person wants the sidebar and the inspector folded."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._busy = False
        self._sidebar_folded = False
        self._inspector_folded = False
        self.sidebar = Sidebar()
        self.header = ChatHeader()
        self.messages = MessageList()
        self.meter = ContextMeter()
        self.composer = Composer()
        self.inspector = Inspector()
        self.empty = EmptyState(
            self.tr("What is on your mind?"),
            self.tr("Write below. Everything that is said here stays on this machine."),
        )
        self._titles: dict[str, str] = {}
        self._lay_out()
        self._connect()
        self._add_shortcuts()
        self.set_messages(())
        self.meter.set_values(used=0, next_reply=0, total=0, words="")

    def set_messages(self, messages: Sequence[ShownMessage]) -> None:
        """Show a conversation; an empty one says what to do."""
        self.messages.set_messages(messages)
        self._show_conversation(bool(messages))

    def add_message(self, message: ShownMessage) -> None:
        """Append a message."""
        self._show_conversation(True)
        self.messages.add_message(message)

    def set_busy(self, busy: bool) -> None:
        """Whether a reply is coming: then it can be stopped."""
        self._busy = busy
        self.composer.set_busy(busy)

    def is_busy(self) -> bool:
        """Whether a reply is coming."""
        return self._busy

    def set_folds(self, *, sidebar: bool, inspector: bool) -> None:
        """Fold what the person folded last time."""
        self._sidebar_folded, self._inspector_folded = sidebar, inspector
        self._apply_folds()

    def ask_for_title(self, conversation_id: str, title: str) -> None:
        """Ask for another title; the answer comes as `renamed`."""
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self.tr("Rename chat"))
        dialog.setLabelText(self.tr("Title"))
        dialog.setTextValue(title)
        dialog.textValueSelected.connect(lambda text: self.renamed.emit(conversation_id, text))
        dialog.open()

    def focus_composer(self) -> None:
        """Put the cursor where the next message is written."""
        self.composer.edit.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold the inspector where there is no room for it."""
        super().resizeEvent(event)
        self._apply_folds()

    def _lay_out(self) -> None:
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.header)
        place = QWidget(self)
        self._place = QStackedLayout(place)  # without a widget it would show its first page as a window of its own
        holder = QWidget()
        centre = QVBoxLayout(holder)
        centre.addStretch(2)
        centre.addWidget(self.empty, 0, Qt.AlignmentFlag.AlignHCenter)
        centre.addStretch(3)
        self._place.addWidget(holder)
        self._place.addWidget(self.messages)
        middle.addWidget(place, 1)
        middle.addLayout(self._make_foot())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addLayout(middle, 1)
        row.addWidget(self.inspector)

    def _make_foot(self) -> QHBoxLayout:
        inner = QWidget()
        inner.setMaximumWidth(MESSAGE_WIDTH)
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 4, 0, 14)
        column.setSpacing(8)
        column.addWidget(self.meter)
        column.addWidget(self.composer)
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 12, 0)
        foot.addStretch(1)
        foot.addWidget(inner, 1000)
        foot.addStretch(1)
        return foot

    def _connect(self) -> None:
        self.composer.message_sent.connect(self.message_sent)
        self.composer.stop_requested.connect(self.stop_requested)
        self.messages.regenerate_requested.connect(self.regenerate_requested)
        self.messages.continue_requested.connect(self.continue_requested)
        self.sidebar.new_chat_requested.connect(self.new_chat_requested)
        self.header.sidebar_toggled.connect(self._on_sidebar_toggled)
        self.header.inspector_toggled.connect(self._on_inspector_toggled)

    def _add_shortcuts(self) -> None:
        for keys, slot in (
            ("Ctrl+N", self.new_chat_requested.emit),
            ("Ctrl+B", self._on_sidebar_toggled),
            ("Ctrl+.", self._on_inspector_toggled),
            ("Ctrl+Shift+F", self._on_search),
            ("Ctrl+Shift+R", self._on_regenerate),
            ("Alt+Return", self._on_continue),
            ("Esc", self._on_escape),
        ):
            QShortcut(QKeySequence(keys), self, slot)

    def _show_conversation(self, shown: bool) -> None:
        self._place.setCurrentIndex(1 if shown else 0)

    def _apply_folds(self) -> None:
        self.sidebar.setVisible(not self._sidebar_folded)
        self.inspector.setVisible(not self._inspector_folded and self._has_room())

    def _has_room(self) -> bool:
        saved = self.sidebar.width() if self._sidebar_folded else 0
        return self.width() + saved >= _ROOM_FOR_INSPECTOR

    def _on_sidebar_toggled(self) -> None:
        if not self._sidebar_folded and self.search_has_text():
            self.sidebar.search.clear()
        self._sidebar_folded = not self._sidebar_folded
        self._apply_folds()
        self.folds_changed.emit(self._sidebar_folded, self._inspector_folded)

    def _on_inspector_toggled(self) -> None:
        if self.inspector.isVisible():
            self._inspector_folded = True
        else:
            self._inspector_folded = False
            if not self._has_room():
                self._sidebar_folded = True  # one of the two has to give way in a narrow window
        self._apply_folds()
        if not self._inspector_folded:
            self.inspector.show()
        self.folds_changed.emit(self._sidebar_folded, self._inspector_folded)

    def search_has_text(self) -> bool:
        """Whether the list is narrowed by a search."""
        return bool(self.sidebar.search.text())

    def _on_search(self) -> None:
        if self._sidebar_folded:
            self._on_sidebar_toggled()
        self.sidebar.search.setFocus()
        self.sidebar.search.selectAll()

    def _on_regenerate(self) -> None:
        last = self.messages.last_reply()
        if last is not None and not self._busy:
            self.regenerate_requested.emit(last.message.id)

    def _on_continue(self) -> None:
        last = self.messages.last_reply()
        if last is not None and last.message.can_continue and not self._busy:
            self.continue_requested.emit(last.message.id)

    def _on_escape(self) -> None:
        if self._busy:
            self.stop_requested.emit()
        else:
            self.focus_composer()
