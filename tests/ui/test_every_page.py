"""What holds on every page: nothing is clipped, everything has a name, and no label reads markup."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from desktop.ui.main_window import SMALLEST, MainWindow
from desktop.ui.page_list import PAGES, PageEntry
from desktop.ui.shell import Shell
from tests.support.looks import clipped, focusable, guessing, nameless

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


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_takes_the_focus_has_a_name(window: MainWindow, name: str) -> None:
    show(window, name)
    assert nameless(window) == []


@pytest.mark.parametrize("name", NAMES)
def test_labels_show_their_text_as_it_is_written(window: MainWindow, name: str) -> None:
    show(window, name)
    assert guessing(window) == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_clipped_in_the_smallest_window(window: MainWindow, name: str) -> None:
    show(window, name)
    assert (window.width(), window.height()) == (SMALLEST.width(), SMALLEST.height())
    assert clipped(window) == []


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


class OtherWindows(QObject):
    """Notes every widget that is shown as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(f"{type(watched).__name__} {watched.objectName()}")
        return False


@pytest.mark.parametrize("entry", PAGES, ids=[entry.name for entry in PAGES])
def test_making_a_page_opens_no_other_window(styled: QApplication, entry: PageEntry) -> None:
    """One that flashes by takes the keyboard from the window: Esc and the shortcuts would be dead."""
    others = OtherWindows()
    styled.installEventFilter(others)
    try:
        view = entry.make_view()
        assert others.shown == []
        view.deleteLater()
    finally:
        styled.removeEventFilter(others)
