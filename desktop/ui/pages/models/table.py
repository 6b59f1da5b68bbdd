"""The table of choices with its last column as a button: fetch it, or chat with it."""

from collections.abc import Iterable
from functools import partial
from typing import cast

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import QHeaderView, QMenu, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop.fit.types import Choice
from desktop.ui.icons import icon_pixmap
from desktop.ui.item_models.choices import (
    ACTION,
    CHOICE_ROLE,
    COMING_ROLE,
    DIGEST_ROLE,
    DOWNLOAD,
    MEMORY,
    MODEL,
    QUALITY,
    QUANTIZATION,
    SOURCE_ROLE,
    SPEED,
    VERDICT,
    ChoiceFilter,
    ChoiceTable,
)
from desktop.ui.theme import current_colours
from desktop.ui.widgets.pill import pill_size
from desktop.ui.widgets.table import ROW_HEIGHT, SHORT_ROLE, DataTable, PillDelegate

_ICON = 18
_ACTION_WIDTH = 48
_LEAST_NAME = 190
"""Pixels that a model's name is left."""
_USUAL_NAME = 270
"""Pixels up to which names are shown whole before less important columns give way."""
_GIVING_WAY = (QUALITY, DOWNLOAD, MEMORY)
"""Columns that are hidden where the window is narrow, the first one first."""
_AIR = 8
"""Pixels between columns, on top of the cells' own padding."""
_PADDING = 11
"""Pixels from a cell's edge to its text: the padding of snug.qss and the style's own margin."""
_LEAST_VERDICT = 140
"""Pixels of a verdict that is cut with an ellipsis; the tooltip has all of it."""
_ARROW = 16
"""Pixels of a heading for the arrow of the column that the rows are sorted by."""
_KEPT_WIDTHS = 4096
_RIGHT = Qt.AlignmentFlag.AlignRight


def source_font(font: QFont) -> QFont:
    """The small letters below a figure."""
    small = QFont(font)
    small.setPixelSize(11)
    return small


class NameDelegate(QStyledItemDelegate):
    """Paints the first column, with a mark at the row that the keyboard is at."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the cell, then the mark at its left edge."""
        super().paint(painter, option, index)
        table = cast("QWidget | None", option.widget)
        if table is not None and table.hasFocus() and option.state & QStyle.StateFlag.State_Selected:
            rect = option.rect
            mark = QRect(rect.left(), rect.top() + 6, 3, rect.height() - 12)
            painter.fillRect(mark, QColor(current_colours().accent))


class SourcedDelegate(QStyledItemDelegate):
    """Paints a figure, and below it in small letters where it comes from (SOURCE_ROLE)."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the row's background, then the two lines."""
        background = QStyleOptionViewItem(option)
        self.initStyleOption(background, index)
        figure, background.text = background.text, ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, background, painter, option.widget)
        colours = current_colours()
        room = QRect(option.rect).adjusted(_PADDING, 0, -_PADDING, 0)
        upper, lower = QRect(room), QRect(room)
        upper.setBottom(room.center().y() + 3)
        lower.setTop(room.center().y() + 4)
        painter.save()
        painter.setPen(QColor(colours.text))
        painter.drawText(upper, int(_RIGHT | Qt.AlignmentFlag.AlignBottom), figure)
        painter.setFont(source_font(option.font))
        painter.setPen(QColor(colours.muted))
        painter.drawText(lower, int(_RIGHT | Qt.AlignmentFlag.AlignTop), str(index.data(SOURCE_ROLE) or ""))
        painter.restore()


class ActionDelegate(QStyledItemDelegate):
    """Paints the icon of what a click does, or how far the download is that one has begun."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the row's background and the icon over it."""
        super().paint(painter, option, index)
        choice = cast("Choice", index.data(CHOICE_ROLE))
        colours = current_colours()
        if coming := str(index.data(COMING_ROLE) or ""):
            painter.save()
            painter.setFont(source_font(option.font))
            painter.setPen(QColor(colours.accent))
            painter.drawText(option.rect, int(Qt.AlignmentFlag.AlignCenter), coming)
            painter.restore()
            return
        if not choice.can_run:
            return
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        picture = icon_pixmap(
            "chat" if choice.installed else "download",
            colours.accent if over or choice.installed else colours.text,
            _ICON,
            painter.device().devicePixelRatioF(),
        )
        painter.drawPixmap(option.rect.center().x() - _ICON // 2, option.rect.center().y() - _ICON // 2, picture)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Room for the icon."""
        return QSize(_ACTION_WIDTH, ROW_HEIGHT)


class ChoicesView(DataTable):
    """Every row at its full height: the page scrolls, not the table. Enter does what the last column shows."""

    chosen = Signal(object)
    row_reached = Signal(QRect)
    """The keyboard is at a row; its rectangle in this widget, for the page to scroll to."""

    def __init__(self, name: str, *, of_files: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._widths: dict[tuple[str, bool], int] = {}
        self.choices = ChoiceTable(self, of_files=of_files)
        self.filter = ChoiceFilter(self)
        self.filter.setSourceModel(self.choices)
        self.setModel(self.filter)
        self.setSortingEnabled(True)
        self.filter.sort(-1)
        self.setItemDelegateForColumn(MODEL, NameDelegate(self))
        self.setItemDelegateForColumn(MEMORY, SourcedDelegate(self))
        self.setItemDelegateForColumn(VERDICT, PillDelegate(self))
        self.setItemDelegateForColumn(ACTION, ActionDelegate(self))
        self.setMouseTracking(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._set_up_header()
        self.clicked.connect(self._on_clicked)
        for changed in (self.filter.rowsInserted, self.filter.rowsRemoved, self.filter.modelReset):
            changed.connect(self._fit)
        self.filter.dataChanged.connect(self._on_data_changed)
        self.selectionModel().currentRowChanged.connect(self._on_row_changed)

    def _set_up_header(self) -> None:
        header = self.horizontalHeader()
        header.setMinimumSectionSize(_ACTION_WIDTH)
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(True)  # the third click returns to the ranking
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter starts the chat or the download of the current row; Home and End go to the first and the last one."""
        key, current = event.key(), self.currentIndex()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and current.isValid():
            if not event.isAutoRepeat():
                self._choose(current)
        elif event.matches(QKeySequence.StandardKey.Copy) and current.isValid():
            self._copy(self.text_of(current))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self.filter.rowCount():
            self.selectRow(0 if key == Qt.Key.Key_Home else self.filter.rowCount() - 1)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What else may be done with the row; the keyboard's menu key asks for the current one."""
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        index = self.indexAt(event.pos()) if by_mouse else self.currentIndex()
        if index.isValid():
            below = self.visualRect(index).bottomLeft()
            self.menu_of(index).popup(event.globalPos() if by_mouse else self.viewport().mapToGlobal(below))

    def menu_of(self, index: QModelIndex) -> QMenu:
        """What else may be done with a row; the menu deletes itself."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Copy this row"), partial(self._copy, self.text_of(index)))
        digest = str(index.data(DIGEST_ROLE) or "")
        if digest:
            menu.addAction(self.tr("Copy SHA-256"), partial(self._copy, digest))
        self._add_sorting(menu.addMenu(self.tr("Sort by")))
        return menu

    def _add_sorting(self, menu: QMenu) -> None:
        """What a click on a heading does, for the keyboard."""
        header, ascending = self.horizontalHeader(), Qt.SortOrder.AscendingOrder
        menu.addAction(self.tr("What is best here"), partial(header.setSortIndicator, -1, ascending))
        for column in range(MODEL, ACTION):
            if not self.isColumnHidden(column):
                heading = str(self.choices.headerData(column, Qt.Orientation.Horizontal))
                menu.addAction(heading, partial(header.setSortIndicator, column, ascending))

    def text_of(self, index: QModelIndex) -> str:
        """All words of a row, for the clipboard: nothing in a table can be selected by its letters."""
        cells = (index.siblingAtColumn(column).data() for column in range(MODEL, ACTION))
        return "\t".join(cells)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show at once where the keyboard is."""
        super().focusInEvent(event)
        keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if keyboard and not self.currentIndex().isValid() and self.filter.rowCount():
            self.selectRow(0)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A hand over what can be clicked."""
        super().mouseMoveEvent(event)
        over_action = self.indexAt(event.position().toPoint()).column() == ACTION
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over_action else Qt.CursorShape.ArrowCursor)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share out the new width."""
        super().resizeEvent(event)
        self._fit_columns()

    def changeEvent(self, event: QEvent) -> None:
        """Follow a new font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._widths.clear()
            self._fit()

    def _fit(self) -> None:
        header = max(self.horizontalHeader().sizeHint().height(), 36)
        self.setFixedHeight(header + self.filter.rowCount() * ROW_HEIGHT + 4)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Every column as wide as it needs, the name takes the rest; too narrow, and columns give way in order."""
        room = self.viewport().width()
        wanted = {column: self._wanted_width(column) for column in range(QUANTIZATION, VERDICT + 1)}
        wanted[ACTION] = _ACTION_WIDTH
        short = self._widest(VERDICT, (self._short_verdict(row) for row in range(self.choices.rowCount())))
        hidden: set[int] = set()
        name = min(self._wanted_width(MODEL), _USUAL_NAME)
        for column in _GIVING_WAY:
            # Memory is worth more than long names and long verdicts, whose tooltips have all of their words.
            least_name, least_verdict = (_LEAST_NAME, _LEAST_VERDICT) if column == MEMORY else (name, short)
            if room - sum(wanted.values()) + wanted[VERDICT] - min(wanted[VERDICT], least_verdict) >= least_name:
                break
            hidden.add(column)
            del wanted[column]
        left = room - sum(wanted.values()) + wanted[VERDICT]
        least_verdict = max(_LEAST_VERDICT, min(short, left - _LEAST_NAME))
        wanted[VERDICT] = min(wanted[VERDICT], max(least_verdict, left - name))
        for column in (QUANTIZATION, DOWNLOAD, MEMORY, SPEED, QUALITY, VERDICT, ACTION):
            self.setColumnHidden(column, column in hidden)
            if column in wanted:
                self.setColumnWidth(column, wanted[column])
        self.setColumnWidth(MODEL, max(_LEAST_NAME, room - sum(wanted.values())))

    def _wanted_width(self, column: int) -> int:
        """As wide as the widest cell. Measured here: Qt would ask the model ten questions for each cell."""
        cells = self._widest(column, (self.choices.text(row, column) for row in range(self.choices.rowCount())))
        heading = str(self.choices.headerData(column, Qt.Orientation.Horizontal) or "")
        return max(cells, self.fontMetrics().horizontalAdvance(heading) + 2 * _PADDING + _ARROW)

    def _widest(self, column: int, texts: Iterable[str]) -> int:
        return max((self._width(text, column) for text in set(texts)), default=0) + 2 * _PADDING + _AIR

    def _short_verdict(self, row: int) -> str:
        return str(self.choices.index(row, VERDICT).data(SHORT_ROLE))

    def _width(self, text: str, column: int) -> int:
        """Pixels of a text; measured once, for prices change while a slider moves and most words do not."""
        key = (text, column == VERDICT)
        if key not in self._widths:
            if len(self._widths) > _KEPT_WIDTHS:
                self._widths.clear()
            if column == VERDICT:
                self._widths[key] = pill_size(text, "tight", self.font()).width() - _PADDING
            else:
                self._widths[key] = self.fontMetrics().horizontalAdvance(text)
        return self._widths[key]

    def _on_data_changed(self, first: QModelIndex) -> None:
        if first.column() != ACTION:  # whose width is fixed: a download that goes on moves nothing
            self._fit_columns()

    def _on_row_changed(self, current: QModelIndex) -> None:
        if current.isValid():
            self.row_reached.emit(self.visualRect(current).translated(self.viewport().pos()))

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == ACTION:
            self._choose(index)

    def _choose(self, index: QModelIndex) -> None:
        choice = cast("Choice", index.data(CHOICE_ROLE))
        if choice.can_run:
            self.chosen.emit(choice)
