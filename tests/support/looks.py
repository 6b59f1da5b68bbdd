"""What holds for every widget of the window: a name where the keyboard stops, plain text, and room enough."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTableView,
    QWidget,
)

from desktop.ui.widgets.labels import ElidedLabel

W = TypeVar("W", bound=QWidget)


def focusable(page: QWidget) -> list[QWidget]:
    """Widgets that take the focus by Tab; what Qt makes for itself is left out."""
    return [
        widget
        for widget in page.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.isHidden()
        and not widget.objectName().startswith("qt_")
        and not _is_popup(widget.parent())
    ]


def nameless(page: QWidget) -> list[str]:
    """Widgets that take the focus by Tab and have neither words nor an accessible name."""
    return [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for widget in focusable(page)
        if not (widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text()))
    ]


def _is_popup(parent: QObject | None) -> bool:
    return parent is not None and parent.inherits("QComboBoxPrivateContainer")


def guessing(page: QWidget) -> list[str]:
    """Labels that would read their text as markup when it looks like it."""
    return [
        label.text()
        for label in page.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText and label.pixmap().isNull()
    ]


def clipped(page: QWidget) -> list[str]:
    """Words and controls that have less room than they need, or stand outside of what holds them."""
    return [_described(widget) for widget in page.findChildren(QWidget) if widget.isVisible() and _is_clipped(widget)]


def _is_clipped(widget: QWidget) -> bool:
    if not isinstance(widget, QLabel | QAbstractButton | QComboBox) or isinstance(widget, ElidedLabel):
        return False
    if isinstance(widget.parent(), QLineEdit) or _inside_view(widget):
        return False  # Qt's own arrangements
    needed = widget.minimumSizeHint()
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.height() < widget.heightForWidth(widget.width()) - 1
    return widget.width() < needed.width() - 1 or widget.height() < needed.height() - 1 or _stands_outside(widget)


def _stands_outside(widget: QWidget) -> bool:
    """Sideways only: a page may scroll down, never to the side."""
    holder = widget.parentWidget()
    while holder is not None and not isinstance(holder, QScrollArea) and not holder.isWindow():
        holder = holder.parentWidget()
    if holder is None:
        return False
    left = widget.mapTo(holder, QPoint(0, 0)).x()
    return left < 0 or left + widget.width() > holder.width() + 1


def _inside_view(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None:
        of_scrolling = isinstance(parent, QAbstractScrollArea) and not isinstance(parent, QScrollArea)
        if isinstance(parent, QTableView) or of_scrolling:
            return True
        parent = parent.parentWidget()
    return False


def _described(widget: QWidget) -> str:
    words = widget.text() if isinstance(widget, QLabel | QAbstractButton) else widget.accessibleName()
    return f"{type(widget).__name__} {words!r}: {widget.size().toTuple()} of {widget.minimumSizeHint().toTuple()}"


@contextmanager
def shown(made: W) -> Iterator[W]:
    """Show a view in the room that the smallest window leaves it, for as long as the block runs."""
    made.resize(844, 572)
    made.show()
    yield made
    made.close()
    made.deleteLater()
