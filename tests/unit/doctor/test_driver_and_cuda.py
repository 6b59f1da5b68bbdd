"""What the doctor says of the NVIDIA driver and of CUDA."""

import msgspec
import pytest

from desktop.doctor.engine_build import EngineBuild
from desktop.doctor.facts import Facts
from desktop.errors import Phrase
from desktop.hardware.types import BusCard, HardwareProfile, SourceProblem
from tests.support.doctor_values import (
    CARD,
    CUDA,
    GOOD_FACTS,
    NO_CUDA,
    SYSTEM_INFO,
    changed,
    checked,
    engine,
    with_card,
    with_cards,
    words,
)


def built_with(cuda: int | None) -> Facts:
    return msgspec.structs.replace(GOOD_FACTS, engine_build=EngineBuild(libraries=("cpu", "cuda"), cuda=cuda))


def windows(driver: str) -> HardwareProfile:
    return with_cards(msgspec.structs.replace(CARD, driver=driver), system="Windows 11 AMD64")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("driver", "cuda", "status"),
    [
        ("535.183.01", 12, "pass"),
        ("534.99", 12, "warn"),
        ("525.60.13", 12, "warn"),
        ("525.60.12", 12, "fail"),
        ("470.256.02", 12, "fail"),
        ("470.256.02", 11, "warn"),
        ("450.80.02", 11, "warn"),
        ("450.80.01", 11, "fail"),
        ("575.64", 13, "fail"),
        ("580.65.06", 13, "pass"),
        ("575.64", 14, "fail"),
        ("525.59", None, "fail"),
        (None, 12, "warn"),
        ("nonsense", 12, "warn"),
    ],
)
async def test_the_driver_is_judged_by_its_version_and_the_engines_cuda(
    driver: str | None, cuda: int | None, status: str
) -> None:
    check = (await checked(with_card(driver=driver), engine(CUDA), facts=built_with(cuda)))["nvidia-driver"]
    assert check.status == status
    assert (check.remedy is None) == (status == "pass")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("driver", "cuda", "status"),
    [("528.33", 12, "warn"), ("528.02", 12, "fail"), ("452.39", 11, "warn"), ("452.38", 11, "fail")],
)
async def test_windows_has_floors_and_remedies_of_its_own(driver: str, cuda: int, status: str) -> None:
    check = (await checked(windows(driver), engine(CUDA), facts=built_with(cuda)))["nvidia-driver"]
    assert check.status == status
    assert "nvidia.com" in words(check)
    assert "ubuntu" not in words(check)


@pytest.mark.asyncio
async def test_a_driver_below_the_floor_names_it_and_what_to_install() -> None:
    check = (await checked(with_card(driver="470.42.01"), engine(CUDA), facts=built_with(13)))["nvidia-driver"]
    assert check.found.render() == "470.42.01; an engine built with CUDA 13 starts from 580 on"
    assert "driver 580 or newer" in words(check)


@pytest.mark.asyncio
async def test_an_engine_without_cuda_has_no_hard_floor() -> None:
    facts = msgspec.structs.replace(GOOD_FACTS, engine_build=NO_CUDA)
    check = (await checked(with_card(driver="470.42.01"), engine(), facts=facts))["nvidia-driver"]
    assert check.status == "warn"
    assert check.remedy is not None
    unknown = msgspec.structs.replace(GOOD_FACTS, engine_build=EngineBuild())
    assert (await checked(with_card(driver="470.42.01"), engine(), facts=unknown))["nvidia-driver"].status == "fail"


@pytest.mark.asyncio
async def test_a_card_without_a_driver_is_a_failure_with_a_remedy() -> None:
    silent = BusCard(vendor="nvidia", name="GA106 [GeForce RTX 3060]", pci_address="0000:01:00.0")
    check = (await checked(changed(silent_cards=(silent,))))["nvidia-driver"]
    assert check.status == "fail"
    assert check.found.render() == "GA106 [GeForce RTX 3060], without a working driver"
    assert check.remedy is not None


@pytest.mark.asyncio
async def test_a_driver_that_hangs_is_told_in_its_own_words() -> None:
    problem = SourceProblem(source="NVML", what=Phrase.of("NVML did not answer in time."))
    check = (await checked(changed(problems=(problem,))))["nvidia-driver"]
    assert (check.status, check.found.render()) == ("warn", "NVML did not answer in time.")
    assert check.remedy is not None
    assert check.remedy.render().startswith("Restart the computer")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("supported", "built", "status"),
    [("12.4", 12, "pass"), ("13.0", 12, "pass"), ("12.8", 13, "fail"), ("11.4", 12, "fail"), (None, 12, "skip")],
)
async def test_the_driver_must_support_the_engines_cuda(supported: str | None, built: int, status: str) -> None:
    check = (await checked(with_card(cuda_version=supported), engine(CUDA), facts=built_with(built)))["cuda"]
    assert check.status == status
    assert (check.remedy is not None) == (status == "fail")


@pytest.mark.asyncio
async def test_an_engine_that_does_not_tell_its_cuda_is_not_judged() -> None:
    check = (await checked(with_card(), engine(CUDA), facts=built_with(None)))["cuda"]
    assert (check.status, check.found.render()) == (
        "skip",
        "the engine does not tell which CUDA it was built with",
    )


@pytest.mark.asyncio
async def test_an_engine_without_cuda_has_nothing_to_match() -> None:
    facts = msgspec.structs.replace(GOOD_FACTS, engine_build=NO_CUDA)
    check = (await checked(with_card(), engine(), facts=facts))["cuda"]
    assert (check.status, check.found.render()) == ("skip", "the engine was not built for CUDA")


@pytest.mark.asyncio
@pytest.mark.parametrize(("capability", "status"), [("6.1", "fail"), ("7.5", "pass"), ("12.0", "pass"), (None, "pass")])
async def test_a_card_older_than_every_kernel_of_the_engine_is_told(capability: str | None, status: str) -> None:
    check = (await checked(with_card(compute_capability=capability), engine(CUDA)))["cuda"]
    assert check.status == status
    if status == "fail":
        assert check.found.render() == ("RTX 4070 has compute capability 6.1; the engine was built for 7.5 and newer")


@pytest.mark.asyncio
async def test_an_engine_that_lists_no_kernels_is_believed() -> None:
    silent = SYSTEM_INFO.replace("ARCHS = 750,800,860,890 | ", "")
    check = (await checked(with_card(compute_capability="5.2"), engine(CUDA, system_info=silent)))["cuda"]
    assert check.status == "pass"


@pytest.mark.asyncio
async def test_cudnn_is_never_required() -> None:
    check = (await checked(with_card(), engine(CUDA)))["cudnn"]
    assert (check.status, check.found.render()) == ("pass", "not required: llama.cpp does not use it")
