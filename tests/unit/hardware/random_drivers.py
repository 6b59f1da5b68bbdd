"""Drivers by chance: cards of which some are sound, some fail and some lie, and what may be believed of each."""

import random
from typing import NamedTuple

from tests.support.stub_nvml import GIB, card

ESSENTIAL = (
    "nvmlDeviceGetHandleByIndex",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetMemoryInfo_v2",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo_v3",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetMigMode",
)
DETAILS = (
    "nvmlDeviceGetMaxClockInfo",
    "nvmlDeviceGetMemoryBusWidth",
    "nvmlDeviceGetBAR1MemoryInfo",
    "nvmlDeviceGetMaxPcieLinkWidth",
    "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetEccMode",
    "nvmlDeviceGetNvLinkState",
    "nvmlDeviceGetP2PStatus",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetFieldValues",
)
ERRORS = (2, 3, 4, 6, 10, 13, 15, 16, 18, 20, 23, 999, 12345)
MINUS_ONE = (1 << 64) - 1
FIGURES: dict[str, tuple[int, ...]] = {
    "temperature": (0, 45, 4_294_967_295),
    "utilization": (0, 100, 101, 4_000_000_000),
    "power_limit": (0, 450_000, 4_294_967_295),
    "bus_width": (0, 384, 4_294_967_295),
    "memory_clock": (0, 10_501, 4_294_967_295),
    "cores": (0, 16_384, 4_294_967_295),
    "generation_max": (0, 5, 255),
    "width_max": (0, 16, 65_535),
    "capability_major": (-1, 8, 1_000_000),
    "bar1": (0, 256 << 20, 32 * GIB, MINUS_ONE),
    "throttle": (0, 0x44, MINUS_ONE),
    "recovery": (0, 1, 77),
    "process_count": (0, 4_294_967_295),
    "nvlinks": (0, 4, 18, 4_294_967_295),
    "nvlink_up": (0, 4, 4_294_967_295),
    "p2p_read": (-5, 0, 6, 99),
    "topology": (-1, 0, 30, 1000),
    "retired": (0, 3, 5000),
    "ecc": (0, 1),
    "corrected": (0, MINUS_ONE),
    "remapped": (0, 4_294_967_295),
}
_NO_PLACE = "error.nvmlDeviceGetPciInfo_v3"
NAMES = ("", "GeForce RTX 4090", "G" * 90, "\u202eevil", "名前", "\x1b[31mred", "%s%n")


class Expected(NamedTuple):
    """What may be believed of a card: the totals it may be listed with, and whether it must be listed."""

    address: str
    totals: frozenset[int]
    must_be_there: bool


class Driver(NamedTuple):
    """One scenario. may_hang: a call never returns."""

    cards: list[dict[str, str | int]]
    settings: dict[str, str | int]
    expected: list[Expected]
    may_hang: bool


def random_driver(seed: int) -> Driver:
    """The same driver for the same seed."""
    chance = random.Random(seed)
    cards: list[dict[str, str | int]] = []
    expected: list[Expected] = []
    for number in range(chance.randint(0, 5)):
        one, believed = _card(chance, bus=1 + number)
        if cards and chance.random() < 0.1:
            one["uuid"] = cards[-1]["uuid"] = "GPU-the-same"
            # One of them may be the other, listed twice.
            if _NO_PLACE in one or _NO_PLACE in cards[-1]:
                believed, expected[-1] = _perhaps(believed), _perhaps(expected[-1])
        cards.append(one)
        expected.append(believed)
        if _NO_PLACE not in one and chance.random() < 0.08:
            cards.append(dict(one))  # the driver lists it twice
    settings: dict[str, str | int] = {}
    if chance.random() < 0.2:
        settings["counts"] = ",".join(str(chance.choice((0, 1, len(cards), 7, 4_294_967_295))) for _ in range(2))
    if chance.random() < 0.2:
        settings["driver"] = chance.choice(("", "\x07", "1" * 70, "535.183.01"))
    if chance.random() < 0.2:
        settings["cuda"] = chance.choice((0, -1, 12_080, 2_000_000_000))
    hangs = any(key.startswith("hang.") for one in cards for key in one)
    if hangs or "counts" in settings:
        expected = [_perhaps(each) for each in expected]
    return Driver(cards, settings, expected, may_hang=hangs)


def _perhaps(expected: Expected) -> Expected:
    return expected._replace(must_be_there=False)


def _card(chance: random.Random, bus: int) -> tuple[dict[str, str | int], Expected]:
    total = chance.choice((2, 6, 8, 11, 16, 24, 32, 48, 80, 141)) * GIB - chance.choice((0, 0, 1, 300 << 20))
    one = card(chance.choice(NAMES), 0, bus=bus) | {"total": total, "used": chance.randint(0, total)}
    totals, sound = {total}, True
    lie = chance.random()
    if lie < 0.1:
        one["total"] = chance.choice((0, 1 << 60, MINUS_ONE, (1 << 44) + 1))
        totals, sound = set(), False
    elif lie < 0.2:
        one["total_v1"] = chance.choice((0, total // 2, total * 2, MINUS_ONE))
        totals.add(min(total, total // 2))
    elif lie < 0.4:
        one[chance.choice(("free", "used"))] = chance.choice((0, total + 1, total * 3, MINUS_ONE))
    for key, values in FIGURES.items():
        if chance.random() < 0.3:
            one[key] = chance.choice(values)
    if chance.random() < 0.4:
        one["compute"] = f"4242:{chance.choice((0, GIB, total + GIB, MINUS_ONE))},0:{GIB}"
    sound = _fail(chance, one) and sound
    if "error.nvmlDeviceGetMemoryInfo_v2" in one:
        one.pop("total_v1", None)  # with one figure alone nobody could know
    return one, Expected(f"0000:{bus:02x}:00.0", frozenset(totals), sound)


def _fail(chance: random.Random, one: dict[str, str | int]) -> bool:
    """Let some of the card's functions fail or hang; return whether the card must be listed all the same."""
    sound = True
    if chance.random() < 0.15:
        one[f"error.{chance.choice(ESSENTIAL)}"] = chance.choice(ERRORS)
        sound = False
    if chance.random() < 0.3:
        code = chance.choice(ERRORS)
        one[f"error.{chance.choice(DETAILS)}"] = code
        sound = sound and code not in {15, 16}  # lost, or to be reset
    if chance.random() < 0.04:
        one[f"hang.{chance.choice(ESSENTIAL + DETAILS)}"] = 1
    return sound
