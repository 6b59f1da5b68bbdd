"""Cases of chance: the dry run on imagined cards against real loads on RPC workers, which are real devices.

Weights and KV cache to the byte on each device, every layer where it was said to be, compute never under and at most
8 MiB over. `make campaign` runs 600 cases.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.protocol import ImaginedDevice
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit
from desktop.gguf.header import read_header
from tests.support.engine_workers import rpc_worker
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.models.decoders import write_hybrid, write_recurrent
from tests.unit.fit import architectures
from tests.unit.fit.agreement import EXPERTS, LARGEST_OVER, differences, dry_run, real_load
from tests.unit.fit.architectures import Described
from tests.unit.fit.engine_answers import ask_engine

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only"),
]
CASES = 24
SHAPES: dict[str, Callable[[], Described]] = {
    "dense": lambda: dense_model(n_layer=9, n_embd=512, n_head=8, n_head_kv=4, vocab=2000),
    "untied": lambda: dense_model(n_layer=6, n_embd=1024, n_head=16, n_head_kv=2, tied=False, kind="q4_K", vocab=4096),
    "experts": architectures.mixture_of_experts,
    "window": architectures.sliding_window,
    "convolutions": architectures.short_convolutions,
    "latent": architectures.latent_attention,
}


@pytest.fixture(scope="module")
def workers() -> Iterator[list[str]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(rpc_worker()) for _ in range(3)]


async def test_imagined_cards_take_what_real_devices_take(
    workers: list[str], tmp_path: Path, campaign_factor: int
) -> None:
    chance = random.Random(7)
    paths = write_models(tmp_path)
    cases = [_case(chance, paths) for _ in range(CASES * campaign_factor)]
    questions = [real_load(case, workers=workers[: len(case["split"])]) for case in cases]
    actual = await asyncio.to_thread(ask_engine, questions, timeout=110 * campaign_factor)
    async with DryRuns() as runs:
        for case, answer in zip(cases, actual, strict=True):
            names = [f"GPU{number}" for number in range(len(case["split"]))]
            cards = [ImaginedDevice(name=one, memory_total=8 << 30, memory_free=8 << 30, remote=True) for one in names]
            fit = await dry_run(case, runs, devices=names, imagined=cards)
            _check(case, fit, answer, workers[: len(names)])


def write_models(folder: Path) -> dict[str, Path]:
    """A file of each kind, by its name."""
    paths = {name: write_gguf(folder / f"{name}.gguf", *shape()) for name, shape in SHAPES.items()}
    return paths | {"recurrent": write_recurrent(folder), "hybrid": write_hybrid(folder)}


def _case(chance: random.Random, paths: dict[str, Path]) -> dict[str, Any]:
    name = chance.choice(list(paths))
    count = read_header(paths[name]).n_layer + 1
    flash = chance.choice(["on", "on", "off"])
    # Quantized V needs flash attention, and rows of the small models' other caches are no whole blocks.
    kinds = ["f16", "q8_0", "q4_0"] if flash == "on" and name in ("dense", "untied", "experts", "window") else ["f16"]
    sequences = chance.choice([1, 1, 4])
    return {
        "name": name,
        "path": paths[name],
        "n_ctx": chance.choice([512, 1000, 2048, 5000]),
        "kind": chance.choice(kinds),
        "flash": flash,
        "ubatch": chance.choice([64, 128, 512]),
        "sequences": sequences,
        "outputs": sequences,
        "unified": chance.random() < 0.8,
        "split": _split(chance, count),
        "overrides": [EXPERTS] if name == "experts" and chance.random() < 0.5 else [],
    }


def _split(chance: random.Random, layers: int) -> list[int]:
    """Layers for one to three devices, all of them or some."""
    left = layers if chance.random() < 0.5 else chance.randrange(1, layers)
    parts = []
    for more in reversed(range(min(chance.randrange(1, 4), left))):
        parts.append(left if not more else chance.randrange(1, left - more + 1))
        left -= parts[-1]
    return parts


def _check(case: dict[str, Any], fit: ExactFit, actual: dict[str, Any], workers: list[str]) -> None:
    # The second worker's device is called "RPC1" where layers are told, and "RPC0[127.0.0.1:50052]" where buffers are.
    buffers = {key.rpartition(" ")[0] for key in actual if key != "layers"}
    real = {f"GPU{n}": next(one for one in buffers if endpoint in one) for n, endpoint in enumerate(workers)}
    assert [name.replace("GPU", "RPC") for name in fit.layers] == actual["layers"], case
    for one in differences(fit, actual, real):
        assert (one.weights, one.kv) == (0, 0), (case, one)
        assert 0 <= one.compute <= LARGEST_OVER, (case, one, actual)
