"""What the gauge of the chat makes of a second's sample and of what the engine says it holds."""

from collections.abc import Callable

import msgspec
import pytest

from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, LoadedModel, LoadPlan
from desktop.hardware.sources import slow_source
from desktop.hardware.types import GpuSample, HardwareSample
from desktop.ui.pages.chat.memory import comparison, comparison_by_device, gauge_rows
from tests.support.page_values import GIB, loaded_model
from tests.ui.conftest import ChatPerson

CARD = EngineDevice(
    name="CUDA0",
    description="Card",
    kind=DeviceKind.GPU,
    backend="CUDA",
    memory_total=12 * GIB,
    memory_free=6 * GIB,
    pci_address="0000:01:00.0",
)


def model(*memory: DeviceMemory) -> LoadedModel:
    return msgspec.structs.replace(loaded_model("CPU", "CPU"), memory=memory)


def sample(*gpus: GpuSample, used: int = 6, ours: int = 4, mapped: int = 0) -> HardwareSample:
    return HardwareSample(
        time=0.0,
        ram_total=16 * GIB,
        ram_used=used * GIB,
        ram_used_by_us=ours * GIB,
        ram_mapped_by_us=mapped * GIB,
        gpus=gpus,
    )


def test_a_card_shows_what_the_model_holds_and_what_others_do() -> None:
    gpu = GpuSample(name="NVIDIA GeForce Card", vram_total=12 * GIB, vram_used=9 * GIB, pci_address="0000:01:00.0")
    held = DeviceMemory(device="CUDA0", weights=5 * GIB, kv=GIB, compute=GIB)
    card, _ram = gauge_rows(sample(gpu), model=model(held), devices=(CARD,))
    assert card.name == "Card"
    assert [part // GIB for part in (card.weights, card.kv, card.compute, card.others)] == [5, 1, 1, 2]
    assert card.figure == "9.00 of 12.0 GiB"


def test_another_card_holds_nothing_of_the_model() -> None:
    gpu = GpuSample(name="Other", vram_total=8 * GIB, vram_used=GIB, pci_address="0000:02:00.0")
    held = DeviceMemory(device="CUDA0", weights=5 * GIB)
    card, _ram = gauge_rows(sample(gpu), model=model(held), devices=(CARD,))
    assert (card.weights, card.others) == (0, GIB)


def test_a_mapped_model_stands_beside_what_the_system_calls_used() -> None:
    held = DeviceMemory(device="CPU", weights=3 * GIB, kv=0, compute=GIB // 2)
    (ram,) = gauge_rows(sample(used=6, ours=4, mapped=3), model=model(held), devices=())
    assert (ram.weights, ram.compute, ram.others) == (3 * GIB, GIB, 5 * GIB)
    assert ram.figure == "9.00 of 16.0 GiB"


@pytest.mark.parametrize(
    ("used", "verdict", "kind"),
    [(100, "as predicted", "fits"), (80, "less than predicted", "fits"), (120, "more than predicted", "tight")],
)
def test_the_prediction_is_held_against_what_is_used(used: int, verdict: str, kind: str) -> None:
    plan = LoadPlan(
        model_path="/m.gguf", model_name="M", n_ctx=4096, predicted=(DeviceMemory(device="CPU", weights=100 * GIB),)
    )
    words, said, pill = comparison(plan, model(DeviceMemory(device="CPU", weights=used * GIB)))
    assert words == f"predicted 100.0, used {used}.0 GiB"
    assert (said, pill) == (verdict, kind)


def test_the_prediction_of_each_device_says_where_it_comes_from() -> None:
    predicted = (DeviceMemory(device="CPU", weights=GIB, overhead=GIB), DeviceMemory(device="CUDA0", weights=2 * GIB))
    plan = LoadPlan(model_path="/m.gguf", model_name="M", n_ctx=4096, predicted=predicted, exact=True)
    loaded = model(DeviceMemory(device="CPU", weights=GIB), DeviceMemory(device="CUDA0", weights=3 * GIB))
    lines = comparison_by_device(plan, loaded).splitlines()
    assert lines[:2] == ["CPU: predicted 1.00, used 1.00 GiB", "CUDA0: predicted 2.00, used 3.00 GiB"]
    assert "the engine itself" in lines[2]
    assert comparison_by_device(None, loaded) == ""


def test_a_hidden_inspector_does_nothing_and_goes_on_where_it_is_shown(chat: Callable[..., ChatPerson]) -> None:
    person = chat()
    person.window.resize(1280, 820)
    person.until("the inspector", person.view.inspector.isVisible)
    memory = person.view.inspector.memory
    person.shell.sampled.emit(sample(used=6))
    assert "6.00 of 16.0 GiB" in memory.texts()
    person.view.set_folds(sidebar=False, inspector=True)
    for used in (7, 8):
        person.shell.sampled.emit(sample(used=used))
    assert "6.00 of 16.0 GiB" in memory.texts()
    assert len(memory._line._values) == 1
    person.view.set_folds(sidebar=False, inspector=False)
    assert "8.00 of 16.0 GiB" in memory.texts()
    assert [round(16 * part) for part in memory._line._values] == [6, 7, 8], "the line tells what nobody saw"
    person.shell.sampled.emit(sample(used=9))
    assert "9.00 of 16.0 GiB" in memory.texts()


def test_no_gpu_is_said_only_where_nothing_says_that_its_driver_does_not_answer(
    chat: Callable[..., ChatPerson],
) -> None:
    person = chat()
    person.window.resize(1280, 820)
    person.until("the inspector", person.view.inspector.isVisible)
    note = person.view.inspector.memory._note
    gpu = GpuSample(name="NVIDIA GeForce Card", vram_total=12 * GIB, vram_used=9 * GIB)
    person.shell.sampled.emit(sample(gpu))
    assert note.text() == ""
    person.shell.sampled.emit(msgspec.structs.replace(sample(), problems=(slow_source("GPU"),)))
    assert note.text() == "GPU did not answer in time."
    person.shell.sampled.emit(sample())
    assert note.text() == "No GPU: the model runs in main memory"
