"""Hardware that is not here."""

from desktop.fit.cards import card_of_size, find_card
from desktop.fit.what_if import imagine
from tests.unit.fit.builders import GIB, machine


def test_imagined_cards_take_the_place_of_the_real_ones() -> None:
    profile = imagine(machine(gpus=(4,)), gpus=[card_of_size(16 * GIB), card_of_size(8 * GIB)])
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


def test_a_card_of_the_table_brings_its_bandwidth_and_memory_of_the_machine_is_shared() -> None:
    card, mac = find_card("RTX 4090"), find_card("M2 Ultra")
    gpu = imagine(machine(), gpus=[card]).gpus[0]
    assert (gpu.vram_total, gpu.bandwidth, gpu.name) == (card.memory, card.bandwidth, card.name)
    profile = imagine(machine(ram=8), gpus=[mac])
    assert profile.gpus[0].uses_ram
    assert profile.ram.total == mac.memory
