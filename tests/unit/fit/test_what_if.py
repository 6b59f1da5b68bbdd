"""Hardware that is not here."""

from desktop.fit.what_if import imagine
from tests.unit.fit.builders import GIB, machine


def test_imagined_cards_take_the_place_of_the_real_ones() -> None:
    profile = imagine(machine(gpus=(4,)), gpus=[16 * GIB, 8 * GIB])
    assert [gpu.vram_total for gpu in profile.gpus] == [16 * GIB, 8 * GIB]
    assert [gpu.backend for gpu in profile.gpus] == ["GPU0", "GPU1"]
    assert all(0.9 * gpu.vram_total < gpu.vram_free < gpu.vram_total for gpu in profile.gpus)


def test_imagined_memory_leaves_room_for_the_system() -> None:
    profile = imagine(machine(ram=8), ram=32 * GIB)
    assert profile.ram.total == 32 * GIB
    assert 24 * GIB < profile.ram.available < 30 * GIB
    assert imagine(machine(), ram=GIB).ram.available == 0


def test_nothing_imagined_changes_nothing() -> None:
    profile = machine(gpus=(8,))
    assert imagine(profile) == profile
