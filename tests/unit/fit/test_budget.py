"""What is free of a device: as it is now, not as it was when the engine's child started."""

import msgspec

from desktop.engine.protocol import DeviceMemory
from desktop.fit.memory.budget import budgets_of_devices, with_reclaimed
from desktop.fit.memory.placement import CPU
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


def test_a_loaded_model_gives_back_what_it_holds_and_what_the_driver_took_for_it_serves_the_next() -> None:
    before = budgets_of_devices(machine(), [device("CUDA0", 8), device("CUDA1", 8)])
    held = [DeviceMemory(device="CUDA0", weights=GIB, compute=5), DeviceMemory(device="CUDA1")]
    cpu, used, unused = with_reclaimed(before, held)
    assert used.free == before[1].total  # what is free never passes what there is
    assert (cpu, unused) == (before[0], before[2])
    held = [DeviceMemory(device="CUDA0", kv=7), DeviceMemory(device=CPU, weights=GIB, kv=3)]
    cpu, used, _ = with_reclaimed([msgspec.structs.replace(one, free=GIB) for one in before], held)
    assert used.free - GIB == 7 + used.overhead
    assert cpu.free - GIB == 3 + cpu.overhead, "weights in RAM are mapped and were never taken"
