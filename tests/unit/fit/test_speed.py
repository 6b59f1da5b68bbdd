"""How fast a model is said to be, before anything was measured."""

import msgspec

from desktop.catalog.types import CatalogModel
from desktop.fit.advice.rows import machine_of, price, rows_of
from desktop.fit.memory.placement import Request
from desktop.fit.types import Choice
from desktop.hardware.types import HardwareProfile
from tests.unit.fit.builders import catalog, machine, model


def _choice(entry: CatalogModel, quant: str, profile: HardwareProfile, context: int = 8192) -> Choice:
    row = next(row for row in rows_of(catalog(entry)) if row.quantization.name == quant)
    return price(row, machine_of(profile), Request(context))


def test_it_is_an_interval_and_not_measured() -> None:
    speed = _choice(model("m"), "Q4_K_M", machine()).speed
    assert 0 < speed.decode_low < speed.decode < speed.decode_high
    assert not speed.measured


def test_an_8b_at_four_bits_writes_as_slowly_on_two_cores_as_it_was_seen_to() -> None:
    # 4.9 GB at 18.5 GB/s, what two cores reached with q4_K: 3.8 tokens per second without the KV cache.
    speed = _choice(model("m"), "Q4_K_M", machine(cores=2)).speed
    assert speed.decode_low < 3.5 < speed.decode_high


def test_smaller_files_are_faster_and_q4_1_is_not_worth_it_on_a_processor() -> None:
    entry = model("m")
    seen = {quant: _choice(entry, quant, machine(ram=64)).speed.decode for quant in ("F16", "Q8_0", "Q6_K", "Q4_K_M")}
    assert list(seen.values()) == sorted(seen.values())
    assert _choice(entry, "Q4_1", machine()).speed.decode < _choice(entry, "Q4_0", machine()).speed.decode


def test_a_card_is_faster_than_the_processor_and_half_a_card_lies_between() -> None:
    entry = model("m")
    cpu, part, card = (_choice(entry, "Q8_0", machine(ram=64, gpus=gpus)).speed.decode for gpus in ((), (6,), (16,)))
    assert cpu < part < card


def test_of_a_mixture_of_experts_only_the_active_part_is_read() -> None:
    dense = _choice(model("dense", billions=30), "Q4_K_M", machine(ram=64)).speed.decode
    sparse = _choice(model("sparse", billions=30, active=3), "Q4_K_M", machine(ram=64)).speed.decode
    assert 4 * dense < sparse < 14 * dense


def test_a_known_bandwidth_is_used() -> None:
    profile = machine(gpus=(24,))
    fast = msgspec.structs.replace(profile.gpus[0], bandwidth=1008 * 10**9)
    known = msgspec.structs.replace(profile, gpus=(fast,))
    speed = _choice(model("m"), "Q4_K_M", known).speed
    limit = 1008 / 4.9  # GB/s over GB: nothing reads faster than its memory
    assert limit / 3 < speed.decode_low < speed.decode_high < limit * 0.75
