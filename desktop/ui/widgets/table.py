"""A table in the look of the window, and a delegate that paints verdicts as pills."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from desktop.ui.widgets.pill import PillKind, paint_pill, pill_size

ROW_HEIGHT = 44
"""Pixels."""
_INSET = 11
"""Pixels from a cell's edge to its text: the padding of snug.qss and the style's own margin."""
VERDICT_ROLE = Qt.ItemDataRole.UserRole + 1
"""A model gives the kind of a pill (PillKind) under this role, its words under DisplayRole."""

SHORT_ROLE = Qt.ItemDataRole.UserRole + 6
"""Fewer words for a pill that has too little room for those under DisplayRole; the same where there are none."""


class DataTable(QTableView):
    """Rows that are chosen as a whole, without a grid; `name` is read to who cannot see the table."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)


class PillDelegate(QStyledItemDelegate):
    """Paints a cell as a pill: words from DisplayRole or SHORT_ROLE, kind from VERDICT_ROLE."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the row's background, then the pill over it."""
        background = QStyleOptionViewItem(option)
        self.initStyleOption(background, index)
        text, background.text = background.text, ""
        style = option.widget.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, background, painter, option.widget)
        if not text:
            return
        kind: PillKind = index.data(VERDICT_ROLE) or "neutral"
        room = option.rect.width() - _INSET - 4
        if pill_size(text, kind, option.font).width() > room:
            text = str(index.data(SHORT_ROLE) or text)
        size = pill_size(text, kind, option.font)
        width = min(size.width(), room)
        top = option.rect.center().y() - size.height() / 2 + 0.5
        paint_pill(painter, QRectF(option.rect.left() + _INSET, top, width, size.height()), text, kind)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """As wide as the pill and a little air."""
        size = pill_size(str(index.data() or ""), index.data(VERDICT_ROLE) or "neutral", option.font)
        return QSize(size.width() + _INSET + 4, ROW_HEIGHT)
