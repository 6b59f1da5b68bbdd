"""A language whose words are 40 % longer clips nothing in the smallest window (a pseudo-locale, with filled pages)."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QApplication, QWidget

from desktop.catalog.catalog import load_catalog
from desktop.fit.advice.recommend import recommend
from desktop.fit.cards.cards import card_of_size
from desktop.fit.cards.planner import compare
from desktop.fit.plans.split_editor import draft_of
from desktop.paths import catalog_file
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.pages.settings.view import SettingsView
from desktop.ui.pages.welcome.view import WelcomeView
from desktop.ui.widgets.buttons import Button
from tests.support.looks import clipped
from tests.support.page_values import check, gpu, installed, machine, three_devices

PROFILE = machine(gpu("Card One", backend="CUDA0"), gpu("Card Two", unused_reason="The engine does not see it."))


class LongWords(QTranslator):
    """Adds 40 % to every text."""

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str:
        return source + " " + "ëxtra " * max(1, round(len(source) * 0.4 / 6))


@pytest.fixture(autouse=True)
def long_words(styled: QApplication) -> Iterator[None]:
    translator = LongWords()
    styled.installTranslator(translator)
    yield
    styled.removeTranslator(translator)


def models() -> QWidget:
    view = ModelsView()
    advice = recommend(profile=PROFILE, catalog=load_catalog(catalog_file()))
    view.set_choices(advice.choices, advice.rejected, notes=advice.notes, minimum_speed=10)
    view.downloads.show_download("x", "Downloading", "1 of 2 GB", 0.4, stopped=True)
    return view


def hardware() -> QWidget:
    view = HardwareView()
    view.set_profile(PROFILE)
    problem = three_devices(context=32768)
    view.split.set_models([installed()], installed().id, installed().id)
    view.split.set_draft(draft_of(problem, (2, 5)), "estimate", may_load=False)
    view.what_if.setChecked(True)
    view.planner.set_machine(16 << 30, has_cards=True)
    view.planner.add_card(card_of_size(16 << 30), elsewhere=True)
    today = recommend(profile=PROFILE, catalog=load_catalog(catalog_file()))
    view.planner.set_comparison(compare(today, today, view.planner.wish()), context=8192)
    view.set_checks([check("fail", "Driver", remedy="Install it."), check("skip", "Vulkan")])
    return view


def welcome() -> QWidget:
    view = WelcomeView()
    view.set_profile(PROFILE)
    view.set_choice(recommend(profile=PROFILE, catalog=load_catalog(catalog_file())).choices[0])
    return view


@pytest.mark.parametrize("make", [models, hardware, welcome, SettingsView])
def test_longer_words_clip_nothing(make: Callable[[], QWidget]) -> None:
    view = make()
    view.resize(844, 572)
    view.show()
    for _ in range(3):
        QApplication.processEvents()
    assert "ëxtra" in "".join(each.text() for each in view.findChildren(Button)) or isinstance(view, SettingsView)
    assert clipped(view) == []
    view.close()
    view.deleteLater()


def test_the_last_step_of_the_welcome_has_room_for_its_buttons() -> None:
    view = WelcomeView()
    view.set_choice(recommend(profile=PROFILE, catalog=load_catalog(catalog_file())).choices[0])
    view.resize(844, 572)
    view.show()
    for _ in range(2):
        next(each for each in view.findChildren(Button) if each.text().startswith("Next")).click()
    for _ in range(3):
        QApplication.processEvents()
    assert clipped(view) == []
    view.close()
    view.deleteLater()
