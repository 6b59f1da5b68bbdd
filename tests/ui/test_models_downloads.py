"""What a person sees of downloads on the models page: their cards, the answer, the rows."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from desktop.fit.types import Choice
from desktop.ui.item_models.choices import ACTION
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.widgets.buttons import Button
from tests.support.looks import shown
from tests.support.page_values import choice
from tests.support.screen import settle, words


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        yield made


def button(view: ModelsView, text: str) -> Button:
    return next(each for each in view.findChildren(Button) if each.isVisible() and each.text() == text)


def test_a_download_shows_figures_and_can_be_stopped_gone_on_with_and_removed(view: ModelsView) -> None:
    said: list[tuple[str, str]] = []
    view.downloads.stop_requested.connect(lambda name: said.append(("stop", name)))
    view.downloads.resume_requested.connect(lambda name: said.append(("resume", name)))
    view.downloads.discard_requested.connect(lambda name: said.append(("discard", name)))
    view.downloads.show_download("a:Q4", "Downloading A", "1 of 2 GB · 4.0 MB/s", 0.5, stopped=False)
    settle()
    assert "1 of 2 GB · 4.0 MB/s" in words(view)
    button(view, "Stop").click()
    view.downloads.show_download("a:Q4", "A: not finished", "1 of 2 GB", 0.5, stopped=True)
    button(view, "Go on").click()
    button(view, "Remove").click()
    assert said == [("stop", "a:Q4"), ("resume", "a:Q4"), ("discard", "a:Q4")]
    view.downloads.remove("a:Q4")
    assert view.downloads.cards == {}


def test_the_answer_is_not_downloaded_twice_at_a_time(view: ModelsView) -> None:
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    view.set_choices([choice("Tiny 1B")])
    view.set_coming({("owner/tiny-GGUF", "tiny-Q4_K_M.gguf"): "42 %"})
    settle()
    button(view, "Downloading …").click()
    assert chosen == []
    view.set_coming({})
    button(view, "Download and chat").click()
    assert len(chosen) == 1


def test_a_row_says_how_far_its_download_is(view: ModelsView) -> None:
    view.set_choices([choice("Other 1B", file="other.gguf"), choice("Tiny 1B")])

    def looks(coming: dict[tuple[str, str], str]) -> tuple[list[str], QImage]:
        view.set_coming(coming)
        settle()
        cells = [view.table.filter.index(row, ACTION) for row in range(2)]
        spoken = [cell.data(Qt.ItemDataRole.AccessibleTextRole) for cell in cells]
        return spoken, view.table.viewport().grab(view.table.visualRect(cells[1])).toImage()

    on_its_way = {("owner/tiny-GGUF", "tiny-Q4_K_M.gguf"): "42 %"}
    looks(on_its_way)  # the columns have their places now
    spoken, painted = looks({})
    assert spoken == ["Download and chat", "Download and chat"]
    assert looks({}) == (spoken, painted)
    coming, also_painted = looks(on_its_way)
    assert coming == ["Download and chat", "Downloading: 42 %"]
    assert also_painted != painted
