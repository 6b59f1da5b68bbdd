"""The engine's dry run over a stub against real loads: weights and KV cache to the byte, compute never under."""

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from desktop.engine.failure import BadRequest, EngineKilled, EngineUnresponsive, UnsupportedArchitecture
from desktop.engine.protocol import ImaginedDevice, TensorOverride
from desktop.fit.dry_run import dry_run_child
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit, exact_fit
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.engine_workers import rpc_worker
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.agreement import EXPERTS, LARGEST_OVER
from tests.unit.fit.architectures import Described
from tests.unit.fit.builders import bare_plan
from tests.unit.fit.engine_answers import KV_CODES, ask_engine

pytestmark = pytest.mark.asyncio
MIB = 1 << 20
CARDS = tuple(ImaginedDevice(name=f"GPU{n}", memory_total=24 << 30, memory_free=23 << 30) for n in range(2))


async def ask(runs: DryRuns, path: Path, *, cards: Sequence[ImaginedDevice] = (), **changes: Any) -> ExactFit:
    """What the engine says of the model's stub."""
    header = read_header(path)
    stub = path.with_name(f"{path.stem}-stub.gguf")
    stub_of_file(path, header).write(stub)
    plan = bare_plan(stub, **changes)
    return exact_fit(header, await runs.ask(plan, imagined=cards), plan)


async def child_of(runs: DryRuns) -> int:
    """The process that answers, once it is there."""
    while not runs.pids:
        await asyncio.sleep(0)
    return runs.pids[0]


def bytes_of(fit: ExactFit, device: str) -> dict[str, int]:
    part = next(part for part in fit.memory if part.device == device)
    return {"weights": part.weights, "kv": part.kv, "compute": part.compute}


def check(predicted: Mapping[str, int], actual: Mapping[str, int], device: str) -> None:
    assert predicted["weights"] == actual[f"{device} weights"]
    assert predicted["kv"] == actual[f"{device} kv"]
    assert 0 <= predicted["compute"] - actual[f"{device} compute"] <= LARGEST_OVER


SHAPES: dict[str, Callable[[], Described]] = {
    "dense": dense_model,
    "untied": lambda: dense_model(tied=False, kind="q4_K", vocab=4096),
    "experts": architectures.mixture_of_experts,
    "window": architectures.sliding_window,
    "convolutions": architectures.short_convolutions,
    "latent": architectures.latent_attention,
}


@pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")
@pytest.mark.parametrize("name", SHAPES)
async def test_the_processor_takes_what_the_dry_run_says(runs: DryRuns, name: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *SHAPES[name]())
    asked = [(512, "f16"), (5000, "q8_0")] if name != "latent" else [(512, "f16"), (5000, "f16")]
    questions = [
        {"path": str(path), "n_ctx": n, "type_k": KV_CODES[kind], "type_v": KV_CODES[kind], "dry": False}
        for n, kind in asked
    ]
    for (n_ctx, kind), actual in zip(asked, await asyncio.to_thread(ask_engine, questions), strict=True):
        fit = await ask(runs, path, n_ctx=n_ctx, type_k=kind, type_v=kind)
        assert fit.by_arithmetic
        check(bytes_of(fit, "CPU"), actual, "CPU")


async def test_a_stub_answers_as_the_whole_model_does(runs: DryRuns, starter_model: Path, tmp_path: Path) -> None:
    header = read_header(starter_model)
    stub_of_file(starter_model, header).write(tmp_path / "stub.gguf")
    options: dict[str, Any] = {"n_ctx": 4096, "n_gpu_layers": 25, "devices": ("GPU0", "GPU1"), "tensor_split": (10, 15)}
    fits = []
    for path in (starter_model, tmp_path / "stub.gguf"):
        plan = bare_plan(path, **options)
        fits.append(exact_fit(header, await runs.ask(plan, imagined=CARDS), plan))
    assert fits[0] == fits[1]
    assert fits[0].layers == ("CPU",) * 6 + ("GPU0",) * 10 + ("GPU1",) * 15
    assert [part.device for part in fits[0].memory] == ["CPU", "GPU0", "GPU1"]
    assert all(part.weights and part.kv and part.compute for part in fits[0].memory)


async def test_experts_may_stay_on_the_processor(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *architectures.mixture_of_experts())
    all_layers: dict[str, Any] = {"n_gpu_layers": 5, "devices": ("GPU0",), "tensor_split": (5,), "cards": CARDS[:1]}
    whole = await ask(runs, path, **all_layers)
    experts = TensorOverride(pattern=EXPERTS, device="CPU")
    moved = await ask(runs, path, **all_layers, tensor_overrides=(experts,))
    size = sum(tensor.size for tensor in read_header(path).tensors if "_exps" in tensor.name)
    assert size > MIB
    assert bytes_of(whole, "GPU0")["weights"] - bytes_of(moved, "GPU0")["weights"] == size
    assert bytes_of(moved, "CPU")["weights"] - bytes_of(whole, "CPU")["weights"] == size
    assert bytes_of(moved, "GPU0")["kv"] == bytes_of(whole, "GPU0")["kv"]


@pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")
async def test_experts_on_the_processor_take_what_the_dry_run_says(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *architectures.mixture_of_experts())
    pattern = r"blk\.[12]\.ffn_(up|down|gate)_exps"
    with rpc_worker() as first, rpc_worker() as second:
        question = {"path": str(path), "n_ctx": 2048, "type_k": 1, "type_v": 1, "dry": False, "overrides": [pattern]}
        [actual] = await asyncio.to_thread(ask_engine, [question | {"workers": [first, second], "split": [2, 3]}])
        cards = [msgspec.structs.replace(card, remote=True) for card in CARDS]
        fit = await ask(
            runs,
            path,
            cards=cards,
            n_ctx=2048,
            n_gpu_layers=5,
            devices=("GPU0", "GPU1"),
            tensor_split=(2, 3),
            tensor_overrides=(TensorOverride(pattern=pattern, device="CPU"),),
        )
        for card, endpoint in (("GPU0", first), ("GPU1", second)):
            check(bytes_of(fit, card), actual, next(key for key in actual if endpoint in key).rpartition(" ")[0])
        check(bytes_of(fit, "CPU"), actual, "CPU")


@pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")
@pytest.mark.parametrize("split", [[5, 5], [2, 2]])
async def test_devices_that_are_there_take_what_the_dry_run_says(
    runs: DryRuns, tmp_path: Path, split: list[int]
) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model(n_layer=9, n_embd=1024, n_head=8))
    with rpc_worker() as first, rpc_worker() as second:
        question = {"path": str(path), "n_ctx": 1024, "type_k": 1, "type_v": 1, "dry": False, "split": split}
        [actual] = await asyncio.to_thread(ask_engine, [question | {"workers": [first, second]}])
        devices: dict[str, Any] = {"devices": ("RPC0", "RPC1"), "rpc_endpoints": (first, second)}
        fit = await ask(runs, path, n_ctx=1024, n_gpu_layers=sum(split), tensor_split=tuple(split), **devices)
        for device, endpoint in (("RPC0", first), ("RPC1", second)):
            name = next(key for key in actual if endpoint in key).rpartition(" ")[0]
            check(bytes_of(fit, device), actual, name)
            # The hidden state is 8 MiB here with its four copies; it must not be counted once more.
            assert bytes_of(fit, device)["compute"] - actual[f"{name} compute"] < MIB
        check(bytes_of(fit, "CPU"), actual, "CPU")


async def test_a_card_has_room_to_convert_a_quantized_cache(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model(n_layer=6, n_embd=1024, n_head=8, n_head_kv=4))
    plan: dict[str, Any] = {"n_ctx": 32768, "n_gpu_layers": 7, "devices": ("GPU0",), "tensor_split": (7,)}
    compute: dict[str, int] = {}
    for kind in ("f16", "q8_0", "f16"):  # what one question needs, the next does not inherit
        fit = await ask(runs, path, cards=CARDS[:1], type_k=kind, type_v=kind, **plan)
        found = bytes_of(fit, "GPU0")["compute"]
        assert compute.setdefault(kind, found) == found
    layer = 32768 * 4 * 128 * 2 * 2  # cells, heads, values, K and V, bytes
    assert layer / 2 < compute["q8_0"] - compute["f16"] <= layer + MIB


async def test_another_card_of_the_same_name_is_another_question(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    plan = bare_plan(path, n_gpu_layers=5, devices=("GPU0",), tensor_split=(5,))
    answers = []
    for memory in (8 << 30, 24 << 30):
        card = ImaginedDevice(name="GPU0", memory_total=memory, memory_free=memory)
        answers.append(await runs.ask(plan, stub_key="a", imagined=[card]))
    assert answers[0].question_id != answers[1].question_id
    assert answers[0].layers == answers[1].layers == ("GPU0",) * 5


async def test_an_answer_is_remembered_and_takes_no_second_question(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    first = await runs.ask(bare_plan(path), stub_key="a")
    assert await runs.ask(bare_plan(tmp_path / "elsewhere.gguf"), stub_key="a") is first
    assert (await runs.ask(bare_plan(path, n_ctx=1024), stub_key="a")).n_ctx == 1024
    assert (await runs.ask(bare_plan(path), stub_key="b")).question_id != first.question_id


async def test_what_the_engine_does_not_know_is_said_as_such(runs: DryRuns, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model(architecture="tomorrow"))
    with pytest.raises(UnsupportedArchitecture, match="tomorrow"):
        await ask(runs, path)
    with pytest.raises(BadRequest, match="no device is named"):
        await ask(runs, write_gguf(tmp_path / "other.gguf", *dense_model()), n_gpu_layers=3)


async def test_a_child_that_dies_or_hangs_is_explained_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    async with DryRuns() as runs:
        good = await runs.ask(bare_plan(path))
        pid = await child_of(runs)
        psutil.Process(pid).send_signal(signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(dry_run_child, "TIMEOUT", 0.3)
            with pytest.raises(EngineUnresponsive):
                await runs.ask(bare_plan(path))
        assert not psutil.pid_exists(pid)
        asked = asyncio.create_task(runs.ask(bare_plan(path)))
        psutil.Process(await child_of(runs)).kill()
        with pytest.raises(EngineKilled):
            await asked
        again = await runs.ask(bare_plan(path))
        assert (again.layers, again.compute) == (good.layers, good.compute)


async def test_a_question_that_is_given_up_leaves_no_answer_for_the_next(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    async with DryRuns() as runs:
        given_up = asyncio.create_task(runs.ask(bare_plan(path, n_ctx=2048)))
        await child_of(runs)
        given_up.cancel()
        await asyncio.wait([given_up])
        assert (await runs.ask(bare_plan(path, n_ctx=1024))).n_ctx == 1024
