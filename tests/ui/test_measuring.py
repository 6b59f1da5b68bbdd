"""Measuring this machine from the hardware page: never beside a reply or a load, stoppable, ended with the window."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider

from desktop.engine.failure import explain_failure
from desktop.engine.protocol import (
    DeviceKind,
    DeviceSpeeds,
    EngineDevice,
    EngineFailure,
    EngineInfo,
    FailureKind,
    LayerSpeed,
    SpeedAnswer,
    TypeSpeed,
)
from desktop.engine.state import EnginePhase, EngineState
from desktop.fit.speeds import speed_probe
from desktop.fit.types import Choice
from desktop.services import Survey
from desktop.ui.item_models.choices import CHOICE_ROLE, MODEL
from desktop.ui.pages.hardware.speeds import SpeedCard, SpeedRow
from desktop.ui.widgets.pill import Pill
from tests.support.looks import clipped, guessing, nameless, shown
from tests.support.page_person import PagePerson
from tests.support.page_values import GIB, machine
from tests.support.window_process import run_window

PROCESSOR = EngineDevice(
    name="CPU",
    description="Test Processor",
    kind=DeviceKind.CPU,
    backend="CPU",
    memory_total=16 * GIB,
    memory_free=12 * GIB,
)
ENGINE = EngineInfo(
    version="test", system_info="", devices=(PROCESSOR,), supports_gpu_offload=False, supports_rpc=False
)


def speeds(name: str = "Test Processor", *, read: float = 20e9, threads: int = 4) -> DeviceSpeeds:
    layer = LayerSpeed(start=0.0, value=0.0)
    types = tuple(
        TypeSpeed(kind=kind, read_wide=read * part, read_narrow=read, compute_wide=3 * read, compute_narrow=read)
        for kind, part in (("f16", 1.0), ("q8_0", 0.5), ("q4_K", 0.25))
    )
    return DeviceSpeeds(
        device="CPU",
        description=name,
        threads=threads,
        product=0.0,
        decode_layer=layer,
        prefill_layer=layer,
        types=types,
        attention=(),
    )


class Probe:
    """Stands where the child's measurement is: says half, then waits for `gate`."""

    def __init__(self) -> None:
        self.begun = 0
        self.given_up = 0
        self.gate = asyncio.Event()
        self.failure: Exception | None = None
        self.found = speeds()

    async def __call__(self, *, threads: int, on_progress: Callable[[float], None]) -> SpeedAnswer:
        self.begun += 1
        try:
            on_progress(0.5)
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.failure is not None:
            raise self.failure
        return SpeedAnswer(fraction=1.0, engine="test", devices=(self.found,))


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    made = Probe()
    monkeypatch.setattr(speed_probe, "measure_speeds", made)
    return made


@pytest.fixture
def page(styled: QApplication, snug_home: Path) -> Iterator[PagePerson]:
    person = PagePerson(styled, "hardware")
    person.services.surveys.latest = Survey(profile=machine(), engine=ENGINE)
    yield person
    person.close()


def card(page: PagePerson) -> SpeedCard:
    found: SpeedCard = page.view.speeds
    return found


def said(page: PagePerson) -> str:
    return "\n".join(card(page).texts())


def open_page(page: PagePerson) -> SpeedCard:
    page.open()
    page.until("the card", lambda: card(page).isVisible())
    return card(page)


def test_what_was_measured_is_told_and_kept(page: PagePerson, probe: Probe) -> None:
    shown_card = open_page(page)
    assert "estimates until this machine was measured" in said(page)
    assert shown_card.measure.text() == "Measure this machine"
    shown_card.measure.click()
    page.until("progress", lambda: "Measuring … 50 %" in said(page))
    assert not shown_card.measure.isVisible()
    probe.gate.set()
    page.until("the end", shown_card.measure.isVisible)
    assert "Test Processor · 4 threads · 20.0 GB/s · 10.0 GB/s · – · 5.00 GB/s · 60.0 GFLOP/s" in said(page)
    assert shown_card.measure.text() == "Measure again"
    assert page.services.observed.probe(device="Test Processor", driver="", engine="test", threads=4) is not None
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    assert "20.0 GB/s" in said(page), "it is there the next time"


def test_the_split_is_priced_again_and_stays_as_it_is(page: PagePerson, probe: Probe) -> None:
    shown_card = open_page(page)
    split = page.view.split
    page.until("the split", lambda: split.texts() and split.stage_text().startswith("Exact"))
    assert "(estimate)" in split._speed.text()
    slider = split.findChild(QSlider)
    assert isinstance(slider, QSlider)
    QTest.keyClick(slider, Qt.Key.Key_Left)
    context = slider.value()
    page.until("another context", lambda: split.stage_text().startswith("Exact"))
    probe.found = every_type(speeds())
    probe.gate.set()
    shown_card.measure.click()
    page.until("measured speeds", lambda: split._speed.text() and "(estimate)" not in split._speed.text())
    assert slider.value() == context, "what the person looked at stays"


def test_stop_ends_the_measurement(page: PagePerson, probe: Probe) -> None:
    shown_card = open_page(page)
    shown_card.measure.click()
    page.until("progress", lambda: "50 %" in said(page))
    shown_card.stop.click()
    page.until("the offer again", shown_card.measure.isVisible)
    assert (probe.begun, probe.given_up) == (1, 1)
    assert page.notices == []
    assert "estimates until" in said(page)


def test_it_waits_for_a_reply_and_says_so(page: PagePerson, probe: Probe) -> None:
    shown_card = open_page(page)
    page.engine.busy = True
    shown_card.measure.click()
    page.until("a reason", lambda: "A reply is being written" in said(page))
    page.live(0.5)
    assert probe.begun == 0
    page.engine.busy = False
    page.until("the beginning", lambda: probe.begun == 1)
    probe.gate.set()
    page.until("the end", shown_card.measure.isVisible)


def test_a_load_or_a_reply_that_comes_gives_the_measurement_up_and_it_begins_anew(
    page: PagePerson, probe: Probe
) -> None:
    shown_card = open_page(page)
    shown_card.measure.click()
    page.until("the beginning", lambda: probe.begun == 1)
    page.engine.become(EngineState(phase=EnginePhase.LOADING))
    page.until("the end of the first", lambda: probe.given_up == 1)
    page.until("a reason", lambda: "A model is being loaded" in said(page))
    assert probe.begun == 1
    page.engine.become(EngineState(phase=EnginePhase.READY))
    page.until("another", lambda: probe.begun == 2)
    page.engine.busy = True
    page.until("the end of the second", lambda: probe.given_up == 2)
    page.engine.busy = False
    probe.gate.set()
    page.until("the end", shown_card.measure.isVisible)
    assert probe.begun == 3
    assert "20.0 GB/s" in said(page)


@pytest.mark.allow_log("could not be measured")
def test_a_failure_is_told_in_words_with_a_next_step(page: PagePerson, probe: Probe) -> None:
    shown_card = open_page(page)
    failure = EngineFailure(kind=FailureKind.DRIVER_RESET, arguments={"device": "CUDA0"})
    probe.failure = explain_failure(failure)
    probe.gate.set()
    shown_card.measure.click()
    page.until("the reason", lambda: "The graphics driver was reset" in said(page))
    page.until("the offer again", shown_card.measure.isVisible)
    assert "If it happens again, update the driver" in said(page)
    probe.failure = None
    shown_card.measure.click()
    page.until("the figures", lambda: "20.0 GB/s" in said(page))
    assert "driver was reset" not in said(page), "what was wrong is past"


def test_without_an_engine_there_is_nothing_to_measure_with(page: PagePerson) -> None:
    page.services.surveys.latest = Survey(profile=machine())
    page.open()
    page.until("the doctor", page.view.doctor.summary)
    assert not card(page).isVisible()


def test_the_models_page_prices_with_what_was_measured(styled: QApplication, snug_home: Path) -> None:
    page = PagePerson(styled, "models")
    try:
        page.services.surveys.latest = Survey(profile=machine(), engine=ENGINE)
        page.open()
        page.until("the end of the questions", lambda: rest(page))
        assert "(estimate)" in speed_pill(page)
        assert not any(choice.speed.measured for choice in rows(page))
        page.services.observed.note_probe(every_type(speeds()), driver="", engine="test")
        page.view.hide()
        page.open()
        page.until("other prices", lambda: "(estimate)" not in speed_pill(page))
        page.until("the end of the questions", lambda: rest(page))
        assert all(choice.speed.measured for choice in rows(page)), "also those that the engine answered for"
    finally:
        page.close()


def rest(page: PagePerson) -> bool:
    return bool(rows(page)) and "being asked" not in page.view.header._remark.text()


def rows(page: PagePerson) -> list[Choice]:
    table = page.view.table.choices
    return [table.index(row, MODEL).data(CHOICE_ROLE) for row in range(table.rowCount())]


def speed_pill(page: PagePerson) -> str:
    pills: list[Pill] = page.view.answer._pills
    return next(pill.text() for pill in pills if "tok/s" in pill.text())


def every_type(known: DeviceSpeeds) -> DeviceSpeeds:
    """The same speed for each type that a catalog's files may have."""
    from desktop.runtime.speed_probe.measure import COMMON_TYPES

    pattern = known.types[0]
    kinds = ("f32", *COMMON_TYPES)
    return msgspec.structs.replace(
        known, types=tuple(msgspec.structs.replace(pattern, kind=kind) for kind in dict.fromkeys(kinds))
    )


@pytest.fixture
def speed_card(styled: QApplication) -> Iterator[SpeedCard]:
    with shown(SpeedCard()) as made:
        yield made


@pytest.mark.parametrize("width", [740, 1180])
def test_long_words_are_not_clipped(speed_card: SpeedCard, width: int) -> None:
    long = "NVIDIA GeForce RTX 4070 Ti SUPER Founders Edition of Somebody's Special Series"
    speed_card.resize(width, 400)
    speed_card.set_rows([SpeedRow(long, speeds(read=1800e9, threads=128)), SpeedRow(long, None)])
    speed_card.set_problem(f"{long} " * 4)
    speed_card.set_waiting("answering")
    for _ in range(3):
        QApplication.processEvents()
    assert clipped(speed_card) == []
    assert nameless(speed_card) == []
    assert guessing(speed_card) == []


_MEASURE_AND_CLOSE = """
import contextlib, psutil

def is_probe(child):
    with contextlib.suppress(psutil.Error):  # it has just ended
        return "speed-probe" in child.cmdline()

def probes():
    return [each for each in psutil.Process().children() if is_probe(each)]

def step():
    shown = window()
    if shown is None:
        return
    if shown.current_page != "hardware":
        shown.show_page("hardware")
        return
    card = shown.view("hardware").speeds
    if card.measure.isVisible() and not probes():
        card.measure.click()
    for each in probes():
        if card.stop.isVisible() and "1" in "".join(card.texts()):
            print(each.pid, flush=True)
            timer.stop()
            shown.close()
            return

def begin():
    global timer
    timer = every(100, step)
"""


@pytest.mark.timeout(300)
def test_the_measuring_child_ends_with_the_window(tmp_path: Path) -> None:
    finished = run_window(tmp_path, _MEASURE_AND_CLOSE, timeout=250)
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    pid, deadline = int(finished.stdout.split()[0]), time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)
