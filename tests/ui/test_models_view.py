"""What a person sees of the models page: the answer, the table, what is on the disk, downloads."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QSlider

from desktop.errors import Phrase
from desktop.fit.types import Choice, Speed
from desktop.library.types import InstalledModel
from desktop.ui.item_models.choices import ACTION, CHOICE_ROLE, MEMORY, MODEL, QUALITY, SOURCE_ROLE, SPEED, VERDICT
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.theme import DARK, apply_colours
from desktop.ui.verdicts import verdict_text
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.context_choice import CONTEXTS
from desktop.ui.widgets.pill import Pill
from desktop.ui.widgets.table import VERDICT_ROLE
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_values import GIB, choice, other
from tests.support.screen import settle, words

LONG = choice(
    "A Model With a Remarkably Long Name and a Date 30B-A3B Instruct 2507",
    licence="Some Community License Agreement 1.2 - Non Commercial",
    reasons=(Phrase.of("First reason."), Phrase.of("Second reason."), Phrase.of("Third reason.")),
)
SLOW = choice("Slow 30B", speed=Speed(decode_low=1.0, decode_high=3.0))
TOO_LARGE = choice("Large 70B", verdict="does_not_fit", missing=int(12.3 * GIB))
INSTALLED = choice("Here 1B", installed=True)


@pytest.fixture
def view(styled: QApplication) -> Iterator[ModelsView]:
    with shown(ModelsView()) as made:
        yield made


def column(view: ModelsView, number: int) -> list[str]:
    return [view.table.filter.index(row, number).data() for row in range(view.table.filter.rowCount())]


def button(view: ModelsView, text: str) -> Button:
    return next(each for each in view.findChildren(Button) if each.isVisible() and each.text() == text)


def fill(view: ModelsView) -> None:
    view.set_choices([LONG, INSTALLED], [SLOW, TOO_LARGE], minimum_speed=10.0)
    settle()


@pytest.mark.parametrize(
    ("value", "left_out", "text"),
    [
        (choice(), "", "Fits"),
        (choice(verdict="tight"), "", "Fits, with little to spare"),
        (choice(verdict="partial", n_layer=32, n_gpu_layers=24), "", "Fits with 9 layers on the CPU"),
        (TOO_LARGE, "unfit", "Does not fit: 12.3 GiB more needed"),
        (SLOW, "slow", "Fits, but slow"),
        (choice(), "unfit", "Fits, but not this context"),
    ],
)
def test_a_verdict_is_said_in_words(value: Choice, left_out: str, text: str) -> None:
    assert verdict_text(value, left_out) == text


def test_before_anything_is_known_the_page_says_what_it_does(view: ModelsView) -> None:
    assert "Looking at this machine" in words(view)
    assert "The models are listed here in a moment." in words(view)
    assert not any(each.text() == "Download and chat" for each in view.findChildren(Button) if each.isVisible())


def test_where_the_machine_cannot_be_looked_at_nothing_is_promised(view: ModelsView) -> None:
    view.set_failed("It failed.", "Look again.")
    settle()
    assert "in a moment" not in view._empty.text()
    assert view._empty.isVisible()
    assert not view.answer._caption.isVisible(), "there is no best"
    view.set_looking()
    assert "in a moment" in view._empty.text()
    assert view.answer._caption.isVisible()


def test_the_answer_comes_first_with_size_licence_and_figures(view: ModelsView) -> None:
    fill(view)
    text = words(view)
    assert text.index(LONG.model_name) < text.index("First reason.") < text.index("KV cache")
    assert "1.50 GB · Some Community License" in text
    pills = [pill.text() for pill in view.answer.findChildren(Pill)]
    assert pills == ["Fits", "2.75 GiB memory (estimate)", "about 8–16 tok/s (estimate)", "quality: good"]


def test_further_reasons_are_one_click_away(view: ModelsView) -> None:
    fill(view)
    assert "Third reason." not in words(view)
    button(view, "Why, and what would change it").click()
    assert "Third reason." in words(view)
    button(view, "Less").click()
    assert "Third reason." not in words(view)


def test_the_page_says_that_its_figures_are_estimates(view: ModelsView) -> None:
    fill(view)
    assert "Estimates for this machine" in words(view)


def test_each_row_says_whether_the_engine_was_asked(view: ModelsView) -> None:
    view.resize(1300, 800)
    view.set_choices([other(LONG, exact=True), INSTALLED], [SLOW, TOO_LARGE], minimum_speed=10.0)
    settle()
    cells = [view.table.filter.index(row, MEMORY) for row in range(4)]
    assert [cell.data(SOURCE_ROLE) for cell in cells] == ["exact", "estimate", "estimate", "estimate"]
    assert [cell.data(Qt.ItemDataRole.AccessibleTextRole) for cell in cells][:2] == [
        "2.8 GiB, exact",
        "2.8 GiB, estimate",
    ]
    tips = [view.table.filter.index(row, VERDICT).data(Qt.ItemDataRole.ToolTipRole) for row in range(2)]
    assert "the engine itself was asked" in tips[0]
    assert "until the engine was asked" in tips[1]
    assert "Memory: 1 of 4 exact, the others are estimates" in words(view)
    assert "2.75 GiB memory, exact" in [pill.text() for pill in view.answer.findChildren(Pill)]


def test_the_page_says_when_the_engine_is_asked_and_when_everything_is_exact(view: ModelsView) -> None:
    view.set_choices([LONG], checking=True)
    assert "Estimates for this machine; the engine is being asked …" in words(view)
    view.set_choices([other(LONG, exact=True)])
    assert "Memory is exact for this machine, checked by the engine just now" in words(view)


def test_what_the_engine_found_not_to_fit_keeps_its_row_but_is_no_answer(view: ModelsView) -> None:
    fill(view)
    view.set_choices(
        [other(LONG, exact=True, verdict="does_not_fit", missing=GIB), other(INSTALLED, exact=True)],
        [SLOW, other(TOO_LARGE, exact=True, verdict="fits", missing=0)],
        minimum_speed=10.0,
        found_to_fit={(TOO_LARGE.model_id, TOO_LARGE.quantization)},
    )
    settle()
    assert column(view, MODEL) == [LONG.model_name, "Here 1B", "Slow 30B", "Large 70B"]
    assert column(view, VERDICT) == ["Does not fit: 1.0 GiB more needed", "Fits", "Fits, but slow", "Fits"]
    assert view.answer._choice is not None
    assert view.answer._choice.model_name == "Here 1B"


def test_the_hub_is_asked_only_by_a_click_and_the_asking_can_be_stopped(view: ModelsView) -> None:
    said: list[str] = []
    view.rest_requested.connect(lambda: said.append("ask"))
    view.rest_stopped.connect(lambda: said.append("stop"))
    view.set_choices([LONG], checking=True, may_ask=True)
    assert "Make them exact" not in words(view), "what is known already is asked first"
    view.set_choices([LONG], may_ask=True)
    button(view, "Make them exact").click()
    view.set_choices([LONG], checking=True, may_ask=True)
    button(view, "Stop").click()
    view.set_choices([LONG], may_ask=True)
    assert said == ["ask", "stop"]
    view.set_choices([other(LONG, exact=True)])
    assert "Make them exact" not in words(view)


def test_an_installed_answer_is_chatted_with_not_downloaded(view: ModelsView) -> None:
    view.set_choices([INSTALLED])
    settle()
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    next(each for each in view.answer.findChildren(Button) if each.text() == "Chat").click()
    assert chosen == [INSTALLED]


def test_nothing_fits_is_said_with_what_may_help(view: ModelsView) -> None:
    view.set_choices([], [TOO_LARGE], notes=[Phrase.of("With 3 GiB more it would.")])
    settle()
    assert "Nothing fits with room to spare" in words(view)
    assert "With 3 GiB more it would. A shorter context or a smaller KV cache needs less memory." in words(view)
    assert column(view, VERDICT) == ["Does not fit: 12.3 GiB more needed"]


def test_the_table_is_in_the_order_of_the_ranking_with_what_was_left_out_below(view: ModelsView) -> None:
    fill(view)
    assert column(view, MODEL) == [LONG.model_name, "Here 1B", "Slow 30B", "Large 70B"]
    assert column(view, VERDICT)[2:] == ["Fits, but slow", "Does not fit: 12.3 GiB more needed"]
    assert column(view, SPEED) == ["12.0 ± 4.0", "12.0 ± 4.0", "2.00 ± 1.0", "–"]
    kinds = [view.table.filter.index(row, VERDICT).data(VERDICT_ROLE) for row in range(4)]
    assert kinds == ["fits", "fits", "tight", "does_not_fit"]


def test_figures_stand_at_the_right_of_their_column(view: ModelsView) -> None:
    fill(view)
    for number in (MEMORY, SPEED):
        cell = view.table.filter.index(0, number).data(Qt.ItemDataRole.TextAlignmentRole)
        head = view.table.filter.headerData(number, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
        assert cell & Qt.AlignmentFlag.AlignRight.value
        assert cell == head


def test_a_click_on_a_heading_sorts_and_the_third_click_returns_to_the_ranking(view: ModelsView) -> None:
    fill(view)
    header = view.table.horizontalHeader()
    at = header.sectionViewportPosition(MODEL) + 20

    def click() -> list[str]:
        QTest.mouseClick(
            header.viewport(), Qt.MouseButton.LeftButton, pos=header.viewport().rect().topLeft().__class__(at, 10)
        )
        return column(view, MODEL)

    ranked = column(view, MODEL)
    assert click() == sorted(ranked, key=str.casefold)
    assert click() == sorted(ranked, key=str.casefold, reverse=True)
    assert click() == ranked


def test_search_keeps_the_names_that_contain_it_and_says_when_there_are_none(view: ModelsView) -> None:
    fill(view)
    field = view.findChild(QLineEdit)
    assert isinstance(field, QLineEdit)
    QTest.keyClicks(field, "large")
    assert column(view, MODEL) == ["Large 70B"]
    QTest.keyClicks(field, "r than life")
    settle()
    assert not view.table.isVisible()
    assert "No model of the catalog has this in its name." in words(view)


def test_enter_on_a_row_chooses_it_and_on_one_that_does_not_fit_nothing(view: ModelsView) -> None:
    fill(view)
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    view.table.setFocus(Qt.FocusReason.TabFocusReason)
    assert view.table.currentIndex().row() == 0, "the keyboard must be seen somewhere"
    QTest.keyClick(view.table, Qt.Key.Key_Down)
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert chosen == [INSTALLED]
    QTest.keyClick(view.table, Qt.Key.Key_End)
    view.table.selectRow(3)
    QTest.keyClick(view.table, Qt.Key.Key_Return)
    assert chosen == [INSTALLED]


def test_the_page_scrolls_to_the_row_the_keyboard_is_at(view: ModelsView) -> None:
    view.set_choices([choice(f"Model {number}") for number in range(40)])
    settle()
    view.table.setFocus(Qt.FocusReason.TabFocusReason)
    view.table.selectRow(39)
    settle()
    body = view.scroll_area.viewport()
    row = view.table.visualRect(view.table.filter.index(39, 0)).translated(view.table.viewport().pos())
    assert 0 <= view.table.mapTo(body, row.topLeft()).y() <= body.height() - row.height()


def click_on(view: ModelsView, index: QModelIndex) -> None:
    QTest.mouseClick(view.table.viewport(), Qt.MouseButton.LeftButton, pos=view.table.visualRect(index).center())


def test_only_the_last_column_acts_on_a_click(view: ModelsView) -> None:
    fill(view)
    chosen: list[Choice] = []
    view.choice_chosen.connect(chosen.append)
    click_on(view, view.table.filter.index(0, MODEL))
    assert chosen == []
    click_on(view, view.table.filter.index(0, ACTION))
    assert chosen == [LONG]
    spoken = [view.table.filter.index(row, ACTION).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(4)]
    assert spoken == ["Download and chat", "Start a chat", "Download and chat", "Cannot run here"]


def test_a_new_price_keeps_the_row_that_was_selected(view: ModelsView) -> None:
    fill(view)
    view.table.selectRow(1)
    view.set_choices([other(LONG, context=4096), INSTALLED], [SLOW, TOO_LARGE], minimum_speed=10.0)
    assert view.table.currentIndex().data(CHOICE_ROLE) == INSTALLED
    assert view.table.filter.index(0, 0).data(CHOICE_ROLE).context == 4096


def test_slider_and_kv_type_ask_for_new_prices(view: ModelsView) -> None:
    view.set_pricing(8192, "f16")
    asked: list[tuple[int, str]] = []
    view.pricing_changed.connect(lambda context, kv: asked.append((context, kv)))
    slider, kv = view.findChild(QSlider), view.findChild(QComboBox)
    assert isinstance(slider, QSlider)
    assert isinstance(kv, QComboBox)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    kv.setCurrentIndex(1)
    assert asked == [(16384, "f16"), (16384, "q8_0")]
    assert "16384" in words(view).replace(",", "")
    assert CONTEXTS[slider.value()] == 16384


def test_columns_give_way_in_a_narrow_window_and_the_button_stays(view: ModelsView) -> None:
    fill(view)
    assert view.table.isColumnHidden(QUALITY)
    last = view.table.visualRect(view.table.filter.index(0, ACTION))
    assert 0 < last.right() <= view.table.viewport().width()
    view.resize(1300, 800)
    settle()
    assert not view.table.isColumnHidden(QUALITY)
    last = view.table.visualRect(view.table.filter.index(0, ACTION))
    assert last.right() <= view.table.viewport().width()


def test_models_on_the_disk_can_be_chatted_with_unless_their_file_is_gone(view: ModelsView) -> None:
    here = InstalledModel(
        id="a:Q4", model_id="a", name="Model A", quantization="Q4", path="/a", size=98_000_000, bundled=True
    )
    gone = InstalledModel(
        id="b:Q4", model_id="b", name="Model B", quantization="Q4", path="/b", size=1, condition="gone"
    )
    view.set_installed([here, gone], "a:Q4")
    settle()
    text = words(view)
    assert "Comes with Snug, needs no network" in text
    assert "The file is gone: /b" in text
    assert "98 MB" in text
    assert [pill.text() for pill in view.installed.findChildren(Pill)] == ["In use"]
    chats = [each for each in view.installed.findChildren(Button) if each.accessibleName()]
    assert [each.accessibleName() for each in chats] == ["Chat with Model A", "Take off the list: Model B"]
    chosen: list[InstalledModel] = []
    view.installed_chosen.connect(chosen.append)
    chats[0].click()
    assert chosen == [here]


@pytest.mark.parametrize("size", [(844, 572), (1224, 792)])
def test_nothing_is_clipped_however_long_the_names_are(view: ModelsView, size: tuple[int, int]) -> None:
    model = InstalledModel(
        id="x", model_id="x", name=LONG.model_name, quantization="Q4_K_M", path="/x", size=10**10, licence=LONG.licence
    )
    view.resize(*size)
    fill(view)
    view.set_installed([model], "x")
    view.downloads.show_download(
        "x", f"Downloading {LONG.model_name}", "1.23 of 4.56 GB · 12.3 MB/s · 4 min left", 0.3, stopped=True
    )
    settle()
    button(view, "Why, and what would change it").click()
    settle()
    assert clipped(view) == []
    assert nameless(view) == []
    assert guessing(view) == []


def test_names_from_the_network_are_shown_as_they_are_written(view: ModelsView) -> None:
    view.set_choices([choice("<b>Bold</b><img src=x>")])
    settle()
    assert "<b>Bold</b><img src=x> · Q4_K_M" in words(view)
    tip = view.table.filter.index(0, MODEL).data(Qt.ItemDataRole.ToolTipRole)
    assert "<img" not in tip
    assert "&lt;b&gt;Bold" in tip


def test_the_page_follows_the_theme(view: ModelsView, styled: QApplication) -> None:
    fill(view)
    before = view.grab().toImage().pixelColor(4, 300)
    apply_colours(styled, DARK)
    settle()
    assert before.lightness() > 200 > view.grab().toImage().pixelColor(4, 300).lightness() + 150
