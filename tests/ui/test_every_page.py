"""What holds on every page: nothing is clipped, everything has a name, and no label reads markup."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTableView,
    QWidget,
)

from desktop.ui.main_window import SMALLEST, MainWindow
from desktop.ui.page_list import PAGES
from desktop.ui.shell import Shell
from desktop.ui.widgets.labels import ElidedLabel

NAMES = [entry.name for entry in PAGES]


@pytest.fixture
def window(styled: QApplication) -> Iterator[MainWindow]:
    made = MainWindow(pages=PAGES, shell=Shell())
    made.resize(SMALLEST)
    yield made
    made.close()
    made.deleteLater()


def show(window: MainWindow, name: str) -> QWidget:
    window.show_page(name)
    window.show()
    for _ in range(3):
        QApplication.processEvents()
    return window.view(name)


def focusable(window: MainWindow) -> list[QWidget]:
    return [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.isHidden()
        and not widget.objectName().startswith("qt_")
        and not _in_a_popup(widget)
    ]


def _in_a_popup(widget: QWidget) -> bool:
    parent = widget.parent()
    return parent is not None and parent.inherits("QComboBoxPrivateContainer")


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_takes_the_focus_has_a_name(window: MainWindow, name: str) -> None:
    show(window, name)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for widget in focusable(window)
        if not (widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text()))
    ]
    assert nameless == []


@pytest.mark.parametrize("name", NAMES)
def test_labels_show_their_text_as_it_is_written(window: MainWindow, name: str) -> None:
    show(window, name)
    guessing = [
        label.text()
        for label in window.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText and label.pixmap().isNull()
    ]
    assert guessing == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_clipped_in_the_smallest_window(window: MainWindow, name: str) -> None:
    show(window, name)
    assert (window.width(), window.height()) == (SMALLEST.width(), SMALLEST.height())
    clipped = [_described(widget) for widget in window.findChildren(QWidget) if widget.isVisible() and _clipped(widget)]
    assert clipped == []


def _clipped(widget: QWidget) -> bool:
    """Whether a word or a control has less room than it needs, or stands outside of what holds it."""
    if not isinstance(widget, QLabel | QAbstractButton | QComboBox) or isinstance(widget, ElidedLabel):
        return False
    if isinstance(widget.parent(), QLineEdit) or _inside_table(widget):
        return False  # Qt's own arrangements
    needed = widget.minimumSizeHint()
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.height() < widget.heightForWidth(widget.width()) - 1
    if widget.width() < needed.width() - 1 or widget.height() < needed.height() - 1:
        return True
    return _outside(widget)


def _outside(widget: QWidget) -> bool:
    """Sideways only: a page may scroll down, never to the side."""
    holder = widget.parentWidget()
    while holder is not None and not isinstance(holder, QScrollArea | MainWindow):
        holder = holder.parentWidget()
    if holder is None:
        return False
    left = widget.mapTo(holder, QPoint(0, 0)).x()
    return left < 0 or left + widget.width() > holder.width() + 1


def _inside_table(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QTableView) or (
            isinstance(parent, QAbstractScrollArea) and not isinstance(parent, QScrollArea)
        ):
            return True
        parent = parent.parentWidget()
    return False


def _described(widget: QWidget) -> str:
    words = widget.text() if isinstance(widget, QLabel | QAbstractButton) else widget.accessibleName()
    return f"{type(widget).__name__} {words!r}: {widget.size().toTuple()} of {widget.minimumSizeHint().toTuple()}"


@pytest.mark.parametrize("name", NAMES)
def test_tab_goes_all_the_way_round(window: MainWindow, name: str) -> None:
    """Following the focus chain comes back to where it began, so there is no trap."""
    view = show(window, name)
    start = next(widget for widget in focusable(window) if view.isAncestorOf(widget))
    seen = [start]
    widget = start.nextInFocusChain()
    while widget is not None and widget is not start:
        seen.append(widget)
        assert len(seen) < 3000
        widget = widget.nextInFocusChain()
    assert widget is start
    assert len(seen) > 3


def test_the_panels_fold_and_the_window_stays_whole(window: MainWindow) -> None:
    from desktop.ui.pages.chat.view import ChatView

    view = show(window, "chat")
    assert isinstance(view, ChatView)
    assert view.sidebar.isVisible()
    assert not view.inspector.isVisible()
    view.header.inspector_toggled.emit()
    QApplication.processEvents()
    assert view.inspector.isVisible()
    assert not view.sidebar.isVisible()
    assert window.width() == SMALLEST.width()
    view.header.sidebar_toggled.emit()
    QApplication.processEvents()
    assert view.sidebar.isVisible()
    assert window.width() == SMALLEST.width()


def test_a_page_of_another_version_is_not_missed(window: MainWindow) -> None:
    window.show_page("nonsense")
    assert window.current_page == NAMES[0]
