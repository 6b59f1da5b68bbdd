"""What the doctor says of the engine, and of a machine where all is well or little is there."""

import re
import string
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import desktop.doctor.engine
from desktop.doctor.check import Status
from desktop.errors import AppError, Phrase
from desktop.hardware.types import EccErrors, Gpu, GpuPath, Mig, NvLink, SourceProblem
from desktop.library.starter import StarterModelMissing
from tests.support.doctor_values import (
    CARD,
    CUDA,
    GOOD_FACTS,
    MACHINE,
    NO_CUDA,
    another_card,
    changed,
    checked,
    engine,
    with_card,
    with_cards,
)


def full(card: Gpu, peer: Gpu) -> Gpu:
    """A card that tells everything a driver can tell."""
    path = GpuPath(peer=peer.pci_address or "", read="ok", write="ok", nvlink="ok", topology="host_bridge")
    return msgspec.structs.replace(
        card,
        paths=(path,),
        nvlink=NvLink(links=4, active=4, peers=(path.peer,) * 4),
        ecc=EccErrors(corrected=3),
        mig=Mig(enabled=False, card_total=card.vram_total),
    )


@pytest.mark.asyncio
async def test_a_good_machine_has_nothing_to_mend_and_nothing_is_skipped() -> None:
    other = another_card()
    second = msgspec.structs.replace(CUDA, name="CUDA1", description=other.name, pci_address=other.pci_address)
    libraries = (*GOOD_FACTS.engine_build.libraries, "vulkan")
    build = msgspec.structs.replace(GOOD_FACTS.engine_build, libraries=libraries)
    facts = msgspec.structs.replace(GOOD_FACTS, engine_build=build)
    checks = await checked(with_cards(full(CARD, other), full(other, CARD)), engine(CUDA, second), facts=facts)
    starter = checks.pop("starter-model")
    assert starter.status in {"pass", "warn"}  # depends on the set-up, and has a test of its own
    assert {check.id: check.status for check in checks.values()} == dict.fromkeys(checks, "pass")
    assert checks["gpu-offload"].found.render() == "CUDA0, CUDA1"
    assert all(check.remedy is None for check in checks.values())


@pytest.mark.asyncio
async def test_without_a_card_its_checks_are_skipped() -> None:
    facts = msgspec.structs.replace(GOOD_FACTS, engine_build=NO_CUDA)
    checks = await checked(MACHINE, engine(), facts=facts)
    passed = {name for name, check in checks.items() if check.status == "pass"}
    of_the_machine = {"engine", "hardware", "cpu", "cpu-build", "ram", "swap", "disk", "disk-speed"}
    assert passed - {"starter-model"} == of_the_machine
    others = checks.keys() - of_the_machine - {"starter-model"}
    assert {checks[name].status for name in others} == {"skip"}


@pytest.mark.asyncio
async def test_the_ids_are_the_documented_ones() -> None:
    document = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", document, re.MULTILINE)) - set(get_args(Status))
    assert set(await checked(MACHINE)) == documented


@pytest.mark.asyncio
async def test_a_machine_that_was_not_read_completely_is_told() -> None:
    problem = SourceProblem(source="disk", what=Phrase.of("disk did not answer in time."))
    check = (await checked(changed(problems=(problem,))))["hardware"]
    assert (check.status, check.found.render()) == ("warn", "disk did not answer in time.")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("source", "seconds", "status"),
    [
        ("NVML", 3.0, "warn"),  # it hung after the card's name and memory
        ("NVML card 0", None, "warn"),  # a call for details failed
        ("NVML", None, "pass"),  # a lost card, MIG: checks of their own
        ("PCI", None, "pass"),
        ("AMD", None, "warn"),
    ],
)
async def test_a_driver_that_breaks_off_is_told_and_nothing_is_told_twice(
    source: str, seconds: float | None, status: str
) -> None:
    problem = SourceProblem(source=source, what=Phrase.of("it broke off"), seconds=seconds)
    assert (await checked(with_cards(CARD, problems=(problem,)), engine(CUDA)))["hardware"].status == status


@pytest.mark.asyncio
@pytest.mark.parametrize(("vendor", "backend"), [("nvidia", "cuda"), ("amd", "vulkan"), ("apple", "metal")])
async def test_a_card_the_engine_was_not_built_for_names_the_build(vendor: str, backend: str) -> None:
    check = (await checked(with_card(vendor=vendor), engine()))["gpu-offload"]
    assert check.status == "warn"
    assert "RTX 4070" in check.found.render()
    assert check.remedy is not None
    assert check.remedy.render() == f"Build the engine for it: make run BACKEND={backend}"


@pytest.mark.asyncio
async def test_a_card_the_right_engine_does_not_see_needs_a_driver_and_no_build() -> None:
    check = (await checked(with_cards(CARD, another_card()), engine(CUDA)))["gpu-offload"]
    assert check.found.render() == "not used, because the engine has no device for it: RTX 3060"
    assert check.remedy is not None
    assert "driver" in check.remedy.render()


@pytest.mark.asyncio
async def test_integrated_graphics_alone_is_no_reason_to_build_again() -> None:
    profile = with_card(vendor="intel", uses_ram=True)
    assert (await checked(profile, engine()))["gpu-offload"].status == "skip"


@pytest.mark.asyncio
async def test_a_failed_engine_hands_on_its_words() -> None:
    class EngineBroken(AppError):
        message = "The engine of {name} is broken."
        hint = "Build it again."

    checks = await checked(MACHINE, failure=EngineBroken(name="this machine"))
    check = checks["engine"]
    assert check.status == "fail"
    assert check.found.render() == "The engine of this machine is broken."
    assert check.remedy is not None
    assert check.remedy.render() == "Build it again."
    assert checks["cpu-build"].status == "skip", "what nobody told is not judged"


@pytest.mark.asyncio
async def test_a_missing_starter_model_is_no_disaster(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise StarterModelMissing

    monkeypatch.setattr(desktop.doctor.engine, "starter_model", missing)
    check = (await checked(MACHINE))["starter-model"]
    assert check.status == "warn"
    assert check.remedy is not None


@pytest.mark.asyncio
async def test_every_template_has_its_arguments() -> None:
    for check in (await checked(with_card(), engine(CUDA))).values():
        for phrase in (check.title, check.found, check.wanted):
            fields = {field for _, field, _, _ in string.Formatter().parse(phrase.template) if field}
            assert fields == phrase.arguments.keys(), check.id
