"""Hardware that is not here."""

import msgspec

from desktop.fit.cards.cards import card_of_size, find_card
from desktop.fit.cards.what_if import imagine, imagined_devices, used_cards
from desktop.fit.memory.budget import budgets_of_profile
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


def test_a_card_in_addition_keeps_those_that_are_used() -> None:
    profile = imagine(machine(gpus=(4,)), gpus=[card_of_size(16 * GIB)], keep=True)
    assert [(gpu.backend, gpu.vram_total) for gpu in profile.gpus] == [("GPU0", 4 * GIB), ("GPU1", 16 * GIB)]
    unused = msgspec.structs.replace(profile.gpus[0], backend=None, unused_reason="no driver")
    broken = msgspec.structs.replace(machine(), gpus=(unused,))
    assert used_cards(broken) == ()
    assert [gpu.vram_total for gpu in imagine(broken, gpus=[card_of_size(8 * GIB)], keep=True).gpus] == [8 * GIB]


def test_while_the_engine_was_not_asked_all_usable_cards_are_kept() -> None:
    card = msgspec.structs.replace(machine(gpus=(4,)).gpus[0], backend=None)
    profile = msgspec.structs.replace(machine(), gpus=(card,), backends=())
    more = imagine(profile, gpus=[card_of_size(16 * GIB)], keep=True)
    assert [budget.total for budget in budgets_of_profile(more) if budget.is_gpu] == [4 * GIB, 16 * GIB]


def test_cards_of_other_machines_come_first_and_bring_no_ram() -> None:
    base = machine(ram=8, gpus=(4,))
    profile = imagine(base, remote=[card_of_size(16 * GIB), find_card("M2 Ultra")], keep=True)
    assert [gpu.backend for gpu in profile.gpus] == ["RPC0", "RPC1", "GPU0"]
    assert not any(gpu.uses_ram for gpu in profile.gpus)
    assert profile.ram == base.ram
    assert [budget.name for budget in budgets_of_profile(profile)] == ["CPU", "RPC0", "RPC1", "GPU0"]


def test_ram_alone_leaves_the_cards_as_they_are() -> None:
    base = machine(gpus=(8,))
    profile = imagine(base, ram=64 * GIB, keep=True)
    assert (profile.gpus, profile.backends) == (base.gpus, base.backends)


def test_the_engine_can_be_asked_about_cards_that_are_not_there_unless_they_share_the_main_memory() -> None:
    profile = imagine(machine(gpus=(4,)), gpus=[card_of_size(16 * GIB)], remote=[card_of_size(8 * GIB)], keep=True)
    devices = imagined_devices(profile)
    assert devices is not None
    assert [(device.name, device.memory_total >> 30, device.remote) for device in devices] == [
        ("RPC0", 8, True),
        ("GPU0", 4, False),
        ("GPU1", 16, False),
    ]
    assert imagined_devices(imagine(machine(), gpus=[find_card("M2 Ultra")])) is None
    assert imagined_devices(machine()) == ()
