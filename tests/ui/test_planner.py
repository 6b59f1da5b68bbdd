"""The planner as a person uses it: think of cards and memory, see what would come first."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox

from desktop.actions.exact import verify_choices
from desktop.actions.recommend import recommend_models
from desktop.engine.protocol import EngineInfo
from desktop.fit.cards.cards import card_of_size
from desktop.fit.cards.planner import HardwareWish, card_names
from desktop.fit.types import Recommendation
from desktop.hardware.types import HardwareProfile
from desktop.services import Services, Survey
from desktop.settings import WANTED_CONTEXT
from desktop.ui.pages.hardware import planner_controller
from desktop.ui.pages.hardware.planner import PlannerCard
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.elided_pill import ElidedPill
from desktop.ui.widgets.labels import PlainLabel
from tests.support.catalogs import tiny_catalog
from tests.support.looks import nameless, shown
from tests.support.page_person import PagePerson
from tests.support.page_values import GIB, gpu, machine
from tests.support.tiny_hub import REPO, tiny_hub


@pytest.fixture
def planner(styled: QApplication) -> Iterator[PlannerCard]:
    with shown(PlannerCard()) as view:
        view.set_names(card_names())
        view.set_machine(16 * GIB, has_cards=True)
        yield view


def words(view: PlannerCard) -> str:
    return "\n".join(each.text() for each in view.findChildren(PlainLabel) if each.isVisible())


def add(view: PlannerCard, text: str) -> None:
    edit = view._field.lineEdit()
    assert edit is not None
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)


def test_what_is_typed_is_asked_for_and_where_it_would_be(planner: PlannerCard) -> None:
    asked: list[tuple[str, bool]] = []

    def on_wanted(text: str, elsewhere: bool) -> None:
        asked.append((text, elsewhere))
        planner.add_card(card_of_size(16 * GIB), elsewhere=elsewhere)

    planner.card_wanted.connect(on_wanted)
    add(planner, "16 GB")
    planner._place.setCurrentIndex(1)
    add(planner, "  RTX 4090 ")
    add(planner, "   ")
    assert asked == [("16 GB", False), ("RTX 4090", True)]


def test_the_wish_has_cards_memory_and_whether_the_old_ones_stay(planner: PlannerCard) -> None:
    wishes: list[HardwareWish] = []
    planner.wish_changed.connect(wishes.append)
    card, other = card_of_size(16 * GIB), card_of_size(24 * GIB)
    planner.add_card(card, elsewhere=False)
    planner.add_card(other, elsewhere=True)
    planner._ram.setCurrentIndex(planner._ram.findData(64 * GIB))
    box = planner.findChild(QCheckBox)
    assert isinstance(box, QCheckBox)
    box.click()
    assert wishes[-1] == HardwareWish(cards=(card,), remote=(other,), keep=False, ram=64 * GIB)
    chips = [each for each in planner.findChildren(Button) if "GiB" in each.text()]
    assert [each.text() for each in chips] == ["GPU (16.0 GiB)", "GPU (24.0 GiB), in another machine"]
    chips[0].click()
    assert wishes[-1].cards == ()
    assert wishes[-1].remote == (other,)
    assert nameless(planner) == []


def test_a_machine_without_cards_is_not_asked_to_keep_them(planner: PlannerCard) -> None:
    planner.set_machine(16 * GIB, has_cards=False)
    box = planner.findChild(QCheckBox)
    assert isinstance(box, QCheckBox)
    assert not box.isVisible()
    assert planner.wish().is_empty


def test_names_are_searched_anywhere_in_them(planner: PlannerCard) -> None:
    completer = planner._field.completer()
    assert completer is not None
    completer.setCompletionPrefix("4060 ti")
    found = {completer.completionModel().index(row, 0).data() for row in range(completer.completionCount())}
    assert found == {"NVIDIA GeForce RTX 4060 Ti 8GB", "NVIDIA GeForce RTX 4060 Ti 16GB"}


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "hardware")
    profile = machine(gpu("Card One", 8, backend="CUDA0"))
    person.services.surveys.latest = Survey(profile=profile, engine=None)
    yield person
    person.close()


def test_a_card_more_is_compared_with_today(page: PagePerson) -> None:
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    planner = cast("PlannerCard", page.view.planner)
    assert not planner.isVisible()
    page.view.what_if.click()
    assert planner.isVisible()
    assert "Add a card" in words(planner)
    add(planner, "RTX 3090")
    page.until("the comparison", lambda: "would" in words(planner) and planner._then.isVisible())
    assert "more capable than" in words(planner)
    assert "Of a card that is only thought of" in words(planner)
    assert len(planner._then._tiles) == len(planner._today._tiles) == 3
    next(each for each in planner.findChildren(Button) if "RTX 3090" in each.text()).click()
    page.until("nothing to compare", lambda: "Add a card" in words(planner))
    assert not planner._then.isVisible()


def test_what_is_no_card_is_said_where_it_was_typed(page: PagePerson) -> None:
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    page.view.what_if.click()
    planner = cast("PlannerCard", page.view.planner)
    add(planner, "Voodoo 2")
    assert 'no card called "Voodoo 2" is known' in words(planner)
    add(planner, "16")
    assert "Voodoo" not in words(planner)
    assert page.notices == []


def test_the_engine_is_asked_about_cards_that_are_not_there(
    styled: QApplication, snug_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny_hub(tmp_path) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        page = PagePerson(styled, "hardware")
        engine = EngineInfo(version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False)
        found = Survey(profile=machine(), engine=engine)
        page.services.surveys.latest = found
        page.services.__dict__["catalog"] = tiny_catalog(REPO)
        page.settings.set(WANTED_CONTEXT, 4096)

        async def learn_the_header() -> None:
            rows = recommend_models(page.services, found.profile, minimum_speed=0).choices
            async for _ in verify_choices(page.services, found, rows, fetch=True):
                pass

        page.do(learn_the_header())
        requests = len(hub.requests)
        page.open()
        page.until("the doctor", page.view.doctor.summary)
        page.view.what_if.click()
        planner = cast("PlannerCard", page.view.planner)
        add(planner, "16")

        def figures() -> list[str]:
            tiles = planner._then._tiles
            return [pill.text() for tile in tiles for pill in tile.findChildren(ElidedPill)]

        page.until("the comparison", planner._then.isVisible)
        page.until("the engine's answer", lambda: any("exact" in text for text in figures()), timeout=60)
        assert len(hub.requests) == requests, "nothing is fetched for a thought"
        page.close()


def test_a_comparison_is_with_the_machine_as_it_was_looked_at_last(
    styled: QApplication, snug_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PagePerson(styled, "hardware")
    page.services.__dict__["catalog"] = tiny_catalog()
    engine = EngineInfo(version="test", system_info="", devices=(), supports_gpu_offload=False, supports_rpc=False)
    view = PlannerCard()
    control = planner_controller.PlannerController(view=view, services=page.services, shell=page.shell)
    may_go_on, memory = threading.Event(), []

    def recommend_slowly(services: Services, profile: HardwareProfile) -> Recommendation:
        memory.append(profile.ram.total // GIB)
        assert may_go_on.wait(60)
        return recommend_models(services, profile)

    monkeypatch.setattr(planner_controller, "recommend_models", recommend_slowly)
    control.show(Survey(profile=machine(ram=16), engine=engine))
    view.add_card(card_of_size(16 * GIB), elsewhere=False)
    page.until("the first look", lambda: memory)
    control.show(Survey(profile=machine(ram=8, free=6), engine=engine))
    page.until("the second look", lambda: control._stale)
    may_go_on.set()
    page.until("the comparison", lambda: control._comparing is not None and control._comparing.done())
    view.deleteLater()
    page.close()
    assert memory == [16, 16, 8, 8]
