"""The probe, in its real child with the real engine."""

import asyncio

import pytest

from desktop.engine.failure import EngineError
from desktop.engine.protocol import SpeedAnswer
from desktop.fit.speeds import speed_probe
from desktop.fit.speeds.speed_probe import measure_speeds


def test_it_measures_the_processor_and_says_how_far_it_is() -> None:
    heard: list[float] = []

    async def measure() -> SpeedAnswer:
        return await measure_speeds(threads=1, types=("q8_0", "q4_K", "f16"), on_progress=heard.append)

    answer = asyncio.run(measure())
    (cpu,) = [device for device in answer.devices if device.device == "CPU"]
    assert cpu.threads == 1
    assert [speed.kind for speed in cpu.types] == ["q8_0", "q4_K", "f16"]
    for speed in cpu.types:
        assert 1e8 < speed.read_wide < 1e13  # bytes per second, of any machine
        assert 1e8 < speed.compute_wide < 1e15
        assert speed.spread >= 1
    assert {(entry.kind, entry.width) for entry in cpu.attention} == {
        (kind, width) for kind in ("f16", "q8_0") for width in (64, 128)
    }
    assert all(entry.decode > 0 < entry.prefill for entry in cpu.attention)
    assert 0 <= cpu.product < cpu.decode_layer.start + 2048 * cpu.decode_layer.value + 1
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_it_can_be_given_up() -> None:
    async def give_up() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(measure_speeds(on_progress=lambda _fraction: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())  # the guard of leaks finds a child that stays


def test_a_worker_that_is_not_there_is_said() -> None:
    with pytest.raises(EngineError):
        asyncio.run(measure_speeds(rpc_endpoints=("127.0.0.1:1",), types=("f16",)))


def test_a_child_without_a_word_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_probe, "TIMEOUT", 0.001)
    with pytest.raises(EngineError):
        asyncio.run(measure_speeds(types=("f16",)))
