"""What a driver takes for itself is learned from the first quiet samples after a load, and used by the next plan."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.actions.learn import OverheadLearner, seen_overheads
from desktop.actions.survey import learned_overheads
from desktop.engine.protocol import DeviceMemory, LoadedModel
from desktop.fit.memory.budget import GPU_OVERHEAD, budgets_of_devices
from desktop.hardware.types import GpuSample, HardwareSample
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from tests.unit.fit.builders import GIB, device, machine

CARD = device("CUDA0", 11.5, pci_address="0000:c1:00.0")
MODEL = LoadedModel(
    name="M", architecture="llama", n_layer=2, n_ctx=512, n_ctx_train=512, n_vocab=1, n_params=1, n_threads=1,
    has_chat_template=True, layers=("CUDA0",) * 3, load_seconds=0.1,
    memory=(DeviceMemory(device="CPU", weights=GIB), DeviceMemory(device="CUDA0", weights=4 * GIB, kv=GIB)),
)  # fmt: skip


def sample(used_by_us: int | None, *, address: str = "00000000:C1:00.0") -> HardwareSample:
    card = GpuSample(
        name="RTX 3060", vram_total=12 * GIB, vram_used=8 * GIB, used_by_us=used_by_us, pci_address=address
    )
    return HardwareSample(time=0.0, ram_total=32 * GIB, ram_used=12 * GIB, ram_used_by_us=GIB, gpus=(card,))


@pytest.fixture
def services() -> Iterator[Services]:
    services = create_services(user_paths())
    yield services
    asyncio.run(services.close())


def test_only_what_the_driver_tells_of_this_card_is_learned() -> None:
    assert seen_overheads(MODEL, (CARD,), sample(5 * GIB + 300)) == {"CUDA0": 300}
    assert seen_overheads(MODEL, (CARD,), sample(None)) == {}
    assert seen_overheads(MODEL, (CARD,), sample(6 * GIB, address="0000:01:00.0")) == {}


@pytest.mark.allow_log("not learned")
def test_what_cannot_be_is_not_learned() -> None:
    assert seen_overheads(MODEL, (CARD,), sample(3 * GIB)) == {}
    assert seen_overheads(MODEL, (CARD,), sample(11 * GIB)) == {}


def test_a_load_is_learned_from_once_and_the_next_plan_knows(services: Services) -> None:
    engine: Any = SimpleNamespace(loaded=MODEL, info=SimpleNamespace(version="1.0", devices=(CARD,)))
    loaded: Any = SimpleNamespace(engine=engine, surveys=services.surveys, observed=services.observed)
    learner = OverheadLearner(loaded)

    async def look() -> None:
        for used in (5 * GIB + 1, 5 * GIB + 2, 5 * GIB + 333, 5 * GIB + 4):
            await learner.see(sample(used))

    asyncio.run(look())
    learned = learned_overheads(services, Survey(profile=machine(), engine=engine.info))
    assert learned == {"CUDA0": 333}
    before = budgets_of_devices(machine(), (CARD,))
    after = budgets_of_devices(machine(), (CARD,), overheads=learned)
    assert (before[1].overhead, after[1].overhead) == (GPU_OVERHEAD, 333)
