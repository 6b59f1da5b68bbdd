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
from desktop.engine.protocol import ImaginedDevice, LoadPlan, TensorOverride
from desktop.fit.exact import DryRuns, ExactFit, exact_fit
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import write_gguf
from tests.unit.fit.engine_answers import KV_CODES, ask_engine
from tests.unit.fit.test_exact_grid import SHAPES

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(1800)]
CASES = 150
LARGEST_OVER = 8 << 20
_HOST_ALIGNMENT = 32
_REORDERED = 1 << 20
"""ggml-vulkan computes in another order than was planned; what lives at the same time may be a little more."""
EXPERTS = r"\.ffn_(up|down|gate)_exps"


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
    actual = await asyncio.to_thread(ask_engine, [_question(case) for case in cases], timeout=1500)
    over: dict[str, list[int]] = {"real": [], "imagined": []}
    async with DryRuns() as runs:
        for case, answer in zip(cases, actual, strict=True):
            for kind in over:
                fit = await _predict(case, runs, imagined=kind == "imagined")
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
        "path": str(paths[name]),
        "n_ctx": chance.choice([512, 2048, 5000]),
        "kind": chance.choice(["f16", "q8_0", "q4_0"]) if quantized else "f16",
        "flash": flash,
        "ubatch": chance.choice([64, 128, 512]),
        "sequences": chance.choice([1, 1, 4]),
        "split": [first, left - first] if count == 2 else [left],
        "experts": name == "experts" and chance.random() < 0.5,
    }


def _question(case: dict[str, Any]) -> dict[str, Any]:
    code = KV_CODES[case["kind"]]
    same = {key: case[key] for key in ("path", "n_ctx", "flash", "ubatch", "sequences", "split")}
    devices = [f"Vulkan{number}" for number, _ in enumerate(case["split"])]
    more = {"overrides": [EXPERTS]} if case["experts"] else {}
    return {
        **same,
        **more,
        "outputs": case["sequences"],
        "type_k": code,
        "type_v": code,
        "dry": False,
        "devices": devices,
    }


async def _predict(case: dict[str, Any], runs: DryRuns, *, imagined: bool) -> ExactFit:
    path = Path(case["path"])
    header = read_header(path)
    stub = path.with_suffix(".stub")
    stub_of_file(path, header).write(stub)
    plan = LoadPlan(
        model_path=str(stub),
        model_name=case["name"],
        n_ctx=case["n_ctx"],
        n_ubatch=case["ubatch"],
        n_seq_max=case["sequences"],
        n_outputs_max=case["sequences"],
        type_k=case["kind"],
        type_v=case["kind"],
        flash_attention=case["flash"],
        n_gpu_layers=sum(case["split"]),
        devices=tuple(f"Vulkan{number}" for number, _ in enumerate(case["split"])),
        tensor_split=tuple(case["split"]),
        tensor_overrides=(TensorOverride(pattern=EXPERTS, device="CPU"),) if case["experts"] else (),
    )
    size = 2 << 30  # what lavapipe says
    cards = [ImaginedDevice(name=name, memory_total=size, memory_free=size) for name in plan.devices]
    return exact_fit(header, await runs.ask(plan, imagined=cards if imagined else ()), plan)


def _check(case: dict[str, Any], fit: ExactFit, actual: dict[str, Any], kind: str) -> list[int]:
    """Return by how many bytes compute is over, per device."""
    assert list(fit.layers) == actual["layers"], (kind, case)
    over = []
    for part in fit.memory:
        padded = actual.get(f"{part.device} weights", 0) - part.weights
        # Vulkan asks for main memory with 32 bytes more (ggml_backend_vk_host_buffer_type_alloc_buffer).
        assert padded == 0 or (part.device == "CPU" and padded == _HOST_ALIGNMENT), (kind, case, part, actual)
        assert part.kv == actual.get(f"{part.device} kv", 0), (kind, case, part, actual)
        if kind == "real" or case["flash"] == "on":
            least = 0 if kind == "real" else -_REORDERED
            over.append(part.compute - actual.get(f"{part.device} compute", 0))
            assert least <= over[-1] <= LARGEST_OVER, (kind, case, part, actual)
    return over
