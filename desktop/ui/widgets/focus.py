"""Where the keyboard is: it goes through a page as the eye does, and is not lost with what is hidden."""

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget


def focus_inside(holder: QWidget) -> QWidget | None:
    """The widget inside `holder`, or itself, that the keyboard is at."""
    focused = QApplication.focusWidget()
    inside = focused is not None and (focused is holder or holder.isAncestorOf(focused))
    return focused if inside else None


def pass_focus_on(leaving: QWidget, to: Callable[[], None]) -> None:
    """Call `to`, which focuses something near, if the keyboard is inside `leaving`, which will be hidden now.

    Qt would give the focus to whatever comes next, and scroll the page there.
    """
    if focus_inside(leaving) is not None:
        to()


def order_tabs(page: QWidget) -> None:
    """Let Tab go through what is shown of `page` as one reads; Qt's own order is that in which it was made.

    By places, not by layouts: a Python object for an item of a layout outlives the item, and the program crashes when
    the layout goes (PySide6 6.11).
    """
    shown = (each for each in page.findChildren(QWidget) if each.isVisibleTo(page))
    stops = [(_place(each, page), each) for each in shown if each.focusPolicy() & Qt.FocusPolicy.TabFocus]
    for first, second in pairwise(_as_read(stops)):
        QWidget.setTabOrder(first, second)


def _place(widget: QWidget, page: QWidget) -> QRect:
    """Where it is on the page, as if nothing were scrolled."""
    corner, each = QPoint(0, 0), widget
    while each is not page and (holder := each.parentWidget()) is not None:
        area = holder.parentWidget()
        if not (isinstance(area, QScrollArea) and area.viewport() is holder):
            corner += each.pos()
        each = holder
    return QRect(corner, widget.size())


def _as_read(stops: list[tuple[QRect, QWidget]]) -> list[QWidget]:
    """Line by line from above, each from the left. What has its middle beside the first of a line is in that line."""
    lines: list[list[tuple[QRect, QWidget]]] = []
    for place, widget in sorted(stops, key=lambda stop: (stop[0].top(), stop[0].left())):
        if lines and place.center().y() <= lines[-1][0][0].bottom():
            lines[-1].append((place, widget))
        else:
            lines.append([(place, widget)])
    return [widget for line in lines for _, widget in sorted(line, key=lambda stop: stop[0].left())]
