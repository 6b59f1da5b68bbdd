"""What a quantization costs: bits, speed and quality, from resources/quants.json, where each figure has its source."""

from functools import cache

import msgspec

from desktop.catalog.types import CatalogModel
from desktop.fit.types import Quality, QualityWord
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
    note: str = ""


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    sources: dict[str, str]
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
    """Expected loss of `model` in `quantization`, scaled by the model's size."""
    figures = quant_figures(quantization)
    if model.architecture == _NATIVE_MXFP4 and figures.name == "MXFP4":
        return Quality(kld=0.0, word=_WORDS[0][1])
    kld = figures.kld * size_factor(model.parameters)
    return Quality(kld=kld, word=quality_word(kld))


def kv_may_be_lowered(architecture: str) -> bool:
    """Whether the program may itself go from an f16 KV cache to q8_0, when memory is short.

    Not in the Gemma family, where q8_0 was measured to cost a hundred times what it costs a Llama; see docs/quality.md.
    Types below q8_0 are never chosen by the program.
    """
    return "gemma" not in architecture


def quality_word(kld: float) -> QualityWord:
    """Say a mean KL divergence (nats) in words."""
    return next((word for limit, word in _WORDS if kld < limit), "poor")


@cache
def _read_table() -> _Table:
    return msgspec.json.decode((resources_folder() / "quants.json").read_bytes(), type=_Table)
