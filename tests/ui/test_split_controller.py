"""The split editor with its controller, the real library, and the real engine's dry run."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider

from desktop.actions.plan import task_of
from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, EngineInfo, LoadedModel, LoadPlan
from desktop.engine.state import EnginePhase, EngineState
from desktop.errors import AppError
from desktop.fit.plans.split_editor import SplitDraft
from desktop.settings import KV_TYPE, MEMORY_GUARD, WANTED_CONTEXT
from desktop.ui.pages.hardware import split_controller
from desktop.ui.pages.hardware.split import SplitCard
from desktop.ui.widgets.buttons import Button
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.page_person import PagePerson
from tests.support.page_values import GIB, gpu, loaded_model, machine


def button(view: SplitCard, begins: str) -> Button:
    return next(each for each in view.findChildren(Button) if each.isVisible() and each.text().startswith(begins))


class Loads:
    """Stands where the window's loader stands."""

    def __init__(self) -> None:
        self.wanted: list[tuple[str, dict[str, Any]]] = []
        self.under_way: list[asyncio.Future[None]] = []

    def load(self, reference: str = "", **wishes: Any) -> asyncio.Future[None]:
        self.wanted.append((reference, wishes))
        self.under_way.append(asyncio.get_running_loop().create_future())
        return self.under_way[-1]

    def end(self, error: Exception | None = None) -> None:
        if error is None:
            self.under_way[-1].set_result(None)
        else:
            self.under_way[-1].set_exception(error)


CARDS = (gpu("Card One", 12, backend="CUDA0"), gpu("Card Two!", 8, backend="CUDA1"))


def engine_with(*cards: Any) -> EngineInfo:
    devices = tuple(
        EngineDevice(
            name=card.backend, description=card.name, kind=DeviceKind.GPU, backend="CUDA",
            memory_total=card.vram_total, memory_free=card.vram_free, pci_address=card.pci_address,
        )
        for card in cards
    )  # fmt: skip
    return EngineInfo(
        version="test", system_info="", devices=devices, supports_gpu_offload=bool(cards), supports_rpc=False
    )


@pytest.fixture
def person(styled: QApplication, snug_home: Path) -> Iterator[Callable[..., PagePerson]]:
    people: list[PagePerson] = []

    def enter(*cards: Any, loaded: LoadedModel | None = None, plan: LoadPlan | None = None) -> PagePerson:
        from desktop.services import Survey

        page = PagePerson(styled, "hardware")
        people.append(page)
        page.shell.loader = cast("Any", Loads())
        page.settings.set(WANTED_CONTEXT, 4096)
        page.engine.loaded, page.engine.plan = loaded, plan
        found = Survey(profile=machine(*cards), engine=engine_with(*cards))
        page.services.surveys.latest = found

        page.engine.said = engine_with(*cards)
        return page

    yield enter
    for page in people:
        page.close()


def split_of(page: PagePerson) -> SplitCard:
    return cast("SplitCard", page.view.split)


def test_on_this_machine_the_engine_itself_answers(person: Callable[..., PagePerson]) -> None:
    page = person()
    page.open()
    split = split_of(page)
    page.until("the engine's answer", lambda: split.stage_text().startswith("Exact"), timeout=60)
    (cpu,) = split.load_texts()
    assert cpu.endswith("Fits")
    button(split, "Load with this context").click()
    loads = cast("Loads", page.shell.loader)
    page.until("the wish to load", lambda: loads.wanted)
    assert loads.wanted == [("smollm2-135m:Q4_1", {"context": 4096, "split": None})]


def test_context_and_kv_type_are_priced_at_once_and_then_exactly(person: Callable[..., PagePerson]) -> None:
    page = person()
    page.open()
    split = split_of(page)
    page.until("the first prices", split.load_texts)
    before = split.load_texts()[0]
    slider = split.findChild(QSlider)
    assert isinstance(slider, QSlider)
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert split.load_texts()[0] != before, "in the same moment"
    assert split.stage_text().startswith("Estimate")
    page.until("the engine's answer", lambda: split.stage_text().startswith("Exact"), timeout=60)
    split._wishes._kv.setCurrentIndex(1)
    button(split, "Load with this context").click()
    loads = cast("Loads", page.shell.loader)
    page.until("the wish to load", lambda: loads.wanted)
    assert loads.wanted[0][1]["context"] == 8192
    assert page.settings.get(KV_TYPE) == "q8_0"


def test_a_split_by_hand_is_loaded_as_it_is_and_snugs_own_by_itself(person: Callable[..., PagePerson]) -> None:
    page = person(*CARDS)
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    loads = cast("Loads", page.shell.loader)
    button(split, "Load").click()
    page.until("the first wish", lambda: loads.wanted)
    assert loads.wanted[0][1]["split"] is None
    loads.end(AppError(reason="there was no room"))
    page.until("the way to try again", button(split, "Load").isEnabled)
    handle = split._line.handles()[0]
    QTest.keyClick(handle, Qt.Key.Key_Home)
    QTest.keyClick(split._line.handles()[1], Qt.Key.Key_Home)
    QTest.keyClick(split._line.handles()[1], Qt.Key.Key_PageUp)
    assert [text.split(" · ")[0] for text in split.texts()] == ["Card One", "Card Two!"]
    button(split, "Load").click()
    page.until("the second wish", lambda: len(loads.wanted) == 2)
    page.until("a word on it", lambda: split.stage_text() == "Being loaded like this …")
    assert not button(split, "Load").isEnabled()
    loads.end(AppError(reason="there was no room"))
    page.until("the way to try again", button(split, "Load").isEnabled)
    own = loads.wanted[1][1]["split"]
    assert sum(own) == 31
    assert 0 < own[0] < 31
    assert button(split, "Reset").isEnabled()
    button(split, "Reset").click()
    assert not button(split, "Reset").isEnabled(), "this is Snug's split already"
    button(split, "Load").click()
    page.until("the third wish", lambda: len(loads.wanted) == 3)
    assert loads.wanted[2][1]["split"] is None


def test_with_the_memory_check_switched_off_too_much_may_be_tried(person: Callable[..., PagePerson]) -> None:
    tiny = gpu("Card One", 0.6, used=0.3, backend="CUDA0")
    page = person(tiny)
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    QTest.keyClick(split._line.handles()[0], Qt.Key.Key_Home)
    assert "more" in split.load_texts()[1]
    assert not button(split, "Load").isEnabled()
    page.settings.set(MEMORY_GUARD, False)
    QTest.keyClick(split._line.handles()[0], Qt.Key.Key_Right)
    assert "more" in split.load_texts()[1]
    assert button(split, "Load").isEnabled()


@pytest.mark.allow_log("CUDA")
def test_an_engine_that_cannot_answer_leaves_the_estimate_and_says_why(person: Callable[..., PagePerson]) -> None:
    page = person(*CARDS)
    page.open()
    split = split_of(page)
    page.until("an answer", lambda: split.load_texts() and "being asked" not in split.stage_text(), timeout=60)
    assert "CUDA" in split.stage_text() or "device" in split.stage_text()
    assert split.load_texts()[1].endswith(("Fits", "Not used"))


def loaded_starter(page: PagePerson, *layers: str) -> tuple[LoadedModel, LoadPlan]:
    starter = next(model for model in page.services.library.installed() if model.bundled)
    memory = tuple(
        DeviceMemory(device=name, weights=layers.count(name) << 20, kv=1 << 20, compute=1 << 20)
        for name in ("CPU", "CUDA0", "CUDA1")
    )
    model = msgspec.structs.replace(loaded_model(*layers), memory=memory)
    return model, LoadPlan(model_path=starter.path, model_name=starter.name, n_ctx=4096)


def test_what_is_loaded_is_shown_as_it_is_and_followed(person: Callable[..., PagePerson]) -> None:
    page = person(*CARDS)
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    model, page.engine.plan = loaded_starter(page, *["CPU"] * 4, *["CUDA0"] * 20, *["CUDA1"] * 7)
    page.engine.become(EngineState(phase=EnginePhase.READY, loaded=model), loaded=model)
    page.until("what is loaded", lambda: split.stage_text().startswith("As it is loaded"))
    assert split.texts()[1:] == ["Card One · layers 4–23", "Card Two! · layers 24–30"]
    assert split.texts()[0].endswith("· layers 0–3")
    assert "(in use)" in split._models.currentText()
    assert not button(split, "Load").isEnabled()
    assert "already" in button(split, "Load").accessibleDescription()
    QTest.keyClick(split._line.handles()[1], Qt.Key.Key_Right)
    assert split.texts()[1] == "Card One · layers 4–24"
    assert button(split, "Load").isEnabled()


def test_a_hidden_page_does_nothing_when_models_are_loaded(person: Callable[..., PagePerson]) -> None:
    page = person()
    page.open()
    split = split_of(page)
    page.until("prices", split.load_texts)
    page.view.hide()
    model, page.engine.plan = loaded_starter(page, *["CPU"] * 31)
    page.engine.become(EngineState(phase=EnginePhase.READY, loaded=model), loaded=model)
    page.live(0.2)
    assert not split.stage_text().startswith("As it is loaded")
    page.open()
    page.until("what is loaded", lambda: split.stage_text().startswith("As it is loaded"))


def test_the_newest_wish_is_the_one_that_is_answered(person: Callable[..., PagePerson]) -> None:
    page = person()
    page.open()
    split = split_of(page)
    page.until("prices", split.load_texts)
    for context in (2048, 8192, 16384, 2048):
        split.wishes_changed.emit(context, "f16")
        page.live(0.02)
    page.until("the engine's answer", lambda: split.stage_text().startswith("Exact"), timeout=60)
    draft: SplitDraft = page.controller._split._draft  # type: ignore[union-attr]
    assert draft.exact
    assert draft.devices[0].kv == 2048 * 2 * 2 * 30 * 3 * 64
    assert draft.devices[0].total == 16 * GIB


def test_another_model_is_never_loaded_with_the_split_and_context_of_the_one_before(
    person: Callable[..., PagePerson], tmp_path: Path
) -> None:
    page = person(*CARDS)
    path = tmp_path / "other-Q8_0.gguf"
    write_gguf(path, *dense_model(n_layer=12, n_embd=512, n_head=8, n_ff=1024, vocab=4000, kind="q8_0"))
    other = page.services.library.register(path=path, model_id="other", quantization="Q8_0", name="Other")
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    for handle, key in ((0, Qt.Key.Key_Home), (1, Qt.Key.Key_Home), (1, Qt.Key.Key_PageUp)):
        QTest.keyClick(split._line.handles()[handle], key)
    load = button(split, "Load")
    split._models.setCurrentIndex(split._models.findData(other.id))
    assert not load.isEnabled(), "in the same moment"
    assert split.stage_text() == "Reading the model …"
    split.load_requested.emit()
    split.boundary_moved.emit(0, 2)
    split.wishes_changed.emit(8192, "q8_0")
    page.until("the other model's split", load.isEnabled)
    load.click()
    loads = cast("Loads", page.shell.loader)
    page.until("the wish to load", lambda: loads.wanted)
    assert loads.wanted == [(other.id, {"context": 4096, "split": None})]


@pytest.mark.allow_log("could not be saved")
def test_a_kv_type_that_cannot_be_saved_is_told_and_the_model_is_loaded(person: Callable[..., PagePerson]) -> None:
    page = person(*CARDS)
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    page.keep_settings_from_being_saved()
    split._wishes._kv.setCurrentIndex(1)
    button(split, "Load").click()
    loads = cast("Loads", page.shell.loader)
    page.until("the wish to load", lambda: loads.wanted)
    assert "could not be saved" in page.notices[-1].text
    assert split.stage_text() == "Being loaded like this …"


def test_an_answer_about_what_was_moved_before_does_not_replace_what_is_loaded(
    person: Callable[..., PagePerson], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = person(*CARDS)
    page.open()
    split = split_of(page)
    page.until("a split", split.texts)
    may_read, may_answer, asked = asyncio.Event(), asyncio.Event(), []

    async def read_slowly(services: Any, model: Any, **_again: Any) -> Any:
        await may_read.wait()
        return await task_of(services, model)

    async def answer_slowly(*_question: Any) -> tuple[DeviceMemory, ...]:
        asked.append(True)
        await may_answer.wait()
        return ()

    monkeypatch.setattr(split_controller, "task_of", read_slowly)
    monkeypatch.setattr(split_controller, "exact_split", answer_slowly)
    model, page.engine.plan = loaded_starter(page, *["CPU"] * 4, *["CUDA0"] * 20, *["CUDA1"] * 7)
    page.engine.become(EngineState(phase=EnginePhase.READY, loaded=model), loaded=model)
    QTest.keyClick(split._line.handles()[1], Qt.Key.Key_Home)
    page.until("the question", lambda: asked)
    may_read.set()
    page.until("what is loaded", lambda: split.stage_text().startswith("As it is loaded"))
    may_answer.set()
    page.live(0.1)
    assert split.stage_text().startswith("As it is loaded")
    assert not button(split, "Load").isEnabled()
