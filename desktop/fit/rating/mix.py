"""What the tensor types in a file cost: its loss on an 8B model, from resources/tensor_types.json; see docs/quality.md.

loss = noise of computing with quantized weights + sum over types of (share of the weights * loss of the type), where
the weights of ffn_down count several times and an importance matrix takes a part of what few bits cost. To first
order the losses of layers add up ("Pushing the Limits of Large Language Model Quantization via the Linearity
Theorem", Malinovskii and others, 2024). The figures are fitted by `python -m benchmarks.quality_fit`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from desktop.gguf.header import GgufHeader, TensorInfo
from desktop.gguf.types import GGML_TYPES_BY_NAME, GgmlType
from desktop.paths import resources_folder

IMATRIX_HELPS_UP_TO = 5.0
"""Bits per weight: above, nobody uses an importance matrix, and none was measured."""

# Formats a model was trained in, so that nothing was lost when it was written in them.
_NATIVE = {"gpt-oss": frozenset({"mxfp4"}), "bitnet": frozenset({"tq1_0", "tq2_0", "q1_0", "q2_0"})}
_IMATRIX_KEYS = "quantize.imatrix."  # llama-quantize's tools/quantize/quantize.cpp
_EXPERTS = ("_exps", "_chexps")


class TypeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one tensor type.

    rounding_error: relative squared error of normally distributed weights. loss: mean KL divergence (nats) if all
    weights of an 8B were of this type, ffn_down counted once, without importance matrix or noise.
    """

    rounding_error: float
    loss: float


class MixFigures(msgspec.Struct, frozen=True, kw_only=True):
    """noise: nats; imatrix_factor: what an importance matrix leaves of a loss; down_factor: how often ffn_down counts.

    unquantized: losses (nats) of the types that only store a number with fewer digits.
    """

    noise: float
    imatrix_factor: float
    down_factor: float
    unquantized: dict[str, float]
    types: dict[str, TypeFigures]


class Part(NamedTuple):
    """Weights that are alike. down: they belong to ffn_down."""

    kind: GgmlType
    down: bool


@cache
def mix_figures() -> MixFigures:
    """Return the fitted figures."""
    return msgspec.json.decode((resources_folder() / "tensor_types.json").read_bytes(), type=MixFigures)


def shares_of(tensors: Iterable[TensorInfo], *, used: float = 1.0) -> dict[Part, float]:
    """Return the share of the weights that each part has; experts count by the share of them that is `used`."""
    sums: dict[Part, float] = {}
    for tensor in tensors:
        part = Part(tensor.kind, "ffn_down" in tensor.name)
        count = tensor.weights * (used if any(mark in tensor.name for mark in _EXPERTS) else 1.0)
        sums[part] = sums.get(part, 0.0) + count
    total = sum(sums.values())
    return {part: count / total for part, count in sums.items()} if total else {}


def loss_of_shares(
    shares: Mapping[Part, float], figures: MixFigures, *, imatrix: bool, native: Collection[str] = ()
) -> float:
    """Return the mean KL divergence (nats) of an 8B model with this mix; `native` types cost nothing."""
    total = 0.0
    for part, share in shares.items():
        name = part.kind.name
        if name in native:
            continue
        if name in figures.unquantized:
            total += share * figures.unquantized[name]
            continue
        loss = _figures_of(part.kind, figures).loss * (figures.down_factor if part.down else 1.0)
        helped = imatrix and part.kind.bits_per_weight <= IMATRIX_HELPS_UP_TO
        total += share * (figures.noise + loss * (figures.imatrix_factor if helped else 1.0))
    return total


def loss_of_header(header: GgufHeader, *, shards: Sequence[GgufHeader] = ()) -> float:
    """Return what the mix of a file would cost an 8B (nats); `shards` are the headers of its other parts."""
    experts, used = header.number("expert_count"), header.number("expert_used_count")
    tensors = [tensor for part in (header, *shards) for tensor in part.tensors]
    return loss_of_shares(
        shares_of(tensors, used=min(used / experts, 1.0) if experts else 1.0),
        mix_figures(),
        imatrix=any(key.startswith(_IMATRIX_KEYS) for key in header.metadata),
        native=_NATIVE.get(header.architecture, frozenset()),
    )


def _figures_of(kind: GgmlType, figures: MixFigures) -> TypeFigures:
    """A type that is newer than the figures is taken for the known one with the next fewer bits: never praised."""
    if kind.name in figures.types:
        return figures.types[kind.name]
    bits = {name: GGML_TYPES_BY_NAME[name].bits_per_weight for name in figures.types}
    fewer = [name for name in bits if bits[name] <= kind.bits_per_weight]
    if fewer:
        return figures.types[max(fewer, key=lambda name: (bits[name], figures.types[name].loss))]
    return max(figures.types.values(), key=lambda entry: entry.loss)
