"""What a person sees of the doctor's findings on the hardware page."""

from collections.abc import Iterator
from typing import get_args

import pytest
from PySide6.QtWidgets import QApplication

from desktop.doctor.check import Check, Status
from desktop.doctor.xid import MEANINGS
from desktop.errors import Phrase
from desktop.ui.pages.hardware.doctor import DoctorCard
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_values import check

LONG = "NVIDIA GeForce RTX 4070 Ti SUPER Founders Edition of Somebody's Special Series"


@pytest.fixture
def card(styled: QApplication) -> Iterator[DoctorCard]:
    with shown(DoctorCard()) as made:
        yield made


def settle() -> None:
    for _ in range(3):
        QApplication.processEvents()


def words(card: DoctorCard) -> str:
    return "\n".join(each.text() for each in card.findChildren(PlainLabel) if each.isVisible())


def press(card: DoctorCard, text: str) -> None:
    next(each for each in card.findChildren(Button) if each.isVisible() and each.text().startswith(text)).click()
    settle()


def test_problems_come_first_with_what_to_do(card: DoctorCard) -> None:
    card.set_checks(
        [
            check("pass", "Disk"),
            check("warn", "Swap", remedy="Close something."),
            check("fail", "Driver", remedy="Install it."),
        ]
    )
    settle()
    assert card.texts() == ["Problem: Driver: found it", "Hint: Swap: found it", "Good: Disk: found it"]
    assert card.summary() == "1 problem, 1 hint"
    assert "Install it." in words(card)
    assert "Close something." in words(card)


def test_what_is_wanted_is_said_to_be_so(card: DoctorCard) -> None:
    card.set_checks([check("warn", "Swap", remedy="Close something.")])
    settle()
    assert "Wanted: wanted it" in words(card).splitlines()


@pytest.mark.parametrize(
    ("statuses", "summary"),
    [(["pass", "skip"], "All good"), (["warn", "warn"], "2 hints"), (["fail", "fail", "pass"], "2 problems")],
)
def test_all_of_them_are_summed_up(card: DoctorCard, statuses: list[Status], summary: str) -> None:
    card.set_checks([check(status, f"Check {number}") for number, status in enumerate(statuses)])
    assert card.summary() == summary


def test_what_was_not_judged_is_folded_away(card: DoctorCard) -> None:
    card.set_checks([check("pass", "Disk"), check("skip", "Vulkan")])
    settle()
    assert card.texts() == ["Good: Disk: found it"]
    assert "Vulkan" not in words(card)
    press(card, "Show what was not judged (1)")
    assert "Vulkan: found it" in words(card)
    assert card.texts()[-1] == "Not judged: Vulkan: found it"
    press(card, "Hide what was not judged")
    assert "Vulkan" not in words(card)


def test_looking_again_replaces_the_findings(card: DoctorCard) -> None:
    card.set_checks([check("fail", "Driver", remedy="Install it.")])
    card.set_state("Checking …")
    settle()
    assert "Driver: found it" in words(card), "what was found the last time stays while the checks run"
    card.set_checks([check("pass", "Driver")])
    settle()
    assert card.texts() == ["Good: Driver: found it"]
    assert "Install it." not in words(card)


@pytest.mark.parametrize("width", [640, 1100])
@pytest.mark.parametrize("status", get_args(Status))
def test_nothing_is_clipped_nameless_or_read_as_markup(card: DoctorCard, width: int, status: Status) -> None:
    card.resize(width, 900)
    remedy = max((meaning.remedy or "" for meaning in MEANINGS.values()), key=len)
    long = Check(
        id="long",
        status=status,
        title=Phrase.of("<b>NVIDIA errors</b>"),
        found=Phrase.of("{name}", name=f"Xid 79 ({LONG}), Xid 13 × 1234 ({LONG}). 79: the card fell off the PCI bus"),
        wanted=Phrase.of("{name}", name=LONG),
        remedy=Phrase.of("{text}", text=remedy),
    )
    card.set_checks([long])
    settle()
    if status == "skip":
        press(card, "Show")
    assert clipped(card) == []
    assert nameless(card) == []
    assert guessing(card) == []
    assert "<b>" in words(card)
