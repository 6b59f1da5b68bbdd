"""Draft model, adapters and projector in the engine's answer, against real loads on the CPU and on RPC workers."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.protocol import DeviceMemory, ImaginedDevice, LoadedModel, LoadPlan, LoraAdapter
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit, exact_fit
from desktop.gguf.header import read_header
from tests.support.engine_workers import rpc_worker
from tests.support.gguf_writer import Tensor, dense_model, write_gguf
from tests.support.models.decoders import write_dense, write_draft
from tests.support.models.projectors import (
    write_audio_projector,
    write_pooling_projector,
    write_vision_projector,
)
from tests.unit.fit import architectures
from tests.unit.fit.agreement import LARGEST_OVER
from tests.unit.fit.engine_answers import ask_engine

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]
MIB = 1 << 20
ROUNDED = 4 * 5244  # a load's report adds up lines of its log, each rounded to 0.01 MiB


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.start()
    yield client
    await client.stop()


@pytest.fixture(scope="module")
def workers() -> Iterator[list[str]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(rpc_worker()) for _ in range(2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def plan_of(path: Path, **changes: Any) -> LoadPlan:
    fields: dict[str, Any] = {"model_path": str(path), "model_name": path.stem, "n_ctx": 1024, "flash_attention": "on"}
    return LoadPlan(**fields | changes)


async def predict(runs: DryRuns, plan: LoadPlan, cards: Sequence[ImaginedDevice] = ()) -> ExactFit:
    return exact_fit(read_header(Path(plan.model_path)), await runs.ask(plan, imagined=cards), plan)


def cards(count: int) -> list[ImaginedDevice]:
    """Imagined twins of RPC workers, under the names that the engine gives those."""
    size = 8 << 30
    return [ImaginedDevice(name=f"RPC{n}", memory_total=size, memory_free=size, remote=True) for n in range(count)]


def agree(fit: ExactFit, loaded: LoadedModel) -> None:
    actual = {part.device: part for part in loaded.memory}
    assert {part.device for part in fit.memory} >= set(actual)
    for part in fit.memory:
        there = actual.get(part.device, DeviceMemory(device=part.device))
        assert abs(part.weights - there.weights) <= ROUNDED, (part, there)
        assert abs(part.kv - there.kv) <= ROUNDED, (part, there)
        assert -ROUNDED <= part.compute - there.compute <= LARGEST_OVER, (part, there)


async def test_a_draft_model_takes_its_own(runs: DryRuns, engine: EngineClient, folder: Path) -> None:
    plan = plan_of(
        write_dense(folder, layers=4), draft_path=str(write_draft(folder)), n_parallel=2, n_seq_max=4, n_outputs_max=4
    )
    alone = await predict(runs, plan_of(Path(plan.model_path), n_parallel=2, n_seq_max=4, n_outputs_max=4))
    fit = await predict(runs, plan)
    draft_weights = sum(tensor.size for tensor in read_header(Path(plan.draft_path)).tensors)
    assert fit.memory[0].weights - alone.memory[0].weights == draft_weights
    assert fit.memory[0].kv > alone.memory[0].kv
    agree(fit, await engine.load(plan))


@pytest.mark.parametrize("write", [write_vision_projector, write_pooling_projector, write_audio_projector])
async def test_a_projector_takes_its_own(runs: DryRuns, engine: EngineClient, folder: Path, write: Any) -> None:
    plan = plan_of(write_dense(folder), mmproj_path=str(write(folder)))
    alone = await predict(runs, plan_of(Path(plan.model_path)))
    fit = await predict(runs, plan)
    weights = sum(tensor.size for tensor in read_header(Path(plan.mmproj_path)).tensors)
    assert fit.memory[0].weights - alone.memory[0].weights == weights
    assert fit.memory[0].compute > alone.memory[0].compute
    agree(fit, await engine.load(plan))


async def test_both_stand_on_the_first_device_of_a_split(
    runs: DryRuns, engine: EngineClient, folder: Path, workers: list[str]
) -> None:
    split: dict[str, Any] = {"n_gpu_layers": 5, "devices": ("RPC0", "RPC1"), "tensor_split": (2, 3)}
    beside = {"draft_path": str(write_draft(folder)), "mmproj_path": str(write_vision_projector(folder))}
    plan = plan_of(write_dense(folder), **split, **beside)
    fit = await predict(runs, plan, cards(2))
    alone = await predict(runs, plan_of(Path(plan.model_path), **split), cards(2))
    assert fit.memory[1].device == "RPC0"
    assert fit.memory[1].weights - alone.memory[1].weights > MIB
    assert fit.memory[2] == alone.memory[2]
    agree(fit, await engine.load(plan_of(Path(plan.model_path), **split, **beside, rpc_endpoints=tuple(workers))))


def write_adapter(path: Path, base: Path, rank: int, *parts: str) -> Path:
    """An adapter of these tensors of each layer, and of the head where it is named."""
    tensors = []
    for tensor in read_header(base).tensors:
        if any(part in tensor.name for part in parts):
            wide, out, *experts = tensor.shape
            tensors += [
                Tensor(f"{tensor.name}.lora_a", (wide, rank, *experts), "f16"),
                Tensor(f"{tensor.name}.lora_b", (rank, out, *experts), "f16"),
            ]
    metadata = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    return write_gguf(path, metadata | {"adapter.lora.alpha": 16.0}, tensors)


ADAPTED = {
    "attention": ("attn_q", "attn_v"),
    "everything": ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down", "output.weight"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")
@pytest.mark.parametrize("split", [[], [3, 4]])
@pytest.mark.parametrize("parts", ADAPTED)
async def test_adapters_lie_where_their_layers_lie(
    runs: DryRuns, folder: Path, workers: list[str], parts: str, split: list[int]
) -> None:
    described = dense_model(n_layer=6, n_embd=512, n_head=8, n_ff=2048, tied=False, vocab=4096)
    base = write_gguf(folder / "base.gguf", *described)
    adapters = [write_adapter(folder / f"{parts}-{rank}.gguf", base, rank, *ADAPTED[parts]) for rank in (8, 64)]
    devices = tuple(f"RPC{number}" for number, _ in enumerate(split))
    plan = plan_of(
        base,
        n_gpu_layers=sum(split),
        devices=devices,
        tensor_split=tuple(split),
        lora=tuple(LoraAdapter(path=str(path)) for path in adapters),
    )
    question = {"path": str(base), "n_ctx": 1024, "type_k": 1, "type_v": 1, "dry": False, "split": split}
    question |= {"workers": workers[: len(split)], "lora": [str(path) for path in adapters]}
    [actual] = await asyncio.to_thread(ask_engine, [question])
    fit = await predict(runs, plan, cards(len(split)))
    for part in fit.memory:
        name = part.device
        if name != "CPU":
            endpoint = workers[devices.index(name)]
            name = next(key.rpartition(" ")[0] for key in actual if endpoint in key)
        lora = part.weights - actual.get(f"{name} weights", 0)
        assert abs(lora / MIB - actual["adapters"].get(name, 0.0)) <= 0.02, (part, actual)
        assert 0 <= part.compute - actual.get(f"{name} compute", 0) <= LARGEST_OVER, (part, actual)
    assert sum(part.weights for part in fit.memory) > sum(tensor.size for tensor in read_header(base).tensors)


@pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")
async def test_an_adapter_of_experts(runs: DryRuns, folder: Path) -> None:
    base = write_gguf(folder / "experts.gguf", *architectures.mixture_of_experts())
    adapter = write_adapter(folder / "of-experts.gguf", base, 8, "_exps")
    question = {"path": str(base), "n_ctx": 1024, "type_k": 1, "type_v": 1, "dry": False, "lora": [str(adapter)]}
    [actual] = await asyncio.to_thread(ask_engine, [question])
    fit = await predict(runs, plan_of(base, lora=(LoraAdapter(path=str(adapter)),)))
    assert 0 <= fit.memory[0].compute - actual["CPU compute"] <= LARGEST_OVER
    size = fit.memory[0].weights - actual["CPU weights"]
    assert abs(size / MIB - actual["adapters"]["CPU"]) <= 0.02
