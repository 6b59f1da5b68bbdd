"""What the doctor says of cards that do not work as they should."""

import msgspec
import pytest

from desktop.hardware.types import BusCard, EccErrors, Gpu, HardwareProfile, LostCard, Mig, MigPart, Vendor
from tests.support.doctor_values import CARD, GIB, MACHINE, changed, checked, engine, with_card, with_cards, words

SILENT = BusCard(vendor="nvidia", name="GA106 [GeForce RTX 3060]", pci_address="0000:01:00.0")


def losing(reason: str, **changes: object) -> HardwareProfile:
    card = LostCard(vendor="nvidia", name="RTX 3060", reason=reason, detail="GPU is lost")  # type: ignore[arg-type]
    return with_cards(CARD, lost_cards=(card,), **changes)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reason", "found", "remedy"),
    [
        ("lost", "RTX 3060 was lost: it does not answer any more, as happens after sleep", "nvidia-suspend"),
        ("reset_required", "RTX 3060 has to be reset before it can be used", "nvidia-smi -r"),
        ("no_permission", "this user may not use RTX 3060", "usermod -aG video,render"),
        ("no_memory", "RTX 3060 does not tell how much memory it has", "install the driver anew"),
        ("failed", "RTX 3060 does not answer: GPU is lost", "install the driver anew"),
    ],
)
async def test_a_card_that_cannot_be_used_is_a_failure(reason: str, found: str, remedy: str) -> None:
    check = (await checked(losing(reason)))["gpu-lost"]
    assert (check.status, check.found.render()) == ("fail", found)
    assert remedy in words(check)


@pytest.mark.asyncio
@pytest.mark.parametrize("reason", ["lost", "no_permission", "reset_required"])
async def test_windows_has_remedies_of_its_own(reason: str) -> None:
    check = (await checked(losing(reason, system="Windows 11 AMD64")))["gpu-lost"]
    assert "sudo" not in words(check)


@pytest.mark.asyncio
async def test_a_card_that_asks_for_a_reset_still_works() -> None:
    check = (await checked(with_card(recovery="reset")))["gpu-lost"]
    assert check.status == "warn"
    assert "asks for a reset" in check.found.render()


@pytest.mark.asyncio
async def test_a_card_on_the_bus_that_a_working_driver_does_not_list_is_lost() -> None:
    check = (await checked(with_cards(CARD, silent_cards=(SILENT,))))["gpu-lost"]
    assert (check.status, check.found.render()) == (
        "fail",
        "on the bus, but not known to the driver: GA106 [GeForce RTX 3060]",
    )


@pytest.mark.asyncio
async def test_a_driver_whose_only_card_is_lost_is_not_blamed() -> None:
    profile = losing("lost")
    checks = await checked(msgspec.structs.replace(profile, gpus=()))
    assert (checks["nvidia-driver"].status, checks["gpu-lost"].status) == ("skip", "fail")


@pytest.mark.asyncio
async def test_without_any_driver_that_is_the_drivers_check_and_not_this_one() -> None:
    checks = await checked(changed(silent_cards=(SILENT,)))
    assert (checks["nvidia-driver"].status, checks["gpu-lost"].status) == ("fail", "skip")


NAVI = BusCard(vendor="amd", name="Navi 31", pci_address="0000:02:00.0")
ARC = BusCard(vendor="intel", name="DG2", pci_address="0000:03:00.0")


@pytest.mark.asyncio
@pytest.mark.parametrize("beside", [(), (CARD,)], ids=["alone", "beside an NVIDIA card"])
@pytest.mark.parametrize(("silent", "driver"), [(NAVI, "amdgpu"), (ARC, "i915")])
async def test_a_silent_card_is_told_in_words_of_its_own_maker(
    silent: BusCard, driver: str, beside: tuple[Gpu, ...]
) -> None:
    checks = await checked(with_cards(*beside, silent_cards=(silent,)))
    lost = checks["gpu-lost"]
    assert (lost.status, lost.found.render()) == ("fail", f"{silent.name}, without a working driver")
    assert driver in words(lost)
    assert "nvidia" not in words(lost).lower()
    assert checks["nvidia-driver"].status == ("pass" if beside else "skip")
    assert checks["xid"].status == ("pass" if beside else "skip")


@pytest.mark.asyncio
async def test_silent_cards_of_two_makers_are_told_one_after_the_other() -> None:
    checks = await checked(changed(silent_cards=(ARC, SILENT, NAVI, NAVI)))
    assert checks["nvidia-driver"].found.render() == f"{SILENT.name}, without a working driver"
    assert checks["gpu-lost"].found.render() == "Navi 31 × 2, without a working driver"


@pytest.mark.asyncio
@pytest.mark.parametrize(("vendor", "driver"), [("amd", "amdgpu"), ("intel", "i915")])
async def test_a_driver_that_is_a_part_of_linux_is_not_to_be_installed_anew(vendor: Vendor, driver: str) -> None:
    card = LostCard(vendor=vendor, name="A card", reason="no_memory", detail="")
    assert driver in words((await checked(changed(lost_cards=(card,))))["gpu-lost"])
    windows = changed(lost_cards=(card,), system="Windows 11 AMD64")
    assert "install the driver anew" in words((await checked(windows))["gpu-lost"])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("throttle", "status", "found"),
    [
        (None, "skip", "no card tells"),
        ((), "pass", "not now"),
        (("sync_boost",), "pass", "not now"),
        (("power_cap",), "pass", "RTX 4070 is at its power limit, as is normal under full load"),
        (("power_cap", "thermal_driver"), "warn", "RTX 4070 is slowed because it is hot (92 °C)"),
        (("thermal_hardware",), "warn", "RTX 4070 is slowed because it is hot (92 °C)"),
        (("power_brake",), "warn", "RTX 4070 is slowed by its hardware: too little power, or too hot"),
        (("hardware_slowdown",), "warn", "RTX 4070 is slowed by its hardware: too little power, or too hot"),
    ],
)
async def test_throttling(throttle: tuple[str, ...] | None, status: str, found: str) -> None:
    check = (await checked(with_card(throttle=throttle, temperature=92.0)))["throttling"]
    assert (check.status, check.found.render()) == (status, found)
    assert (check.remedy is not None) == (status == "warn")


@pytest.mark.asyncio
async def test_a_hot_card_that_does_not_tell_its_temperature() -> None:
    check = (await checked(with_card(throttle=("thermal_driver",))))["throttling"]
    assert check.found.render() == "RTX 4070 is slowed because it is hot"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("ecc", "status"),
    [
        (None, "skip"),
        (EccErrors(corrected=12, uncorrected_in_its_life=2, retired_pages=1), "pass"),
        (EccErrors(uncorrected=1), "warn"),
        (EccErrors(pending=True), "warn"),
        (EccErrors(remap_failed=True), "fail"),
    ],
)
async def test_errors_in_card_memory(ecc: EccErrors | None, status: str) -> None:
    assert (await checked(with_card(ecc=ecc)))["memory-errors"].status == status


@pytest.mark.asyncio
async def test_a_failing_card_comes_before_one_that_needs_a_restart() -> None:
    pending = msgspec.structs.replace(CARD, ecc=EccErrors(pending=True))
    failing = msgspec.structs.replace(CARD, name="A100", ecc=EccErrors(remap_failed=True))
    check = (await checked(with_cards(pending, failing)))["memory-errors"]
    assert check.status == "fail"
    assert "A100" in check.found.render()


@pytest.mark.asyncio
async def test_a_divided_card_says_which_part_a_model_gets() -> None:
    part = MigPart(name="1g.20gb", vram_total=20 * GIB, vram_free=20 * GIB)
    profile = with_card(vram_total=20 * GIB, mig=Mig(enabled=True, card_total=80 * GIB, parts=(part,)), index=1)
    check = (await checked(profile))["mig"]
    assert (check.status, check.found.render()) == (
        "warn",
        "RTX 4070 is divided (MIG): a model gets 20.0 GiB of its 80.0 GiB",
    )
    assert "nvidia-smi -i 1 -mig 0" in words(check)


@pytest.mark.asyncio
async def test_a_divided_card_without_parts_is_of_no_use() -> None:
    check = (await checked(with_card(mig=Mig(enabled=True, card_total=80 * GIB))))["mig"]
    assert check.status == "fail"
    assert "no model can use it" in check.found.render()


@pytest.mark.asyncio
async def test_of_two_cards_with_one_name_the_place_is_told() -> None:
    twin = msgspec.structs.replace(CARD, pci_address="0000:d1:00.0", throttle=("thermal_driver",))
    checks = await checked(with_cards(CARD, twin), engine())
    assert checks["throttling"].found.render() == "RTX 4070 (0000:d1:00.0) is slowed because it is hot"
    assert checks["gpu-offload"].found.render().endswith(": RTX 4070 × 2")


@pytest.mark.asyncio
async def test_nothing_is_said_of_cards_where_there_is_none() -> None:
    checks = await checked(MACHINE)
    assert {checks[name].status for name in ("gpu-lost", "throttling", "memory-errors", "mig")} == {"skip"}
