"""Headers of the catalog's models, as their files would have them: 45 models in the tensor types of llama-quantize.

Beside the dense models of benchmarks/llama_quantize.py also Gemma 3 (sliding windows) and Qwen3 with experts, whose
experts are of the type that the preset begins with.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.llama_quantize import BASE, dense_of_catalog, metadata_of, tensors_of
from desktop.catalog.remote_header import RemoteModel
from desktop.catalog.types import Catalog, CatalogModel, CatalogQuantization
from desktop.gguf.header import parse_header
from desktop.gguf.stub import Stub, make_stub
from tests.support.gguf_writer import Scalar, Tensor, data_size, header_bytes

COMMIT = "c" * 40
"""Of every repository."""
_DENSE = ("llama", "qwen2", "qwen3")
_BLOCK = 256  # values, of a K-quant
_HEAVY = ("gemma3", "qwen3moe")  # most tensors, so that an answer takes longest


class Described(NamedTuple):
    """What is in a file, its weights left out."""

    metadata: dict[str, Scalar]
    tensors: list[Tensor]


def catalog_of(catalog: Catalog, count: int) -> Catalog:
    """The first `count` models whose headers are known here, those that take longest before the others.

    Every file of theirs that is in a known preset stays, pinned to COMMIT.
    """
    whole = [model for model in catalog.models if _has_whole_blocks(model)]
    able = [model for model in whole if model.architecture in _HEAVY]
    able += [model for model in whole if model.architecture in _DENSE and not model.is_moe]
    return Catalog(models=tuple(_pinned(model) for model in able[:count]))


def describe(model: CatalogModel, preset: str) -> Described:
    """Return what the file of a model says. Raises ValueError for a model of another kind."""
    if model.architecture == "qwen3moe":
        return _with_experts(model, preset)
    dense = dense_of_catalog(model)
    metadata, tensors = metadata_of(dense), tensors_of(dense, preset, imatrix=False)
    metadata["general.name"] = model.name
    if model.architecture == "gemma3":
        metadata["gemma3.attention.sliding_window"] = model.shape.sliding_window or 1024
        for block in _blocks(dense.n_layer):
            tensors += [Tensor(f"{block}attn_{part}_norm.weight", (dense.head_dim,)) for part in "qk"]
            tensors += [Tensor(f"{block}post_{part}_norm.weight", (dense.n_embd,)) for part in ("attention", "ffw")]
    return Described(metadata, tensors)


def known_models(catalog: Catalog) -> Iterator[RemoteModel]:
    """Every file of the catalog as it is known once its header was fetched."""
    for model in catalog.models:
        for entry in model.quantizations:
            metadata, tensors = describe(model, entry.name)
            stub = _stub(metadata, tensors)
            yield RemoteModel(
                repo=entry.repo, commit=COMMIT, file=entry.file, size=stub.size, stub=stub, fetched=len(stub.head)
            )


def _has_whole_blocks(model: CatalogModel) -> bool:
    """Whether no row needs another type than its preset says (tensor_type_fallback of llama-quant.cpp)."""
    widths = (model.shape.n_embd, model.shape.n_ff, model.shape.n_ff_expert)
    return not any((width or 0) % _BLOCK for width in widths)


def _pinned(model: CatalogModel) -> CatalogModel:
    files = [_file(model, entry) for entry in model.quantizations if entry.name in BASE]
    return msgspec.structs.replace(model, quantizations=tuple(files))


def _file(model: CatalogModel, entry: CatalogQuantization) -> CatalogQuantization:
    return msgspec.structs.replace(
        entry, revision=COMMIT, file=f"{model.id}-{entry.name}.gguf", size=None, sha256=None, shards=1, bundled=False
    )


def _stub(metadata: dict[str, Scalar], tensors: list[Tensor]) -> Stub:
    head = header_bytes(metadata, tensors)
    header = parse_header(io.BytesIO(head), size=len(head) + data_size(tensors), name="stub")
    return make_stub(io.BytesIO(head), header)


def _with_experts(model: CatalogModel, preset: str) -> Described:
    plain = msgspec.structs.replace(
        model,
        shape=msgspec.structs.replace(model.shape, n_ff=model.shape.n_ff or 3 * model.shape.n_embd),
        active_parameters=model.parameters,
        n_expert=None,
        n_expert_used=None,
    )
    dense = dense_of_catalog(plain)
    experts, width, kind = model.n_expert or 0, model.shape.n_ff_expert or dense.n_ff, BASE[preset]
    metadata = metadata_of(dense)
    metadata |= {
        "general.name": model.name,
        "qwen3moe.expert_count": experts,
        "qwen3moe.expert_used_count": model.n_expert_used or 0,
        "qwen3moe.expert_feed_forward_length": width,
    }
    tensors = [one for one in tensors_of(dense, preset, imatrix=False) if not one.name.endswith(_FEED_FORWARD)]
    for block in _blocks(dense.n_layer):
        tensors += [Tensor(f"{block}attn_{part}_norm.weight", (dense.head_dim,)) for part in "qk"]
        tensors += [
            Tensor(f"{block}ffn_gate_inp.weight", (dense.n_embd, experts)),
            Tensor(f"{block}ffn_gate_exps.weight", (dense.n_embd, width, experts), kind),
            Tensor(f"{block}ffn_up_exps.weight", (dense.n_embd, width, experts), kind),
            Tensor(f"{block}ffn_down_exps.weight", (width, dense.n_embd, experts), kind),
        ]
    return Described(metadata, tensors)


_FEED_FORWARD = ("ffn_gate.weight", "ffn_up.weight", "ffn_down.weight")


def _blocks(count: int) -> list[str]:
    return [f"blk.{layer}." for layer in range(count)]


def write_head(path: Path, head: bytes, behind: int) -> Path:
    """Write a file of that header and a hole of `behind` bytes, where its weights would be."""
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(len(head) + behind)
    return path
