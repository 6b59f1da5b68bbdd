"""`snug doctor` on machines with cards, end to end: real children, and a real library in place of the driver's."""

import argparse
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.cli import doctor
from desktop.paths import user_paths
from desktop.services import create_services
from tests.support.stub_nvml import Fields, build_stub_nvml, card, write_scenario

Checks = dict[str, dict[str, Any]]
GPU_IS_LOST, NO_PERMISSION, RESET_REQUIRED = 15, 4, 16
MIB = 1 << 20
RTX_4090 = card("NVIDIA GeForce RTX 4090", 24, 1.5, generation=4, generation_max=4, width=16, width_max=16, throttle=0)


def run_doctor(*options: str) -> None:
    parser = argparse.ArgumentParser()
    doctor.add_parser(parser.add_subparsers())
    parsed = parser.parse_args(["doctor", *options])

    async def run() -> None:
        services = create_services(user_paths())
        try:
            assert await parsed.run(parsed, services) == 0
        finally:
            await services.close()

    asyncio.run(run())


Ask = Callable[..., Checks]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The checks by id, for a machine with these cards."""

    def ask(*cards: Fields, without: tuple[str, ...] = (), **driver: str | int) -> Checks:
        monkeypatch.setenv("SNUG_NVML_LIBRARY", str(build_stub_nvml(tmp_path, without=without)))
        monkeypatch.setenv("STUB_NVML_SCENARIO", str(write_scenario(tmp_path / "scenario", *cards, **driver)))
        run_doctor("--json")
        checks = json.loads(capsys.readouterr().out)["checks"]
        assert all(check.keys() == {"id", "status", "title", "found", "wanted", "remedy"} for check in checks)
        return {check["id"]: check for check in checks}

    return ask


def test_a_healthy_card(ask: Ask) -> None:
    checks = ask(RTX_4090)
    passed = (
        *("nvidia-driver", "cudnn", "gpu-lost", "throttling"),
        *("resizable-bar", "pcie-width", "pcie-generation"),
    )
    skipped = ("memory-errors", "mig", "peer-to-peer")
    assert {checks[name]["status"] for name in passed} == {"pass"}
    assert {checks[name]["status"] for name in skipped} == {"skip"}
    assert checks["gpu-offload"]["status"] == "warn", "this engine was built for the processor"
    assert checks["pcie-generation"]["found"] == "NVIDIA GeForce RTX 4090: generation 4"


def test_a_card_that_was_lost(ask: Ask) -> None:
    checks = ask(RTX_4090, card("NVIDIA GeForce RTX 3060", 12, bus=0xD1, error__nvmlDeviceGetMemoryInfo_v2=GPU_IS_LOST))
    check = checks["gpu-lost"]
    assert check["status"] == "fail"
    assert check["found"].startswith("NVIDIA GeForce RTX 3060 was lost")
    assert check["remedy"].startswith("Restart the computer")
    assert checks["nvidia-driver"]["status"] == "pass", "the driver answers for the other card"


def test_the_only_card_is_lost(ask: Ask) -> None:
    checks = ask(card("NVIDIA GeForce RTX 4090", 24, error__nvmlDeviceGetMemoryInfo_v2=GPU_IS_LOST))
    assert (checks["gpu-lost"]["status"], checks["nvidia-driver"]["status"]) == ("fail", "skip")


def test_a_card_this_user_may_not_use(ask: Ask) -> None:
    checks = ask(card("NVIDIA A100", 80, error__nvmlDeviceGetMemoryInfo_v2=NO_PERMISSION))
    assert checks["gpu-lost"]["status"] == "fail"
    assert checks["gpu-lost"]["found"] == "this user may not use NVIDIA A100"
    assert "usermod -aG" in checks["gpu-lost"]["remedy"]


def test_a_driver_this_user_may_not_use(ask: Ask) -> None:
    check = ask(RTX_4090, **{"error.nvmlInitWithFlags": NO_PERMISSION})["nvidia-driver"]
    assert check["status"] == "warn"
    assert "may not use" in check["found"]
    assert "usermod -aG" in check["remedy"]


def test_a_card_that_must_be_reset(ask: Ask) -> None:
    check = ask(card("NVIDIA A100", 80, error__nvmlDeviceGetMemoryInfo_v2=RESET_REQUIRED))["gpu-lost"]
    assert check["status"] == "fail"
    assert "nvidia-smi -r" in check["remedy"]


def test_an_old_driver_without_the_newer_calls(ask: Ask) -> None:
    checks = ask(RTX_4090, without=("MEMORY_V2", "V2"), driver="470.256.02", cuda=11040)
    check = checks["nvidia-driver"]
    assert check["status"] == "warn", "this engine has no CUDA, so nothing is kept from working"
    assert check["found"] == "470.256.02; an engine built with CUDA 12 starts from 525.60.13 on"
    assert "driver 535 or newer" in check["remedy"]


def test_a_small_window_into_the_card(ask: Ask) -> None:
    check = ask(RTX_4090 | {"bar1": 256 * MIB})["resizable-bar"]
    assert check["status"] == "warn"
    assert check["found"] == "off for NVIDIA GeForce RTX 4090: the processor sees 256 MiB of 24.0 GiB at a time"
    assert "firmware (BIOS)" in check["remedy"]


def test_a_hot_card_in_a_narrow_slot(ask: Ask) -> None:
    checks = ask(RTX_4090 | {"throttle": 0x20, "temperature": 93, "width": 4, "generation": 1})
    assert checks["throttling"]["found"] == "NVIDIA GeForce RTX 4090 is slowed because it is hot (93 °C)"
    assert {checks[name]["status"] for name in ("throttling", "pcie-width", "pcie-generation")} == {"warn"}


@pytest.mark.parametrize(("utilization", "status"), [(0, "skip"), (95, "warn")])
def test_a_slow_generation_is_judged_while_the_card_works(ask: Ask, utilization: int, status: str) -> None:
    check = ask(RTX_4090 | {"generation": 1, "utilization": utilization})["pcie-generation"]
    assert check["status"] == status
    assert "generation 1 of 4" in check["found"]


def test_a_driver_that_hangs_half_way_costs_only_what_comes_after(ask: Ask) -> None:
    checks = ask(RTX_4090 | {"hang.nvmlDeviceGetTemperature": 1})
    assert checks["hardware"]["found"] == "NVML did not answer in time."
    assert checks["nvidia-driver"]["status"] == "pass"
    assert checks["throttling"]["found"] == "no card tells"


def test_two_cards_of_which_the_driver_lets_none_reach_the_other(ask: Ask) -> None:
    closed = {"p2p_read": 5, "p2p_write": 5, "p2p_nvlink": 5}
    check = ask(RTX_4090 | closed, card("NVIDIA GeForce RTX 3090", 24, bus=0xD1) | closed)["peer-to-peer"]
    assert check["status"] == "pass"
    assert "a split by layers loses little" in check["found"]


def test_the_text_fits_a_terminal_of_80_columns(
    ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(
        RTX_4090 | {"bar1": 256 * MIB, "throttle": 0x20},
        card("RTX 3060", 12, error__nvmlDeviceGetMemoryInfo_v2=GPU_IS_LOST),
    )
    monkeypatch.setenv("COLUMNS", "80")
    run_doctor()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and "/" not in line] == [], "only a folder may be longer"
    assert any(line.startswith("FAILED   Graphics cards") for line in lines)
    assert any(line.startswith("         remedy: Restart the computer") for line in lines)
    assert "Not judged:" in lines
    assert lines[-1].endswith("not judged")
