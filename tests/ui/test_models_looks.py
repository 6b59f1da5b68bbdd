"""How the models page looks: what stands below what, and what is said where there is little room."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QWidget

from desktop.catalog.catalog import load_catalog
from desktop.catalog.search import HubRepo
from desktop.errors import Phrase
from desktop.fit.advice.recommend import recommend
from desktop.fit.types import Choice
from desktop.paths import catalog_file
from desktop.ui.item_models.choices import DOWNLOAD, MEMORY, MODEL, QUALITY, QUANTIZATION, SPEED, VERDICT
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.theme import LIGHT
from desktop.ui.verdicts import verdict_in_short
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.pill import Pill, pill_size
from desktop.ui.widgets.table import SHORT_ROLE
from tests.support.looks import clipped, shown
from tests.support.page_values import GIB, choice, gpu, installed, machine
from tests.support.screen import press, settle, words

TOO_LARGE = choice("Large 70B", verdict="does_not_fit", missing=136 * GIB)
USUAL, SMALLEST = (1224, 792), (844, 572)


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        yield made


@pytest.mark.parametrize(
    ("value", "left_out", "text"),
    [
        (choice(), "", "Fits"),
        (choice(verdict="tight"), "", "Little to spare"),
        (choice(verdict="partial", n_layer=32, n_gpu_layers=24), "", "Partly on the CPU"),
        (TOO_LARGE, "unfit", "136.0 GiB more needed"),
        (choice(), "slow", "Slow"),
        (choice(), "unfit", "Not this context"),
    ],
)
def test_a_verdict_can_be_said_in_fewer_words(value: Choice, left_out: str, text: str) -> None:
    assert verdict_in_short(value, left_out) == text


def test_what_is_missing_can_be_read_in_the_smallest_window(view: ModelsView) -> None:
    view.resize(*SMALLEST)
    view.set_choices([], [TOO_LARGE])
    settle()
    cell = view.table.filter.index(0, VERDICT)
    needed = pill_size(cell.data(SHORT_ROLE), "does_not_fit", view.table.font()).width()
    assert view.table.columnWidth(VERDICT) >= needed
    assert not view.table.isColumnHidden(MEMORY)


def test_in_the_usual_window_every_column_is_shown(view: ModelsView) -> None:
    profile = machine(gpu("Card", total=12, backend="CUDA0"), gpu("Other Card", total=8, backend="CUDA1"), ram=64)
    advice = recommend(profile=profile, catalog=load_catalog(catalog_file()))
    view.resize(*USUAL)
    view.set_choices(advice.choices, advice.rejected)
    settle()
    assert [column for column in (DOWNLOAD, MEMORY, QUALITY) if view.table.isColumnHidden(column)] == []


def left(view: ModelsView, widget: QWidget) -> int:
    return widget.mapTo(view, QPoint(0, 0)).x()


def label(view: QWidget, text: str) -> PlainLabel:
    return next(each for each in view.findChildren(PlainLabel) if each.isVisible() and each.text() == text)


def test_words_of_all_cards_begin_below_one_another(view: ModelsView) -> None:
    view.resize(*USUAL)
    view.set_choices([choice()])
    view.set_installed([installed("Second 2B")], "")
    view.show_hub(True)
    view.hub.set_searched("tiny")
    view.hub.set_repos([HubRepo(repo="ann/Hub-GGUF", publisher="ann", name="Hub-GGUF")], more=True)
    view.downloads.show_download("a", "Downloading a", "1 of 2 GB", 0.5, stopped=False)
    settle()
    edge = left(view, label(view, "Best for this machine"))
    for text in (
        "On this disk",
        "Second 2B",
        "Downloading a",
        "1 of 2 GB",
        "On the Hugging Face Hub: “tiny”",
        "Hub-GGUF",
    ):
        assert left(view, label(view, text)) == edge, text
    cell = view.table.visualRect(view.table.filter.index(0, MODEL))
    assert left(view, view.table.viewport()) + cell.left() + 11 == edge, "the padding of a cell"


def test_two_tables_are_told_apart(view: ModelsView) -> None:
    view.set_choices([choice()])
    assert "In Snug's catalog" not in words(view)
    view.show_hub(True)
    assert "In Snug's catalog" in words(view)
    view.hub.closed.emit()
    assert "In Snug's catalog" not in words(view)
    heads = [
        table.choices.headerData(MODEL, view.table.horizontalHeader().orientation())
        for table in (view.table, view.hub.files)
    ]
    assert heads == ["Model", "File"]


def test_a_wide_card_without_a_title_leaves_no_gap_above_its_table(view: ModelsView) -> None:
    view.set_choices([choice()])
    settle()
    without = view.table.mapTo(view._card, QPoint(0, 0)).y()
    assert without <= 9  # with the line around the card
    view._card.set_title("Title")
    settle()
    assert view.table.mapTo(view._card, QPoint(0, 0)).y() > 32


def test_where_nothing_fits_a_shorter_context_is_offered_until_there_is_none(view: ModelsView) -> None:
    asked: list[int] = []
    view.pricing_changed.connect(lambda context, _kv: asked.append(context))
    view.set_pricing(5000, "f16")
    view.set_choices([], [TOO_LARGE])
    press(view, "Try a shorter context")
    press(view, "Try a shorter context")
    assert asked == [4096, 2048]
    view.set_choices([], [TOO_LARGE])
    assert "Try a shorter context" not in words(view)
    view.set_choices([choice()])
    assert "Download and chat" in words(view)


def test_a_machine_that_could_not_be_looked_at_is_looked_at_again(view: ModelsView) -> None:
    asked: list[bool] = []
    view.look_requested.connect(lambda: asked.append(True))
    view.set_failed("It did not answer.", "Look again.")
    press(view, "Try again")
    assert asked == [True]
    view.set_looking()
    assert "Try again" not in words(view)


def test_a_failed_download_says_why_and_what_to_do_in_full(view: ModelsView) -> None:
    view.resize(*SMALLEST)
    why = (
        "The disk is full: 6.1 GB are needed, 1.2 GB are free. Make room, or choose another folder in the settings. "
        * 2
    )
    view.downloads.show_download("a", "a: not finished", "1 of 2 GB", 0.5, why, stopped=True)
    settle()
    shown_in = label(view, why)
    assert shown_in.property("tone") == "bad"
    assert shown_in.wordWrap()
    assert clipped(view) == []
    view.downloads.show_download("a", "Downloading a", "1 of 2 GB", 0.5, stopped=False)
    assert why not in words(view)


def test_the_bar_of_a_download_that_does_not_move_is_grey(view: ModelsView) -> None:
    def colour(*, stopped: bool) -> QColor:
        view.downloads.show_download("a", "a", "1 of 2 GB", 0.9, stopped=stopped)
        settle()
        bar = view.downloads.cards["a"]._bar
        return bar.grab().toImage().pixelColor(20, 3)

    assert colour(stopped=False) == QColor(LIGHT.accent)
    assert colour(stopped=True) == QColor(LIGHT.others)
    assert colour(stopped=False) == QColor(LIGHT.accent)


def test_every_figure_is_explained_to_who_has_never_heard_of_it(view: ModelsView) -> None:
    view.set_choices([choice()])
    settle()
    heading = view.table.filter.headerData
    for column in (QUANTIZATION, DOWNLOAD, MEMORY, SPEED, QUALITY, VERDICT):
        assert heading(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole), column
    tips = [pill.toolTip() for pill in view.answer.findChildren(Pill)]
    assert "three quarters of a word" in tips[2]
    assert "KL divergence" in tips[3], "the jargon is in the tooltip"
    assert "how strongly the model is compressed" in label(view, "Tiny 1B · Q4_K_M").toolTip()
    assert "Hugging Face Hub" in view._search.toolTip()
    view.set_failed("It failed.", "Look again.")
    assert label(view, "It failed.").toolTip() == ""
    assert label(view, "It failed.").property("tone") == "title", "it is not shouted"


def test_each_reason_has_a_line_of_its_own_once_all_are_shown(view: ModelsView) -> None:
    reasons = tuple(Phrase.of(f"Reason number {number}.") for number in range(1, 5))
    view.set_choices([choice(reasons=reasons)])
    settle()
    assert label(view, "Reason number 1. Reason number 2.").isVisible()
    press(view, "Why, and what would change it")
    settle()
    places = [label(view, f"Reason number {number}.").y() for number in range(1, 5)]
    assert places == sorted(set(places))
    view.set_choices([choice()])
    assert "Reason" not in words(view)
