"""The verbs probe and doctor, with the real children and a real library in place of the driver's."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desktop.cli import doctor, probe
from desktop.engine.client import EngineClient
from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError
from desktop.hardware.probe import probe_hardware
from desktop.hardware.types import Gpu
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from tests.support.stub_nvml import build_stub_nvml

GIB = 1 << 30


class EngineBroken(AppError):
    """Stands for any failure of the engine's child."""

    message = "The engine is broken."
    hint = "Build it again."


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNUG_NVML_LIBRARY", str(build_stub_nvml(tmp_path)))
    monkeypatch.setenv("STUB_NVML_CARDS", "RTX 4070:12:6.8,RTX 3060:8:2.9")


@pytest.fixture
def broken_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_self: EngineClient) -> EngineInfo:
        raise EngineBroken

    monkeypatch.setattr(EngineClient, "start", fail)


def run_verb(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    for verb in (probe, doctor):
        verb.add_parser(verbs)
    parsed = parser.parse_args(arguments)

    async def run() -> int:
        services = create_services(user_paths())
        try:
            code: int = await parsed.run(parsed, services)
            return code
        finally:
            await services.close()

    return asyncio.run(run())


@pytest.mark.usefixtures("two_cards")
def test_probe_prints_one_json_object_with_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("probe", "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"name", "cores", "threads", "features"} <= answer["cpu"].keys()
    assert 0 < answer["ram"]["available"] <= answer["ram"]["total"]
    assert answer["disk"]["free"] > 0
    assert "CPU" in answer["backends"]
    assert [gpu["vram_total"] for gpu in answer["gpus"]] == [12 * GIB, 8 * GIB]
    promised = "name vendor vram_total vram_free bandwidth driver pcie resizable_bar backend"
    assert set(promised.split()) <= answer["gpus"][0].keys()


@pytest.mark.usefixtures("two_cards")
def test_probe_reads_well_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("probe") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Graphics   RTX 4070, 5.2 GiB of 12.0 GiB free" in lines
    assert any("504 GB/s, PCIe 4.0 x16, Resizable BAR on" in line for line in lines)
    assert all(len(line) < 110 for line in lines if not line.startswith("Disk"))  # a folder may be long


def test_a_name_of_a_card_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = asyncio.run(probe_hardware(models_folder=user_paths().models_folder))
    card = Gpu(index=0, name="Radeon\x1b[2J\u202eX", vendor="amd", vram_total=GIB, vram_free=GIB)

    async def found(_services: Services) -> Survey:
        return Survey(profile=msgspec.structs.replace(profile, gpus=(card,)))

    monkeypatch.setattr("desktop.actions.survey.survey", found)
    assert run_verb("probe") == 0
    shown = capsys.readouterr().out
    assert r"Radeon\x1b[2J\u202eX" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


@pytest.mark.usefixtures("broken_engine")
def test_probe_shows_the_hardware_even_when_the_engine_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("probe", "--json") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["backends"] == []
    assert "The engine is broken." in output.err
    assert "hint: Build it again." in output.err


@pytest.mark.usefixtures("two_cards")
def test_a_problem_is_told_beside_the_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_NVML_FAULT", "error")
    assert run_verb("probe", "--json") == 0
    output = capsys.readouterr()
    (problem,) = json.loads(output.out)["problems"]
    assert problem["source"] == "NVML"
    assert problem["message"] == "NVML failed: NVMLError_Unknown: Unknown Error"
    assert problem["seconds"] > 0
    assert "note: NVML failed" in output.err


@pytest.mark.usefixtures("two_cards")
def test_doctor_finds_cards_the_engine_does_not_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("doctor", "--json") == 0
    checks = {check["id"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {"id", "status", "found", "wanted", "remedy"} <= checks["engine"].keys()
    assert checks["engine"]["status"] == "pass"
    assert checks["gpu-offload"]["status"] == "warn"
    assert checks["gpu-offload"]["remedy"] == "Build the engine for it: make run BACKEND=cuda"
    assert {check["status"] for check in checks.values()} <= {"pass", "warn", "fail", "skip"}


@pytest.mark.usefixtures("broken_engine")
def test_doctor_says_what_to_do_about_a_broken_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("doctor") == 0
    output = capsys.readouterr().out
    assert "FAILED   Engine" in output
    assert "remedy: Build it again." in output
    assert "1 failed" in output
