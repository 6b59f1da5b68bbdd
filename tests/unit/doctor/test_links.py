"""What the doctor says of Resizable BAR, PCIe and the way from card to card."""

import msgspec
import pytest

from desktop.hardware.types import GpuPath, HardwareProfile, NvLink, P2pStatus, PcieLink
from tests.support.doctor_values import (
    CARD,
    GIB,
    GOOD_FACTS,
    MACHINE,
    another_card,
    checked,
    with_card,
    with_cards,
    words,
)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("window", "found"),
    [
        (None, "off for RTX 4070"),
        (256 << 20, "off for RTX 4070: the processor sees 256 MiB of 12.0 GiB at a time"),
    ],
)
async def test_resizable_bar_that_is_off_names_the_card(window: int | None, found: str) -> None:
    check = (await checked(with_card(resizable_bar=False, bar1_total=window)))["resizable-bar"]
    assert (check.status, check.found.render()) == ("warn", found)
    assert "firmware" in words(check)


@pytest.mark.asyncio
async def test_a_card_that_does_not_tell_its_window_is_not_judged() -> None:
    assert (await checked(with_card(resizable_bar=None)))["resizable-bar"].status == "skip"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("width", "width_max", "status", "found"),
    [
        (16, 16, "pass", "RTX 4070: x16"),
        (8, 16, "pass", "RTX 4070: x8, of x16 that card and slot could do"),
        (4, 16, "warn", "RTX 4070: x4, of x16 that card and slot could do"),
        (4, 4, "pass", "RTX 4070: x4"),
        (None, 16, "skip", "no card tells"),
    ],
)
async def test_a_narrow_link_is_told_unless_the_card_has_no_more(
    width: int | None, width_max: int, status: str, found: str
) -> None:
    link = PcieLink(generation=4, generation_max=4, width=width, width_max=width_max)
    check = (await checked(with_card(pcie=link)))["pcie-width"]
    assert (check.status, check.found.render()) == (status, found)


@pytest.mark.asyncio
async def test_the_card_on_a_riser_is_told_and_not_the_one_that_has_no_more_lanes() -> None:
    small = another_card(name="Laptop GPU", pcie=PcieLink(width=1, width_max=1))
    riser = msgspec.structs.replace(CARD, pcie=PcieLink(width=4, width_max=16))
    check = (await checked(with_cards(small, riser)))["pcie-width"]
    assert (check.status, check.found.render()) == (
        "warn",
        "RTX 4070: x4, of x16 that card and slot could do",
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("now", "throttle", "status", "found"),
    [
        (4, (), "pass", "RTX 4070: generation 4"),
        (
            1,
            (),
            "skip",
            "RTX 4070: generation 1 of 4 now; an idle card saves power, so look while a model answers",
        ),
        (1, ("power_cap",), "warn", "RTX 4070: generation 1 of 4 under load"),
        (1, ("thermal_driver",), "warn", "RTX 4070: generation 1 of 4 under load"),
        (None, (), "skip", "no card tells"),
    ],
)
async def test_a_slow_generation_counts_only_for_a_card_that_works(
    now: int | None, throttle: tuple[str, ...], status: str, found: str
) -> None:
    link = PcieLink(generation=now, generation_max=4, width=16, width_max=16)
    check = (await checked(with_card(pcie=link, throttle=throttle)))["pcie-generation"]
    assert (check.status, check.found.render()) == (status, found)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("now", "status", "found"),
    [(1, "warn", "RTX 4070: generation 1 of 4 under load"), (4, "pass", "RTX 4070: generation 4")],
)
async def test_a_link_that_was_read_under_load_is_judged(now: int, status: str, found: str) -> None:
    idle = PcieLink(generation=1, generation_max=4, width=16, width_max=16)
    loaded = msgspec.structs.replace(idle, generation=now)
    facts = msgspec.structs.replace(GOOD_FACTS, links_under_load={CARD.pci_address: loaded})
    check = (await checked(with_card(pcie=idle), facts=facts))["pcie-generation"]
    assert (check.status, check.found.render()) == (status, found)


@pytest.mark.asyncio
async def test_of_two_cards_the_idle_one_is_not_judged() -> None:
    idle = PcieLink(generation=1, generation_max=4, width=16, width_max=16)
    loaded = msgspec.structs.replace(idle, generation=4)
    facts = msgspec.structs.replace(GOOD_FACTS, links_under_load={CARD.pci_address: loaded})
    profile = with_cards(msgspec.structs.replace(CARD, pcie=idle), another_card(pcie=idle))
    check = (await checked(profile, facts=facts))["pcie-generation"]
    assert check.status == "skip"
    assert check.found.render().startswith("RTX 3060: generation 1 of 4 now")


def pair(read: P2pStatus | None, nvlink: P2pStatus = "not_supported", active: int = 0) -> HardwareProfile:
    link = NvLink(links=4, active=active) if active else None
    first = GpuPath(peer="0000:d1:00.0", read=read, write=read, nvlink=nvlink)
    second = GpuPath(peer="0000:c1:00.0", read=read, write=read, nvlink=nvlink)
    return with_cards(
        msgspec.structs.replace(CARD, paths=(first,), nvlink=link), another_card(paths=(second,), nvlink=link)
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("profile", "status", "found"),
    [
        (pair("ok", "ok", 4), "pass", "directly, over NVLink"),
        (pair("ok"), "pass", "directly, over PCIe"),
        (pair("chipset"), "pass", "through main memory"),
        (pair("disabled"), "pass", "through main memory"),
        (pair(None), "skip", "no card tells"),
        (with_card(), "skip", "fewer than two cards"),
        (MACHINE, "skip", "fewer than two cards"),
        (with_cards(CARD, another_card(uses_ram=True)), "skip", "fewer than two cards"),
    ],
)
async def test_the_way_between_cards_is_told_and_never_a_fault(
    profile: HardwareProfile, status: str, found: str
) -> None:
    check = (await checked(profile))["peer-to-peer"]
    assert check.status == status
    assert check.found.render().startswith(found)


@pytest.mark.asyncio
async def test_sizes_are_of_the_card_that_is_off() -> None:
    small = another_card(vram_total=8 * GIB, resizable_bar=False, bar1_total=256 << 20)
    check = (await checked(with_cards(CARD, small)))["resizable-bar"]
    assert check.found.render() == "off for RTX 3060: the processor sees 256 MiB of 8.0 GiB at a time"
