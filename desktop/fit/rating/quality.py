"""What a quantization costs: bits, speed and quality, from resources/quants.json, where each figure has its source.

A file whose header is known is scored by the tensor types in it (mix.py), for files of the same name differ; the name
of a quantization serves only where there is no header yet. docs/quality.md has the figures.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from desktop.catalog.types import CatalogModel
from desktop.engine.protocol import UNQUANTIZED_KV, KvType
from desktop.fit.rating.mix import loss_of_header
from desktop.fit.types import Quality, QualityWord
from desktop.gguf.header import GgufHeader
from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.paths import resources_folder

MUCH_LOSS = 0.1
"""Mean KL divergence from which the next smaller model is preferred (nats)."""

_WORDS: tuple[tuple[float, QualityWord], ...] = (
    (0.002, "lossless in practice"),
    (0.015, "near-lossless"),
    (0.05, "good"),
    (MUCH_LOSS, "acceptable"),
)
# Q4_K_M costs a 70B 1.2 % of perplexity and an 8B 2.4 %: half the loss at 8.8 times the size.
_SIZE_EXPONENT = 0.32
_SIZE_BOUNDS = (0.4, 4.0)
_NATIVE_MXFP4 = "gpt-oss"
_LOWERED_TO = 0.05  # the first word after "good": a program may not by itself take more


class QuantFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one quantization.

    kld: mean KL divergence to f16 (nats) on an 8B model. gpu_efficiency, cpu_efficiency: bytes per second that a
    generation reads, relative to F16 on the same device.
    """

    name: str
    bits_per_weight: float
    kld: float
    gpu_efficiency: float
    cpu_efficiency: float


class KvQuality(NamedTuple):
    """What a type of KV cache costs a family: mean KL divergence (nats), the best and the worst that was published.

    measured_on: the models. All None or "" where nobody published a figure; `word` is that of the worst.
    """

    low: float | None = None
    high: float | None = None
    word: QualityWord | None = None
    measured_on: str = ""


class _KvRow(msgspec.Struct, frozen=True, kw_only=True):
    """architectures: beginnings of names; k, v: the types measured. source: of the figures; no row is without one."""

    architectures: tuple[str, ...]
    k: KvType
    v: KvType
    low: float
    high: float
    measured_on: str
    source: str


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    sources: dict[str, str]
    kv_cache: tuple[_KvRow, ...]
    reference_parameters: int
    aliases: dict[str, tuple[str, ...]]
    quantizations: tuple[QuantFigures, ...]


@cache
def quant_table() -> dict[str, QuantFigures]:
    """Return the figures by upper-case name, aliases of other publishers included."""
    table = _read_table()
    rows = {row.name: row for row in table.quantizations}
    for name, others in table.aliases.items():
        rows.update(dict.fromkeys(others, rows[name]))
    return rows


def quant_figures(name: str) -> QuantFigures:
    """Return the figures of a quantization; of one that nobody knows, those of the nearest known name.

    "UD-Q4_K_XL" is looked up as "Q4_K_XL"; what cannot be recognised at all is treated as Q4_0, the least good of the
    usual ones, so that it is never praised.
    """
    table = quant_table()
    wanted = name.upper().replace("-", "_").removeprefix("UD_")
    while wanted:
        if wanted in table:
            return table[wanted]
        wanted = wanted.rpartition("_")[0]
    return table["Q4_0"]


def size_factor(parameters: int) -> float:
    """Scale a loss measured on 8B: larger models tolerate more, smaller ones less.

    An estimate from one pair of measurements (Llama-3 8B and 70B at Q4_K_M), bounded to 0.4 to 4.
    """
    low, high = _SIZE_BOUNDS
    factor = float((_read_table().reference_parameters / parameters) ** _SIZE_EXPONENT)
    return min(max(factor, low), high)


def quality_of(model: CatalogModel, quantization: str) -> Quality:
    """Expected loss of `model` in a quantization whose file is not known, scaled by the model's size."""
    figures = quant_figures(quantization)
    if model.architecture == _NATIVE_MXFP4 and figures.name == "MXFP4":
        return Quality(kld=0.0, word=_WORDS[0][1])
    kld = figures.kld * size_factor(model.parameters)
    return Quality(kld=kld, word=quality_word(kld))


def quality_by_name(quantization: str, parameters: int | None) -> Quality:
    """Expected loss of a model that no catalog knows; without its parameters, as for the model that was measured."""
    kld = quant_figures(quantization).kld * (size_factor(parameters) if parameters else 1.0)
    return Quality(kld=kld, word=quality_word(kld))


def quality_of_header(header: GgufHeader, *, shards: Sequence[GgufHeader] = ()) -> Quality:
    """Expected loss of a file, by the tensor types in it; `shards` are the headers of its other parts."""
    weights = sum(part.weights for part in (header, *shards))
    kld = loss_of_header(header, shards=shards) * size_factor(max(weights, 1))
    return Quality(kld=kld, word=quality_word(kld), source="mix")


def kv_loss(architecture: str, type_k: KvType, type_v: KvType) -> KvQuality:
    """What a KV cache of these types was measured to cost this family; see docs/quality.md.

    Where only one of both types is quantized, or both differently, and nobody measured that, it is taken for the one
    with fewer bits on both sides.
    """
    if type_k in UNQUANTIZED_KV and type_v in UNQUANTIZED_KV:
        return KvQuality(0.0, 0.0, quality_word(0.0))
    fewest = min(type_k, type_v, key=lambda name: GGML_TYPES_BY_NAME[name].bits_per_weight)
    for k, v in ((type_k, type_v), (fewest, fewest)):
        for row in _read_table().kv_cache:
            if (row.k, row.v) == (k, v) and architecture.startswith(row.architectures):
                return KvQuality(row.low, row.high, quality_word(row.high), row.measured_on)
    return KvQuality()


def kv_may_be_lowered(architecture: str) -> bool:
    """Whether the program may itself go from an f16 KV cache to q8_0, when memory is short.

    Not where q8_0 was measured to cost 0.05 or more (Gemma, gpt-oss), nor in a Gemma that nobody measured. Types
    below q8_0 are never chosen by the program.
    """
    measured = kv_loss(architecture, "q8_0", "q8_0").high
    return not _is_gemma(architecture) and (measured is None or measured < _LOWERED_TO)


def kv_is_warned_of(architecture: str, type_k: KvType, type_v: KvType) -> bool:
    """Whether a person is warned of a KV cache of these types: of a quantized one in a Gemma (docs/quality.md)."""
    return _is_gemma(architecture) and not {type_k, type_v} <= UNQUANTIZED_KV


def _is_gemma(architecture: str) -> bool:
    return "gemma" in architecture  # "t5gemma", "gemma-embedding"


def quality_word(kld: float) -> QualityWord:
    """Say a mean KL divergence (nats) in words."""
    return next((word for limit, word in _WORDS if kld < limit), "poor")


@cache
def _read_table() -> _Table:
    return msgspec.json.decode((resources_folder() / "quants.json").read_bytes(), type=_Table)
