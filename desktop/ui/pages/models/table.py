"""The table of choices with its last column as a button: fetch it, or chat with it."""

from typing import cast

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop.fit.types import Choice
from desktop.ui.icons import icon_pixmap
from desktop.ui.item_models.choices import ACTION, CHOICE_ROLE, MODEL, QUALITY, VERDICT, ChoiceFilter, ChoiceTable
from desktop.ui.theme import current_colours
from desktop.ui.widgets.table import ROW_HEIGHT, DataTable, PillDelegate

_ICON = 18


class ActionDelegate(QStyledItemDelegate):
    """Paints the icon of what a click does."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the row's background and the icon over it."""
        super().paint(painter, option, index)
        choice = cast("Choice", index.data(CHOICE_ROLE))
        if choice.verdict == "does_not_fit":
            return
        name, colours = ("chat" if choice.installed else "download"), current_colours()
        picture = icon_pixmap(name, colours.text, _ICON, painter.device().devicePixelRatioF())
        painter.drawPixmap(option.rect.center().x() - _ICON // 2, option.rect.center().y() - _ICON // 2, picture)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Room for the icon."""
        return QSize(44, ROW_HEIGHT)


class ChoicesView(DataTable):
    """Every row at its full height: the page scrolls, not the table."""

    chosen = Signal(object)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.choices = ChoiceTable(self)
        self.filter = ChoiceFilter(self)
        self.filter.setSourceModel(self.choices)
        self.setModel(self.filter)
        self.setSortingEnabled(True)
        self.filter.sort(-1)
        self.setItemDelegateForColumn(VERDICT, PillDelegate(self))
        self.setItemDelegateForColumn(ACTION, ActionDelegate(self))
        self.setMouseTracking(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._set_up_header()
        self.activated.connect(self._on_activated)
        self.clicked.connect(self._on_clicked)
        for changed in (self.filter.rowsInserted, self.filter.rowsRemoved, self.filter.modelReset):
            changed.connect(self._fit_height)

    def _set_up_header(self) -> None:
        header = self.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        for column in range(MODEL, ACTION + 1):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(MODEL, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(QUALITY, QHeaderView.ResizeMode.ResizeToContents)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A hand over what can be clicked."""
        super().mouseMoveEvent(event)
        over_action = self.indexAt(event.position().toPoint()).column() == ACTION
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over_action else Qt.CursorShape.ArrowCursor)

    def changeEvent(self, event: QEvent) -> None:
        """Follow a new font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit_height()

    def _fit_height(self) -> None:
        header = max(self.horizontalHeader().sizeHint().height(), 36)
        self.setFixedHeight(header + self.filter.rowCount() * ROW_HEIGHT + 4)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == ACTION:
            self._on_activated(index)

    def _on_activated(self, index: QModelIndex) -> None:
        choice = cast("Choice", index.data(CHOICE_ROLE))
        if choice.verdict != "does_not_fit":
            self.chosen.emit(choice)
