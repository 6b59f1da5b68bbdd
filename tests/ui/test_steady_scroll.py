"""What a person has clicked stays where it is while a card comes above it, or goes."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop.catalog.search import HubRepo
from desktop.ui.item_models.choices import ACTION
from desktop.ui.pages.models.view import ModelsView
from tests.support.looks import shown
from tests.support.page_values import choice, installed
from tests.support.screen import press, settle

ROWS = 24
REPOS = tuple(HubRepo(repo=f"ann/m{n}", publisher="ann", name=f"m{n}") for n in range(12))


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        made.set_choices([choice(f"Model {number}", file=f"{number}.gguf") for number in range(ROWS)])
        made.set_installed([installed()], "")
        settle()
        yield made


def place(view: ModelsView, widget: QWidget) -> int:
    """How far below the top of the page's window a widget begins."""
    settle()
    return widget.mapTo(view.scroll_area.viewport(), QPoint(0, 0)).y()


def scroll(view: ModelsView, y: int) -> None:
    view.scroll_area.verticalScrollBar().setValue(y)
    settle()


def click_row(view: ModelsView, row: int) -> None:
    index = view.table.filter.index(row, ACTION)
    QTest.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=view.table.visualRect(index).center())
    settle()


def show_download(view: ModelsView, name: str = "a") -> None:
    view.downloads.show_download(name, f"Downloading {name}", "1 of 2 GB", 0.5, stopped=False)


@pytest.mark.parametrize("where", [0, 40, 400, 10_000])
def test_the_row_that_was_clicked_stays_where_it_is(view: ModelsView, where: int) -> None:
    scroll(view, where)
    click_row(view, 0 if where < 100 else ROWS - 1)
    before = pytest.approx(place(view, view.table), abs=1)  # at the end of the page layouts round
    show_download(view)
    assert view.downloads.isVisible()
    assert place(view, view.table) == before
    show_download(view, "b")
    assert place(view, view.table) == before
    view.downloads.remove("a")
    assert place(view, view.table) == before


def test_so_does_a_row_of_the_hub(view: ModelsView) -> None:
    view.hub.show()
    view.hub.set_repos(REPOS, more=False)
    view.hub.set_verdict("ann/m0", choice("Tiny", repo="ann/m0"))
    settle()
    scroll(view, place(view, view.hub))
    press(view.hub, "Download Tiny Q4_K_M")
    before = place(view, view.hub)
    show_download(view)
    assert place(view, view.hub) == before


def test_who_reads_further_down_is_not_moved(view: ModelsView) -> None:
    scroll(view, 500)
    before = place(view, view.table)
    show_download(view)
    assert place(view, view.table) == before


def test_who_is_at_the_top_sees_the_card(view: ModelsView) -> None:
    click_row(view, 0)
    scroll(view, 600)
    scroll(view, 10_000)
    scroll(view, 0)
    press(view.answer, "Download and chat")
    show_download(view)
    settle()
    assert view.scroll_area.verticalScrollBar().value() == 0
    assert place(view, view.downloads) < 400


def test_a_slider_stays_under_the_pointer_when_the_answer_gets_longer(view: ModelsView) -> None:
    view.wishes.changed.emit(4096, "f16")
    before = place(view, view.wishes)
    view.set_choices([choice("A model with such a long name that it takes several lines of the answer " * 3)])
    assert place(view, view.wishes) == before
