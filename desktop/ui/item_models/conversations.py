"""Conversations for the sidebar, under the day they were last used."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

ID_ROLE = Qt.ItemDataRole.UserRole + 1
HEADING_ROLE = Qt.ItemDataRole.UserRole + 2

Index = QModelIndex | QPersistentModelIndex


class ConversationRow(NamedTuple):
    """One conversation; `updated` in seconds since 1970."""

    id: str
    title: str
    updated: float


class _Row(NamedTuple):
    text: str
    conversation_id: str = ""


class ConversationListModel(QAbstractListModel):
    """Headings (without an id, not selectable) and conversations, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_Row] = []

    def set_conversations(self, conversations: Sequence[ConversationRow], *, today: date | None = None) -> None:
        """Show `conversations`, which come newest first."""
        now = today or datetime.now().astimezone().date()
        self.beginResetModel()
        self._rows = []
        heading = ""
        for conversation in conversations:
            day = datetime.fromtimestamp(conversation.updated).astimezone().date()
            wanted = self._heading(day, now)
            if wanted != heading:
                heading = wanted
                self._rows.append(_Row(heading))
            self._rows.append(_Row(conversation.title or self.tr("New chat"), conversation.id))
        self.endResetModel()

    def row_of(self, conversation_id: str) -> int:
        """The row of a conversation, -1 when it is not shown."""
        return next(
            (i for i, row in enumerate(self._rows) if conversation_id and row.conversation_id == conversation_id), -1
        )

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        """Headings and conversations together."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, id, or whether the row is a heading."""
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row.text
        if role == ID_ROLE:
            return row.conversation_id
        if role == HEADING_ROLE:
            return not row.conversation_id
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Headings cannot be chosen."""
        if not self._rows[index.row()].conversation_id:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    def _heading(self, day: date, today: date) -> str:
        if day >= today:
            return self.tr("Today")
        return self.tr("Yesterday") if day == today - timedelta(days=1) else self.tr("Earlier")
