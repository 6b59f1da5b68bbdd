"""The split editor as a person uses it: by mouse, by keyboard, and with the engine's answer."""

from collections.abc import Iterator

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from desktop.fit.plans.split_editor import Alone, draft_of, moved
from desktop.ui.pages.hardware.split import SplitCard
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from desktop.ui.widgets.split_line import BoundaryHandle
from desktop.ui.widgets.stacked_bar import StackedBar
from tests.support.looks import clipped, nameless, shown
from tests.support.page_values import installed, three_devices


class Hand:
    """The card without its controller: every move is priced at once, as the controller does."""

    def __init__(self, view: SplitCard) -> None:
        self.view = view
        self.problem = three_devices()
        self.draft = draft_of(self.problem, (0, 20))
        view.boundary_moved.connect(self._on_moved)
        self.show()

    def show(self) -> None:
        self.view.set_draft(self.draft, "asking", may_load=self.draft.room == "fits")
        settle()

    def _on_moved(self, index: int, layer: int) -> None:
        self.draft = draft_of(self.problem, moved(self.problem, self.draft.boundaries, index, layer))
        self.show()

    def handle(self, index: int) -> BoundaryHandle:
        return self.view._line.handles()[index]

    def drag(self, index: int, *steps: int) -> None:
        """Take a handle in the middle and pull it by `steps` pixels, one after the other."""
        handle = self.handle(index)
        middle = handle.rect().center()
        QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
        start = handle.mapToParent(middle)
        for step in steps:
            target = handle.mapFromParent(start + QPoint(step, 0))
            QTest.mouseMove(handle, target)
            settle()
        QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=handle.rect().center())


@pytest.fixture
def hand(styled: QApplication) -> Iterator[Hand]:
    with shown(SplitCard()) as view:
        yield Hand(view)


def settle() -> None:
    for _ in range(3):
        QApplication.processEvents()


def words(view: SplitCard) -> str:
    return "\n".join(each.text() for each in view.findChildren(PlainLabel) if each.isVisible())


def button(view: SplitCard, begins: str) -> Button:
    return next(each for each in view.findChildren(Button) if each.isVisible() and each.text().startswith(begins))


def bars(view: SplitCard) -> list[dict[str, int]]:
    return [dict(bar._values) for bar in view.findChildren(StackedBar)]


def test_the_line_and_the_figures_stand_together(hand: Hand) -> None:
    assert hand.view.texts() == ["Card CUDA0 · layers 0–19", "Card CUDA1 · layers 20–36"]
    cpu, first, second = hand.view.load_texts()
    assert cpu.startswith("Card CPU 0.29 0.00")
    assert first.startswith("Card CUDA0 2.34 0.63")
    assert first.endswith("Fits")
    assert second.startswith("Card CUDA1 2.17 0.50")


def test_a_dragged_boundary_moves_the_bars_of_both_its_sides(hand: Hand) -> None:
    before = bars(hand.view)
    hand.drag(1, 40, 80, 160)
    assert hand.draft.boundaries[1] > 22
    after = bars(hand.view)
    assert after[0] == before[0]
    gained, lost = after[1]["weights"] - before[1]["weights"], before[2]["weights"] - after[2]["weights"]
    assert gained == lost == (hand.draft.boundaries[1] - 20) * (120 << 20)
    assert after[1]["kv"] > before[1]["kv"]


def test_the_boundary_stays_under_the_pointer(hand: Hand) -> None:
    middle = hand.handle(1).geometry().center().x()
    hand.drag(1, 100)
    one_layer = hand.view._line.width() / 37
    assert abs(hand.handle(1).geometry().center().x() - middle - 100) <= one_layer / 2 + 2


def test_a_boundary_cannot_pass_its_neighbour_nor_leave_the_line(hand: Hand) -> None:
    hand.drag(0, 2000)
    assert hand.draft.boundaries == (20, 20)
    hand.drag(1, -2000)
    assert hand.draft.boundaries == (20, 20)
    hand.drag(1, 2000)
    assert hand.draft.boundaries == (20, 37)
    assert hand.view.texts() == ["Card CPU · layers 0–19", "Card CUDA0 · layers 20–36"]


def test_the_keyboard_moves_a_boundary_by_layers(hand: Hand) -> None:
    handle = hand.handle(1)
    handle.setFocus()
    QTest.keyClick(handle, Qt.Key.Key_Right)
    assert hand.draft.boundaries == (0, 21)
    QTest.keyClick(handle, Qt.Key.Key_Left)
    QTest.keyClick(handle, Qt.Key.Key_Left)
    assert hand.draft.boundaries == (0, 19)
    QTest.keyClick(handle, Qt.Key.Key_End)
    assert hand.draft.boundaries == (0, 37)
    QTest.keyClick(handle, Qt.Key.Key_Home)
    assert hand.draft.boundaries == (0, 0)
    assert handle.hasFocus(), "the same boundary goes on"


def test_a_screen_reader_hears_what_a_boundary_is_and_where(hand: Hand) -> None:
    handle = hand.handle(1)
    assert handle.accessibleName() == "Boundary between Card CUDA0 and Card CUDA1"
    assert handle.accessibleDescription() == "Card CUDA0: 20 layers, Card CUDA1: 17 layers"
    interface = QAccessible.queryAccessibleInterface(handle)
    assert interface.role() == QAccessible.Role.Slider
    assert interface.valueInterface().currentValue() == 20
    QTest.keyClick(handle, Qt.Key.Key_Right)
    assert interface.valueInterface().currentValue() == 21
    assert handle.accessibleDescription() == "Card CUDA0: 21 layers, Card CUDA1: 16 layers"
    assert nameless(hand.view) == []


def test_a_card_that_is_too_full_says_so_in_words_and_cannot_be_loaded(hand: Hand) -> None:
    hand.problem = three_devices(context=65536)
    hand.draft = draft_of(hand.problem, (0, 4))
    hand.show()
    assert "GiB more" in hand.view.load_texts()[2]
    assert "Needs" in hand.view.load_texts()[2]
    load = button(hand.view, "Load")
    assert not load.isEnabled()
    assert "would not fit" in load.accessibleDescription()
    over = hand.view.findChildren(StackedBar)[2]
    assert over._total == sum(dict(over._values).values()), "its length is what is wanted"
    assert over._capacity < 1
    assert "needed" in over.accessibleName()


def test_figures_do_not_move_sideways_when_a_verdict_gets_longer(hand: Hand) -> None:
    places = [figure.x() for figure in hand.view._loads._rows[2].figures]
    hand.problem = three_devices(context=65536)
    hand.draft = draft_of(hand.problem, (0, 4))
    hand.show()
    assert [figure.x() for figure in hand.view._loads._rows[2].figures] == places
    assert clipped(hand.view) == []


def test_without_a_graphics_card_it_says_so_and_has_no_dead_controls(hand: Hand) -> None:
    problem = three_devices()
    only = problem.search._replace(budgets=problem.budgets[:1])
    hand.problem = msgspec.structs.replace(problem, search=only)
    hand.draft = draft_of(hand.problem, ())
    hand.show()
    assert "uses no graphics card here" in words(hand.view)
    assert not hand.view._line.isVisible()
    assert [each.text() for each in hand.view.findChildren(Button) if each.isVisible()] == ["Load with this context"]
    assert len(hand.view.load_texts()) == 1


def test_one_card_that_would_be_faster_is_named(hand: Hand) -> None:
    draft = msgspec.structs.replace(hand.draft, alone=Alone(label="Card CUDA0", factor=1.12))
    hand.view.set_draft(draft, "exact", may_load=True)
    assert "Card CUDA0 alone would be about 12 % faster." in words(hand.view)
    draft = msgspec.structs.replace(hand.draft, alone=Alone(label="Card CUDA0", factor=2.31))
    hand.view.set_draft(draft, "exact", may_load=True)
    assert "Card CUDA0 alone would be about 2.3 times as fast." in words(hand.view)


def test_a_long_name_is_cut_in_the_list_and_whole_in_its_tooltip(hand: Hand) -> None:
    long = installed("A Model With a Remarkably Long Name and a Date 30B-A3B Instruct 2507")
    hand.view.set_models([long, installed()], long.id, long.id)
    settle()
    models = hand.view._models
    assert "…" in models.currentText()
    assert models.fontMetrics().horizontalAdvance(models.currentText()) <= models.width() - 40
    assert "30B-A3B Instruct 2507 · Q4_K_M (in use)" in models.toolTip()
    assert clipped(hand.view) == []


def test_the_processor_keeps_the_name_of_its_maker(hand: Hand) -> None:
    first, *cards = hand.draft.devices
    processor = msgspec.structs.replace(first, label="AMD EPYC")
    hand.draft = msgspec.structs.replace(hand.draft, devices=(processor, *cards))
    hand.show()
    assert hand.view.load_texts()[0].startswith("AMD EPYC ")
    assert all("AMD EPYC" in words for words in hand.view._part_words(processor)[:3])
