"""What is free of a device: as it is now, not as it was when the engine's child started."""

import msgspec

from desktop.fit.budget import budgets_of_devices
from desktop.hardware.types import Gpu
from tests.unit.fit.builders import GIB, device, machine


def test_memory_that_others_took_since_the_engine_started_is_not_counted_on() -> None:
    seen = device("CUDA0", 11.2)
    card = Gpu(name="Card", vendor="nvidia", vram_total=12 * GIB, vram_free=5 * GIB, backend="CUDA0")
    profile = msgspec.structs.replace(machine(), gpus=(card,))
    (_, budget) = budgets_of_devices(profile, [seen])
    assert budget.free == 5 * GIB


def test_without_a_probe_of_the_card_the_engine_is_believed() -> None:
    seen = device("RPC0", 11.2, backend="RPC")
    (_, budget) = budgets_of_devices(machine(), [seen])
    assert budget.free == seen.memory_free
