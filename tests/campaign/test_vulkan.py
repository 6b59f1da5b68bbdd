"""The dry run on a real GPU backend: ggml-vulkan on Mesa's lavapipe, a Vulkan driver in software.

`make campaign-vulkan`; docs/fit.md says what it needs. lavapipe is shown to the engine as one device and as two; cases
of chance on them: weights and KV cache to the byte, every layer where it was said to be, compute never under and at
most 8 MiB over. Imagined cards have to agree too, but for compute where attention is not fused: a matrix of all scores
above 128 MiB is more than lavapipe binds at once, so that the engine computes it elsewhere, which no card does.
"""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.protocol import ImaginedDevice
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit
from desktop.gguf.header import read_header
from tests.support.gguf_writer import write_gguf
from tests.unit.fit.agreement import EXPERTS, LARGEST_OVER, differences, dry_run, real_load
from tests.unit.fit.engine_answers import ask_engine
from tests.unit.fit.test_exact_grid import SHAPES

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(1800)]
CASES = 150
_HOST_ALIGNMENT = 32
_REORDERED = 1 << 20
"""ggml-vulkan computes in another order than was planned; what lives at the same time may be a little more."""


@pytest.fixture(params=[1, 2])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the engine is shown the driver."""
    shown: int = request.param
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", ",".join("0" * shown))
    return shown


async def _require(count: int) -> None:
    engine = EngineClient()
    try:
        info = await engine.start()
    finally:
        await engine.stop()
    found = [device.name for device in info.devices if device.backend == "Vulkan"]
    if len(found) != count:
        pytest.skip(f"this engine sees {found or 'no Vulkan device'}")


async def test_a_vulkan_device_takes_what_the_dry_run_says(count: int, tmp_path: Path, campaign_factor: int) -> None:
    if campaign_factor == 1:
        pytest.skip("of the long runs: make campaign-vulkan")
    await _require(count)
    chance = random.Random(count)
    paths = {name: write_gguf(tmp_path / f"{name}.gguf", *shape()) for name, shape in SHAPES.items()}
    cases = [_case(chance, paths, count) for _ in range(CASES)]
    devices = [f"Vulkan{number}" for number in range(count)]
    questions = [real_load(case, devices=devices) for case in cases]
    actual = await asyncio.to_thread(ask_engine, questions, timeout=1500)
    size = 2 << 30  # what lavapipe says
    cards = [ImaginedDevice(name=name, memory_total=size, memory_free=size) for name in devices]
    over: dict[str, list[int]] = {"real": [], "imagined": []}
    async with DryRuns() as runs:
        for case, answer in zip(cases, actual, strict=True):
            for kind in over:
                fit = await dry_run(case, runs, devices=devices, imagined=cards if kind == "imagined" else ())
                over[kind] += _check(case, fit, answer, kind)
    for kind, sizes in over.items():
        print(f"{count} device(s), {kind}: {len(cases)} cases, compute over by {min(sizes)} to {max(sizes)} bytes")


def _case(chance: random.Random, paths: dict[str, Path], count: int) -> dict[str, Any]:
    name = chance.choice(list(paths))
    layers = read_header(paths[name]).n_layer + 1
    left = layers if chance.random() < 0.6 else chance.randrange(count, layers)
    first = chance.randrange(1, left) if count == 2 else left
    flash = chance.choice(["on", "on", "off"])
    quantized = flash == "on" and name in ("dense", "untied", "experts", "window")
    return {
        "name": name,
        "path": paths[name],
        "n_ctx": chance.choice([512, 2048, 5000]),
        "kind": chance.choice(["f16", "q8_0", "q4_0"]) if quantized else "f16",
        "flash": flash,
        "ubatch": chance.choice([64, 128, 512]),
        "sequences": (sequences := chance.choice([1, 1, 4])),
        "outputs": sequences,
        "unified": True,
        "split": [first, left - first] if count == 2 else [left],
        "overrides": [EXPERTS] if name == "experts" and chance.random() < 0.5 else [],
    }


def _check(case: dict[str, Any], fit: ExactFit, actual: dict[str, Any], kind: str) -> list[int]:
    """Return by how many bytes compute is over, per device."""
    assert list(fit.layers) == actual["layers"], (kind, case)
    over = []
    for one in differences(fit, actual):
        # Vulkan asks for main memory with 32 bytes more (ggml_backend_vk_host_buffer_type_alloc_buffer).
        assert one.weights == 0 or (one.device == "CPU" and one.weights == -_HOST_ALIGNMENT), (kind, case, one, actual)
        assert one.kv == 0, (kind, case, one, actual)
        if kind == "real" or case["flash"] == "on":
            least = 0 if kind == "real" else -_REORDERED
            over.append(one.compute)
            assert least <= one.compute <= LARGEST_OVER, (kind, case, one, actual)
    return over
