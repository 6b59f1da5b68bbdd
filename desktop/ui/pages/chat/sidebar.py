"""The conversations: a new one, a search, and the list."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QFont, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from desktop.ui.icons import icon
from desktop.ui.item_models.conversations import HEADING_ROLE, ID_ROLE, ConversationListModel, ConversationRow
from desktop.ui.theme import current_colours
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel

WIDTH = 248
"""Pixels."""
_SEARCH_PAUSE = 200
"""Milliseconds without typing before a search."""


class _Delegate(QStyledItemDelegate):
    """Headings small and quiet; titles cut at their end."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        if not index.data(HEADING_ROLE):
            super().paint(painter, option, index)
            return
        painter.save()
        font = QFont(option.font)
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QColor(current_colours().faint))
        rect = option.rect.adjusted(8, 0, -8, -4)
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom), str(index.data()))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(0, 34)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight
        if option.state & option.state.State_Selected:
            option.palette.setColor(QPalette.ColorRole.HighlightedText, QColor(current_colours().text))


class Sidebar(QFrame):
    """Signals carry conversation ids."""

    new_chat_requested = Signal()
    conversation_chosen = Signal(str)
    rename_requested = Signal(str)
    delete_requested = Signal(str)
    search_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setFixedWidth(WIDTH)
        self._chosen = ""
        self._new = Button(self.tr("New chat"), kind="left", icon_name="plus")
        self._new.clicked.connect(self.new_chat_requested)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search all chats"))
        self.search.setAccessibleName(self.tr("Search all chats"))
        self.search.setClearButtonEnabled(True)
        self._search_action = QAction(self)
        self.search.addAction(self._search_action, QLineEdit.ActionPosition.LeadingPosition)
        self._model = ConversationListModel(self)
        self.list = self._make_list()
        self._empty = PlainLabel("", tone="muted", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_SEARCH_PAUSE)
        self._pause.timeout.connect(lambda: self.search_changed.emit(self.search.text()))
        self.search.textEdited.connect(lambda _text: self._pause.start())
        self.search.textChanged.connect(self._on_search_cleared)
        self._lay_out()
        self._refresh_icon()

    def set_conversations(self, conversations: list[ConversationRow]) -> None:
        """Show them, newest first."""
        self._model.set_conversations(conversations)
        self.set_chosen(self._chosen)
        self._empty.setVisible(not conversations)
        self.list.setVisible(bool(conversations))
        searching = bool(self.search.text())
        self._empty.setText(self.tr("Nothing was found.") if searching else self.tr("Your chats will be listed here."))

    def set_chosen(self, conversation_id: str) -> None:
        """Mark the conversation that is open, "" for none."""
        self._chosen = conversation_id
        row = self._model.row_of(conversation_id)
        selection = self.list.selectionModel()
        selection.blockSignals(True)
        if row < 0:
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())
        else:
            self.list.setCurrentIndex(self._model.index(row))
        selection.blockSignals(False)
        self.list.viewport().update()

    def titles(self) -> list[str]:
        """The rows as they are read, headings included."""
        return [str(self._model.index(row).data()) for row in range(self._model.rowCount())]

    def _make_list(self) -> QListView:
        view = QListView()
        view.setObjectName("conversations")
        view.setAccessibleName(self.tr("Conversations"))
        view.setModel(self._model)
        view.setItemDelegate(_Delegate(view))
        view.setFrameShape(QFrame.Shape.NoFrame)
        view.setUniformItemSizes(True)
        view.setSpacing(0)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu_requested)
        view.selectionModel().currentChanged.connect(self._on_current_changed)
        return view

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 12, 11, 12)
        column.setSpacing(10)
        column.addWidget(self._new)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addWidget(self._empty, 1)
        self.list.hide()

    def changeEvent(self, event: object) -> None:
        """Follow the theme."""
        super().changeEvent(event)  # type: ignore[arg-type]
        if hasattr(self, "_search_action"):
            self._refresh_icon()

    def _refresh_icon(self) -> None:
        self._search_action.setIcon(icon("search", current_colours().muted))

    def _on_search_cleared(self, text: str) -> None:
        if not text:
            self._pause.stop()
            self.search_changed.emit("")

    def _on_current_changed(self, index: QModelIndex) -> None:
        conversation_id = index.data(ID_ROLE) if index.isValid() else ""
        if conversation_id and conversation_id != self._chosen:
            self._chosen = conversation_id
            self.conversation_chosen.emit(conversation_id)

    def _on_menu_requested(self, position: QPoint) -> None:
        index = self.list.indexAt(position)
        conversation_id = index.data(ID_ROLE) if index.isValid() else ""
        if not conversation_id:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename …"), lambda: self.rename_requested.emit(conversation_id))
        menu.addAction(self.tr("Delete"), lambda: self.delete_requested.emit(conversation_id))
        rect: QRect = self.list.visualRect(index)
        menu.popup(self.list.viewport().mapToGlobal(position if rect.contains(position) else rect.center()))
