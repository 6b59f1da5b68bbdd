"""Loads that work, that fail with a reason, and that are given up."""

import asyncio
import os
from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import (
    BadRequest,
    CorruptModel,
    DeviceMissing,
    EngineError,
    ModelFileMissing,
    NotAModel,
    UnsupportedArchitecture,
    WorkerUnreachable,
)
from desktop.engine.protocol import TensorOverride
from desktop.engine.state import EnginePhase
from tests.support.engine_replies import loaded_client, plan_for, reply_of, user
from tests.support.engine_workers import nobody_there, rpc_worker

pytestmark = pytest.mark.asyncio


async def test_a_loaded_model_tells_what_the_engine_really_did(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        model = client.loaded
    assert model is not None
    assert (model.architecture, model.n_layer, model.n_ctx) == ("llama", 30, 512)
    assert model.layers == ("CPU",) * 31
    (cpu,) = model.memory
    assert cpu.kv == 512 * 30 * 2 * 192 * 2  # cells * layers * (K and V) * heads * head size * bytes of f16
    assert cpu.weights == pytest.approx(98_362_432, rel=0.03)  # the file
    assert model.has_chat_template


async def test_progress_rises_to_the_end(starter_model: Path) -> None:
    client, told = EngineClient(), list[float]()
    try:
        await client.load(plan_for(starter_model, use_mmap=False), told.append)
    finally:
        await client.stop()
    assert told == sorted(told)
    assert told[-1] == 1.0


def _cut(source: Path, target: Path, size: int) -> Path:
    with source.open("rb") as file:
        target.write_bytes(file.read(size))
    return target


def _other_architecture(source: Path, target: Path) -> Path:
    """The same header with another name of the same length, and all its keys renamed with it."""
    with source.open("rb") as file:
        head = file.read(4_000_000)
    target.write_bytes(head.replace(b"llama", b"warp9"))
    os.truncate(target, source.stat().st_size)  # the tensors are where they should be, as zeros
    return target


async def _failure_of(path: Path, kind: type[EngineError], **changes: object) -> EngineError:
    client = EngineClient()
    try:
        with pytest.raises(kind) as caught:
            await asyncio.wait_for(client.load(plan_for(path, **changes)), 40)  # some ms; nobody may be left waiting
        assert client.state.phase == EnginePhase.READY  # the child lives
        assert client.loaded is None
        assert caught.value.explain().hint
        return caught.value
    finally:
        await client.stop()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = await _failure_of(tmp_path / "gone.gguf", ModelFileMissing)
    assert "gone.gguf" in str(error)


async def test_a_folder_is_not_a_model_file(tmp_path: Path) -> None:
    await _failure_of(tmp_path, ModelFileMissing)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip", b"<html>404</html>" * 9])
async def test_a_file_of_another_kind_is_no_model(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    await _failure_of(path, NotAModel)


@pytest.mark.parametrize("size", [4, 30, 500_000, 40_000_000])
async def test_a_truncated_file_is_damaged(size: int, starter_model: Path, tmp_path: Path) -> None:
    await _failure_of(_cut(starter_model, tmp_path / "cut.gguf", size), CorruptModel)


async def test_an_unknown_architecture_is_named(starter_model: Path, tmp_path: Path) -> None:
    error = await _failure_of(_other_architecture(starter_model, tmp_path / "new.gguf"), UnsupportedArchitecture)
    assert "warp9" in str(error)


async def test_a_device_that_is_not_there_fails_the_load_and_never_falls_back(starter_model: Path) -> None:
    error = await _failure_of(starter_model, DeviceMissing, devices=("CUDA7",), n_gpu_layers=31, tensor_split=(31,))
    assert "CUDA7" in str(error)


async def test_a_worker_that_does_not_answer_fails_the_load(starter_model: Path) -> None:
    with nobody_there() as endpoint:
        error = await _failure_of(starter_model, WorkerUnreachable, rpc_endpoints=(endpoint,))
    assert endpoint in str(error)


async def test_a_plan_that_leaves_a_choice_is_refused(starter_model: Path) -> None:
    await _failure_of(starter_model, BadRequest, n_gpu_layers=3)


async def test_a_load_that_was_given_up_makes_room_for_another(starter_model: Path) -> None:
    client = EngineClient()
    try:
        await client.start()
        load = asyncio.create_task(client.load(plan_for(starter_model, use_mmap=False)))
        while client.state.phase != EnginePhase.LOADING:
            await asyncio.sleep(0)
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load
        model = await client.load(plan_for(starter_model, n_ctx=256))
        assert model.n_ctx == 256
        assert client.loaded == model
    finally:
        await client.stop()


async def test_layers_are_really_split_two_to_one_over_two_workers(starter_model: Path) -> None:
    with rpc_worker() as first, rpc_worker() as second:
        changes = {"rpc_endpoints": (first, second), "devices": ("RPC0", "RPC1"), "tensor_split": (21, 10)}
        async with loaded_client(starter_model, n_gpu_layers=31, **changes) as client:
            model = client.loaded
            split = (await reply_of(client, user("What is the capital of France?"))).text
    async with loaded_client(starter_model) as client:
        whole = (await reply_of(client, user("What is the capital of France?"))).text
    assert model is not None
    assert model.layers == ("RPC0",) * 21 + ("RPC1",) * 10
    memory = {part.device: part for part in model.memory}
    assert memory["RPC0"].kv == pytest.approx(21 / 9 * memory["RPC1"].kv, rel=0.01)  # the output head has none
    assert memory["RPC0"].weights > 40_000_000
    assert memory["RPC1"].weights > 40_000_000  # nine layers and the output head
    assert split == whole


async def test_part_of_the_layers_can_stay_on_the_cpu(starter_model: Path) -> None:
    with rpc_worker() as worker:
        device = "RPC0"
        changes = {"rpc_endpoints": (worker,), "devices": (device,), "n_gpu_layers": 5, "tensor_split": (5,)}
        async with loaded_client(starter_model, **changes) as client:
            assert client.loaded is not None
            assert client.loaded.layers == ("CPU",) * 26 + (device,) * 5


async def test_tensors_can_be_kept_on_the_cpu(starter_model: Path) -> None:
    with rpc_worker() as worker:
        device = "RPC0"
        plan = {"rpc_endpoints": (worker,), "devices": (device,), "n_gpu_layers": 31, "tensor_split": (31,)}
        async with loaded_client(starter_model, **plan) as client:
            assert client.loaded is not None
            before = {memory.device: memory.weights for memory in client.loaded.memory}
            override = TensorOverride(pattern=r"blk\.\d+\.ffn_.*", device="CPU")
            await client.load(plan_for(starter_model, **plan, tensor_overrides=(override,)))
            after = {memory.device: memory.weights for memory in client.loaded.memory}
    assert after[device] < before[device] * 0.7
    assert after["CPU"] > before["CPU"]
