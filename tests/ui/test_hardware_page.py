"""What a person sees of the hardware page: cards, live figures, the split, the doctor."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from PySide6.QtWidgets import QApplication

from desktop.engine.inventory import REASON_CPU_BUILD
from desktop.engine.protocol import DeviceMemory, Speculation, SpeculationReason
from desktop.errors import AppError, Phrase
from desktop.fit.cards.cards import Card as GraphicsCard
from desktop.fit.cards.planner import Comparison
from desktop.fit.plans.split_editor import draft_of
from desktop.hardware import probe
from desktop.hardware.sources import failed_source, slow_source
from desktop.hardware.types import BusCard, Gpu, GpuSample, HardwareSample, SourceProblem
from desktop.ui.engine_words import guessing_words
from desktop.ui.pages.hardware.view import HardwareView
from desktop.ui.widgets.buttons import Button
from desktop.ui.widgets.labels import PlainLabel
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_person import PagePerson
from tests.support.page_values import GIB, check, choice, gpu, installed, loaded_model, machine, three_devices

LONG = "NVIDIA GeForce RTX 4070 Ti SUPER Founders Edition of Somebody's Special Series"


@pytest.fixture
def view(styled: QApplication) -> Iterator[HardwareView]:
    with shown(HardwareView()) as made:
        yield made


def settle() -> None:
    for _ in range(3):
        QApplication.processEvents()


def words(view: HardwareView) -> str:
    return "\n".join(each.text() for each in view.findChildren(PlainLabel) if each.isVisible())


def press(view: HardwareView, text: str) -> None:
    next(each for each in view.findChildren(Button) if each.isVisible() and each.text().startswith(text)).click()
    settle()


def sample(*gpus: GpuSample, used: float = 5, ours: float = 2, mapped: float = 1.5) -> HardwareSample:
    return HardwareSample(
        time=1.0,
        ram_total=16 * GIB,
        ram_used=int(used * GIB),
        ram_used_by_us=int(ours * GIB),
        ram_mapped_by_us=int(mapped * GIB),
        gpus=gpus,
    )


def test_a_card_for_everything_that_was_found(view: HardwareView) -> None:
    view.set_profile(machine(gpu("Card One", 12, 3.1, backend="CUDA0")))
    settle()
    card, processor, disk = view.card_texts()
    assert card == "12.0 GiB · 504 GB/s · PCIe 4.0 ×16 · driver 550.54 · used by the engine as CUDA0\n3.10 of 12.0 GiB"
    assert processor == "16.0 GiB · 4 cores, 8 threads · AVX2\n4.00 of 16.0 GiB"
    assert "200.00 GB free of 500.00 GB" in disk
    assert "/models" in disk.replace("\u200b", "")


def test_a_card_the_engine_does_not_use_says_why(view: HardwareView) -> None:
    view.set_profile(machine(gpu("Card One", unused_reason=REASON_CPU_BUILD)))
    settle()
    assert REASON_CPU_BUILD in words(view)


def test_a_card_without_a_driver_is_not_passed_over(view: HardwareView) -> None:
    silent = BusCard(vendor="nvidia", name="GA104", pci_address="0000:01:00.0")
    view.set_profile(machine(silent_cards=(silent,)))
    settle()
    assert "GA104" in words(view)
    assert "No driver answers for this card, so it cannot be used." in words(view)


def test_live_figures_tell_snugs_part_from_other_programs(view: HardwareView) -> None:
    card = gpu("Card One", 12)
    view.set_profile(machine(card))
    live = GpuSample(
        name=card.name, vram_total=12 * GIB, vram_used=7 * GIB, used_by_us=6 * GIB, utilization=37.4,
        temperature=61.2, power=142.0, pci_address=card.pci_address,
    )  # fmt: skip
    view.set_sample(sample(live))
    settle()
    first, processor, _disk = view.card_texts()
    assert first.endswith("7.00 of 12.0 GiB · Snug 6.00 GiB · 37 % busy · 61 °C · 142 W")
    assert processor.endswith("6.50 of 16.0 GiB · Snug 2.00 GiB"), "a mapped model counts"


def live_sample(card: Gpu, used: int) -> GpuSample:
    return GpuSample(
        name=card.name, vram_total=card.vram_total, vram_used=used * GIB, utilization=97, temperature=83,
        pci_address=card.pci_address,
    )  # fmt: skip


def test_figures_of_a_card_whose_driver_hangs_go_and_come_back_with_it(view: HardwareView) -> None:
    card = gpu("Card One", 12, unused_reason=REASON_CPU_BUILD)
    view.set_profile(machine(card))
    view.set_sample(sample(live_sample(card, 11)))
    assert "11.0 of 12.0 GiB · 97 % busy · 83 °C" in view.card_texts()[0]
    hanging = msgspec.structs.replace(sample(), problems=(slow_source("GPU"),))
    view.set_sample(hanging)
    settle()
    first = view.card_texts()[0]
    assert first.endswith(REASON_CPU_BUILD + " GPU did not answer in time.")
    assert "of 12.0 GiB" not in first
    assert "°C" not in first
    assert first.splitlines()[-1] in words(view)
    view.set_sample(sample(live_sample(card, 3)))
    settle()
    assert view.card_texts()[0].splitlines()[1:] == ["3.00 of 12.0 GiB · 97 % busy · 83 °C", REASON_CPU_BUILD]
    assert "3.00 of 12.0 GiB" in words(view).replace("\u00a0", " ")


def test_one_card_that_fails_is_told_on_that_card(view: HardwareView) -> None:
    one, other, never_live = gpu("Card One"), gpu("Second Card"), gpu("A Third Card")
    view.set_profile(machine(one, other, never_live))
    view.set_sample(sample(live_sample(one, 1), live_sample(other, 2)))
    failed = failed_source("Second Card", RuntimeError("lost"))
    view.set_sample(msgspec.structs.replace(sample(live_sample(one, 1)), problems=(failed,)))
    first, second, third = view.card_texts()[:3]
    assert "1.00 of 12.0 GiB" in first
    assert "failed" not in first
    assert second.endswith("Second Card failed: RuntimeError: lost")
    assert "of 12.0 GiB" not in second
    assert third.endswith("1.00 of 12.0 GiB"), "its driver never told more than the look did"
    view.set_sample(sample(live_sample(one, 1)))
    assert "of 12.0 GiB" not in view.card_texts()[1], "gone without a word, its last figures are as old"


def test_what_the_loaded_model_holds_is_told_apart_in_the_bar(view: HardwareView) -> None:
    card = gpu("Card One", 12, backend="CUDA0")
    view.set_profile(machine(card))
    live = GpuSample(
        name=card.name, vram_total=12 * GIB, vram_used=7 * GIB, used_by_us=6 * GIB, pci_address=card.pci_address
    )
    held = DeviceMemory(device="CUDA0", weights=4 * GIB, kv=GIB)
    view.set_sample(sample(live), [held])
    bar = view._gpus[card.pci_address or ""]._bar
    assert dict(bar._values) == {"weights": 4 * GIB, "kv": GIB, "compute": GIB, "others": GIB}


def test_a_sample_before_the_profile_is_no_trouble(view: HardwareView) -> None:
    view.set_sample(sample())
    assert view.card_texts() == []


def test_looking_again_replaces_the_cards(view: HardwareView) -> None:
    view.set_profile(machine(gpu("Card One"), gpu("Card Two!")))
    view.set_profile(machine())
    settle()
    assert len(view.card_texts()) == 2
    assert "Card One" not in words(view)


def test_what_was_odd_about_a_source_is_said(view: HardwareView) -> None:
    problem = SourceProblem(source="NVML", what=Phrase.of("the driver did not answer"))
    view.set_profile(machine(problems=(problem,)))
    settle()
    assert "NVML: the driver did not answer" in words(view)


@pytest.mark.parametrize(
    ("mode", "reason", "said"),
    [
        ("prompt_lookup", "when_faster", "Guessing ahead: prompt lookup, used where it is measured to be faster"),
        ("draft", "when_faster", "Guessing ahead: a draft model, used where it is measured to be faster"),
        ("off", "switched_off", "Guessing ahead: switched off"),
        ("off", "cannot_go_back", "Guessing ahead: off, this kind of model cannot take a wrong guess back"),
    ],
)
def test_the_loaded_model_says_how_its_tokens_are_guessed(
    view: HardwareView, mode: Speculation, reason: SpeculationReason, said: str
) -> None:
    model = msgspec.structs.replace(loaded_model("CPU"), speculation=mode, speculation_reason=reason)
    view.set_profile(machine())
    view.split.set_loaded(model)
    settle()
    assert said in words(view)


def test_nothing_is_said_of_guesses_where_the_engine_does_not(view: HardwareView) -> None:
    view.set_profile(machine())
    view.split.set_loaded(msgspec.structs.replace(loaded_model("CPU"), speculation="draft"))
    view.split.set_loaded(loaded_model("CPU"))
    view.split.set_loaded(None)
    settle()
    assert "Guessing" not in words(view)


@pytest.mark.parametrize("reason", [reason for reason in get_args(SpeculationReason) if reason])
def test_every_reason_of_the_protocol_has_words(reason: SpeculationReason) -> None:
    mode: Speculation = "draft" if reason == "when_faster" else "off"
    model = msgspec.structs.replace(loaded_model("CPU"), speculation=mode, speculation_reason=reason)
    assert guessing_words(model)


@pytest.mark.parametrize("size", [(844, 572), (1224, 792)])
def test_nothing_is_clipped_nameless_or_read_as_markup(view: HardwareView, size: tuple[int, int]) -> None:
    view.resize(*size)
    view.set_profile(machine(*(gpu(f"<b>{LONG}</b> {number * 'x'}", unused_reason=LONG) for number in range(3))))
    view.split.set_loaded(loaded_model("CPU", *["CUDA0"] * 40))
    view.split.set_models([installed(f"{LONG} {number}") for number in range(3)], "", "")
    problem = three_devices(LONG)
    view.split.set_draft(draft_of(problem, (3, 20)), "estimate", may_load=False, note=f"{LONG} " * 3)
    view.what_if.setChecked(True)
    for number in range(3):
        view.planner.add_card(GraphicsCard(name=f"{LONG} {number}", memory=16 * GIB), elsewhere=bool(number))
    view.planner.set_problem(f"{LONG} " * 3)
    wish = view.planner.wish()
    many, words_of_it = choice(LONG, reasons=(Phrase.of(f"{LONG} " * 4),)), Phrase.of(f"{LONG} " * 3)
    view.planner.set_comparison(
        Comparison(today=(many, many), then=(), change=words_of_it, notes=(Phrase.of(LONG),)), context=8192
    )
    assert len(wish.cards) == 1
    view.set_checks([check("fail", LONG, remedy=f"{LONG} " * 4), check("skip", "Other")])
    settle()
    assert clipped(view) == []
    assert nameless(view) == []
    assert guessing(view) == []


# --- with its controller ------------------------------------------------------------------------------------------


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "hardware")
    yield person
    person.close()


def test_this_very_machine_is_shown_and_checked(page: PagePerson) -> None:
    page.open()
    assert not page.view.again.isEnabled()
    page.until("the doctor", page.view.doctor.summary)
    page.until("the button", page.view.again.isEnabled)
    assert "cores" in page.view.card_texts()[-2]
    starts = page.engine.starts
    page.view.again.click()
    page.until("another look", lambda: page.engine.starts == starts + 1 and page.view.again.isEnabled())


def test_an_engine_that_cannot_start_is_the_doctors_first_problem(page: PagePerson) -> None:
    page.engine.failure = AppError(reason="the engine is broken")
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    assert page.view.doctor.texts()[0].startswith("Problem: Engine")
    assert page.view.card_texts(), "what was found is shown all the same"


def test_a_machine_that_cannot_be_read_is_said_and_can_be_tried_again(
    page: PagePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(**_arguments: object) -> None:
        raise AppError(reason="the probe is broken")

    monkeypatch.setattr(probe, "probe_hardware", broken)
    page.open()
    page.until("a banner", lambda: page.notices)
    page.until("the button", page.view.again.isEnabled)
    assert "the probe is broken" in words(page.view)
    assert page.notices[0].action == "Try again"


def test_samples_reach_the_cards_only_while_somebody_looks(page: PagePerson) -> None:
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    page.shell.sampled.emit(sample())
    assert "Snug 2.00 GiB" in page.view.card_texts()[-2]
    page.view.hide()
    page.shell.sampled.emit(sample(ours=1))
    assert "Snug 2.00 GiB" in page.view.card_texts()[-2]
