"""The arithmetic against libllama itself, asked in a child: weights and KV cache to the byte, compute never under."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import CPU, Costs, Request, Span, assign_layers, memory_of, request_for, spans_of
from desktop.gguf.header import read_header
from tests.support.engine_workers import rpc_worker
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.architectures import Described
from tests.unit.fit.engine_answers import KV_CODES, ask_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")


def _predict(path: Path, context: int, kind: str) -> dict[str, int]:
    request = Request(context, kind, kind)  # type: ignore[arg-type]
    shape = shape_of_header(read_header(path))
    (cpu,) = memory_of(Costs(shape, request), (Span(CPU, 0, shape.n_layer + 1),), overheads={})
    return {"weights": cpu.weights, "kv": cpu.kv, "compute": cpu.compute}


def _compare(path: Path, asked: list[tuple[int, str, bool]]) -> None:
    questions: list[dict[str, Any]] = [
        {"path": str(path), "n_ctx": n, "type_k": KV_CODES[kind], "type_v": KV_CODES[kind], "dry": dry}
        for n, kind, dry in asked
    ]
    for (context, kind, _), actual in zip(asked, ask_engine(questions), strict=True):
        predicted = _predict(path, context, kind)
        assert (predicted["weights"], predicted["kv"]) == (actual["CPU weights"], actual["CPU kv"]), (context, kind)
        assert actual["CPU compute"] <= predicted["compute"], (context, kind)
        assert predicted["compute"] <= actual["CPU compute"] * 3 + (64 << 20), (context, kind)


def test_a_real_load_of_the_starter_model_takes_what_was_predicted(starter_model: Path) -> None:
    _compare(starter_model, [(1000, "f16", False), (8192, "f16", False), (4096, "q8_0", False), (2048, "q4_0", True)])


_DENSE: dict[str, dict[str, Any]] = {
    "few heads for K and V": {"n_embd": 1024, "n_head": 16, "n_head_kv": 2, "n_ff": 3072},
    "as many heads for K and V": {"n_embd": 512, "n_head": 8, "n_head_kv": 8, "n_layer": 9},
    "a head of its own": {"tied": False, "kind": "q4_K", "vocab": 4096},
    "a wide feed-forward block": {"n_embd": 2048, "n_head": 16, "n_ff": 12288, "n_layer": 2, "kind": "q6_K"},
    "an 8B's widths": {
        "n_layer": 3, "n_embd": 4096, "n_head": 32, "n_head_kv": 8, "n_ff": 14336,
        "vocab": 128256, "tied": False, "kind": "q4_K",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", _DENSE)
def test_a_dense_model_takes_what_was_predicted(name: str, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "dense.gguf", *dense_model(**_DENSE[name]))
    _compare(path, [(512, "f16", True), (5000, "q8_0", True), (32768, "f16", True)])


@pytest.mark.parametrize(
    "describe",
    [
        architectures.mixture_of_experts,
        architectures.sliding_window,
        architectures.short_convolutions,
        architectures.latent_attention,
    ],
)
def test_other_architectures_take_what_was_predicted(describe: Callable[[], Described], tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", *describe())
    _compare(path, [(512, "f16", True), (20_000, "f16", True)])


def _several_at_once(path: Path, parallel: int) -> None:
    shape = shape_of_header(read_header(path))
    request = request_for(shape, n_ctx=8192, type_k="f16", type_v="f16", parallel=parallel)
    (predicted,) = memory_of(Costs(shape, request), (Span(CPU, 0, shape.n_layer + 1),), overheads={})
    asked = {"path": str(path), "n_ctx": 8192, "type_k": 1, "type_v": 1, "dry": True}
    (actual,) = ask_engine([{**asked, "sequences": request.n_seq_max, "outputs": request.n_outputs_max}])
    assert (predicted.weights, predicted.kv) == (actual["CPU weights"], actual["CPU kv"])
    assert actual["CPU compute"] <= predicted.compute <= actual["CPU compute"] * 3 + (64 << 20)


@pytest.mark.parametrize("parallel", [1, 4, 16])
def test_several_replies_at_once_take_what_was_predicted(parallel: int, starter_model: Path) -> None:
    shape = shape_of_header(read_header(starter_model))
    assert request_for(shape, n_ctx=512, type_k="f16", type_v="f16", parallel=parallel).n_seq_max == parallel + 12
    _several_at_once(starter_model, parallel)


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("describe", [architectures.sliding_window, architectures.short_convolutions])
def test_sequences_with_memory_of_their_own_take_what_was_predicted(
    describe: Callable[[], Described], parallel: int, tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "model.gguf", *describe())
    assert shape_of_header(read_header(path)).sequences_cost
    _several_at_once(path, parallel)


@pytest.fixture(scope="module")
def workers() -> Iterator[list[str]]:
    """Two RPC workers on loopback: real devices on a machine without a card."""
    with rpc_worker() as first, rpc_worker() as second:
        yield [first, second]


@pytest.mark.parametrize("split", [(20, 11), (4, 9), (1, 1)])
def test_layers_split_over_two_workers_take_what_was_predicted_on_each(
    workers: list[str], starter_model: Path, split: tuple[int, int]
) -> None:
    shape = shape_of_header(read_header(starter_model))
    layers = assign_layers(n_layer=30, n_gpu_layers=sum(split), tensor_split=split, devices=("first", "second"))
    predicted = memory_of(Costs(shape, Request(4096)), spans_of(layers), overheads={})
    question = {"path": str(starter_model), "n_ctx": 4096, "type_k": 1, "type_v": 1, "dry": False}
    (actual,) = ask_engine([{**question, "workers": workers, "split": split}])
    names = [next(key for key in actual if endpoint in key).split(" ")[0] for endpoint in workers]
    for part, name in zip(predicted, ["CPU", *names], strict=True):
        assert (part.weights, part.kv) == (actual[f"{name} weights"], actual[f"{name} kv"]), name
        assert actual[f"{name} compute"] <= part.compute, name
