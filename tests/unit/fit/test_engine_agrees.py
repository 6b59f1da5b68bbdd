"""The arithmetic against libllama itself, asked in a child: weights and KV cache to the byte, compute never under."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.fit.header_shape import shape_of_header
from desktop.fit.placement import CPU, Costs, Request, Span, memory_of
from desktop.gguf.header import read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.architectures import Described
from tests.unit.fit.engine_answers import ask_engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's breakdown is readable on Linux only")

_KV_CODES: dict[str, int] = {"f16": 1, "q8_0": 8, "q4_0": 2}


def _predict(path: Path, context: int, kind: str) -> dict[str, int]:
    request = Request(context, kind, kind)  # type: ignore[arg-type]
    shape = shape_of_header(read_header(path))
    (cpu,) = memory_of(Costs(shape, request), (Span(CPU, 0, shape.n_layer + 1),), overheads={})
    return {"weights": cpu.weights, "kv": cpu.kv, "compute": cpu.compute}


def _compare(path: Path, asked: list[tuple[int, str, bool]]) -> None:
    questions: list[dict[str, Any]] = [
        {"path": str(path), "n_ctx": n, "type_k": _KV_CODES[kind], "type_v": _KV_CODES[kind], "dry": dry}
        for n, kind, dry in asked
    ]
    for (context, kind, _), actual in zip(asked, ask_engine(questions), strict=True):
        predicted = _predict(path, context, kind)
        assert (predicted["weights"], predicted["kv"]) == (actual["weights"], actual["kv"]), (context, kind)
        assert actual["compute"] <= predicted["compute"], (context, kind)
        assert predicted["compute"] <= actual["compute"] * 3 + (64 << 20), (context, kind)


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
