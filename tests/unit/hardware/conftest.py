"""The stub NVML library, built once per run, and what the hardware tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.stub_nvml import Fields, build_stub_nvml, write_scenario

TWO_CARDS = "NVIDIA GeForce RTX 4070:12:6.8:6.1,NVIDIA GeForce RTX 3060:8:2.9:2.2"

PATIENT = 60.0
"""Seconds for an answer that comes in less than one, on a machine that has much else to do."""

UseStub = Callable[..., None]
Scenario = Callable[..., None]


@pytest.fixture(scope="session")
def stub_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A current driver."""
    return build_stub_nvml(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_stub_nvml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver that lacks most functions."""
    return build_stub_nvml(tmp_path_factory.mktemp("old-nvml"), without=("MEMORY_V2", "DETAILS"))


@pytest.fixture(autouse=True)
def late_answers_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe's child that answers at its own deadline is heard, however late the machine lets it speak."""
    monkeypatch.setattr("desktop.hardware.probe._WAY_BACK", PATIENT)
    monkeypatch.setattr("desktop.hardware.probe._BASICS_TIMEOUT", PATIENT)


@pytest.fixture
def use_stub(monkeypatch: pytest.MonkeyPatch, stub_nvml: Path) -> UseStub:
    """Let the children of this test see `cards`, steered by STUB_NVML_* given as keywords."""

    def use(cards: str = TWO_CARDS, *, library: Path = stub_nvml, **steering: str) -> None:
        monkeypatch.setenv("SNUG_NVML_LIBRARY", str(library))
        monkeypatch.setenv("STUB_NVML_CARDS", cards)
        for name, value in steering.items():
            monkeypatch.setenv(f"STUB_NVML_{name.upper()}", value)

    return use


@pytest.fixture
def scenario(use_stub: UseStub, tmp_path: Path, stub_nvml: Path) -> Scenario:
    """Let the children of this test see these cards, as tests/support/stub_nvml describes them."""

    def play(*cards: Fields | tuple[Fields, ...], library: Path = stub_nvml, **driver: str | int) -> None:
        file = write_scenario(tmp_path / "scenario.txt", *cards, **driver)
        use_stub("", library=library, scenario=str(file))

    return play
