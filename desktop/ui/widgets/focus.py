"""Where the keyboard is: it goes through a page as the eye does, and is not lost with what is hidden."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLayout, QScrollArea, QWidget


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
    """Let Tab go through what is shown of `page` in the order of its layouts; Qt's own is that in which it was made."""
    stops = [each for each in _in_layout(page) if each.focusPolicy() & Qt.FocusPolicy.TabFocus]
    for first, second in pairwise(stops):
        QWidget.setTabOrder(first, second)


def _in_layout(widget: QWidget) -> Iterator[QWidget]:
    if widget.isHidden():
        return
    yield widget
    layout = widget.layout()
    if layout is not None:
        yield from _of_layout(layout)
    elif isinstance(widget, QScrollArea) and (body := widget.widget()) is not None:
        yield from _in_layout(body)


def _of_layout(layout: QLayout) -> Iterator[QWidget]:
    for place in range(layout.count()):
        item = layout.itemAt(place)
        inner = item.layout() if item is not None else None
        if inner is not None:
            yield from _of_layout(inner)
        elif item is not None and (widget := item.widget()) is not None:
            yield from _in_layout(widget)
