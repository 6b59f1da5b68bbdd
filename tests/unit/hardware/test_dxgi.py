"""DXGI's adapters through COM calls into a stand-in, which aborts when a wrong place of a table is called."""

import ctypes
from pathlib import Path
from typing import Any

import pytest

from desktop.hardware.dxgi import adapters, open_dxgi
from desktop.hardware.windows import found_in_adapters
from tests.support.stub_dxgi import build_stub_dxgi

GIB = 1 << 30
CARDS = (
    f"Radeon RX 7600:1002:{8 * GIB}:{16 * GIB}:{7 * GIB}:{GIB}:0,"
    f"Intel UHD:8086:{128 << 20}:{12 * GIB}:0:0:0,"
    f"Basic Render Driver:1414:0:{16 * GIB}:0:0:2"
)


@pytest.fixture
def dxgi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("STUB_DXGI_CARDS", CARDS)
    return ctypes.CDLL(str(build_stub_dxgi(tmp_path)))


def test_adapters_become_cards_and_every_object_is_released(dxgi: Any) -> None:
    first, second = found_in_adapters(adapters(dxgi)).gpus
    assert (first.name, first.vendor, first.driver) == ("Radeon RX 7600", "amd", "32.0.15.6094")
    assert (first.vram_total, first.vram_free, first.uses_ram) == (8 * GIB, 6 * GIB, False)
    assert (second.vendor, second.vram_total, second.uses_ram) == ("intel", 12 * GIB, True)
    assert dxgi.stub_dxgi_alive() == 0


def test_an_older_windows_tells_no_budget(dxgi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_DXGI_FAULT", "old")
    first, _ = found_in_adapters(adapters(dxgi)).gpus
    assert (first.vram_total, first.vram_free) == (8 * GIB, 8 * GIB)
    assert dxgi.stub_dxgi_alive() == 0


def test_adapters_that_never_end_are_counted_once(dxgi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_DXGI_FAULT", "endless")
    assert len(found_in_adapters(adapters(dxgi)).gpus) == 2
    assert dxgi.stub_dxgi_alive() == 0


@pytest.mark.parametrize(("fault", "said"), [("factory", "CreateDXGIFactory1"), ("describe", "GetDesc1")])
def test_what_fails_is_told_and_released(dxgi: Any, monkeypatch: pytest.MonkeyPatch, fault: str, said: str) -> None:
    monkeypatch.setenv("STUB_DXGI_FAULT", fault)
    with pytest.raises(OSError, match=said):
        found_in_adapters(adapters(dxgi))
    assert dxgi.stub_dxgi_alive() == 0


def test_there_is_none_elsewhere() -> None:
    with pytest.raises(OSError, match="Windows only"):
        open_dxgi()
