"""Which type llama-quantize gives each tensor of a dense model, preset by preset, and what such a file's header says.

The rules are those of llama.cpp's src/llama-quant.cpp (llama_tensor_get_type_impl), for models without experts whose
rows are whole blocks. tests/unit/benchmarks/test_llama_quantize.py compares the bits per weight with llama.cpp's own.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from desktop.catalog.types import CatalogModel
from tests.support.gguf_writer import Scalar, Tensor

MORE_BITS_FROM = 4
"""Query heads per key-value head from which attn_v is so small that more bits cost little."""


class DenseModel(NamedTuple):
    """What a published configuration says. tied: the output is the table of token embeddings."""

    architecture: str
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_ff: int
    vocab: int
    tied: bool = False
    context: int = 8192


class Place(NamedTuple):
    """Where a tensor is, as far as the rules look at it."""

    layer: int
    n_layer: int
    heads_per_kv: int
    imatrix: bool

    @property
    def gets_more_bits(self) -> bool:
        """The first and the last eighth of the layers, and every third between (use_more_bits)."""
        eighth = self.n_layer // 8
        return self.layer < eighth or self.layer >= 7 * self.n_layer // 8 or (self.layer - eighth) % 3 == 2

    @property
    def first_eighth(self) -> bool:
        """Among the first layers."""
        return self.layer < self.n_layer // 8

    @property
    def shared_values(self) -> bool:
        """Whether several query heads share their values."""
        return self.heads_per_kv >= MORE_BITS_FROM


Rule = Callable[[Place], str | None]

BASE = {
    "F16": "f16", "BF16": "bf16", "Q8_0": "q8_0", "Q6_K": "q6_K", "Q5_K_M": "q5_K", "Q5_K_S": "q5_K", "Q5_1": "q5_1",
    "Q5_0": "q5_0", "Q4_K_M": "q4_K", "Q4_K_S": "q4_K", "Q4_1": "q4_1", "Q4_0": "q4_0", "IQ4_NL": "iq4_nl",
    "IQ4_XS": "iq4_xs", "Q3_K_L": "q3_K", "Q3_K_M": "q3_K", "Q3_K_S": "q3_K", "IQ3_M": "iq3_s", "IQ3_S": "iq3_s",
    "IQ3_XS": "iq3_s", "IQ3_XXS": "iq3_xxs", "Q2_K": "q2_K", "Q2_K_S": "q2_K", "IQ2_M": "iq2_s", "IQ2_S": "iq2_xs",
    "IQ2_XS": "iq2_xs", "IQ2_XXS": "iq2_xxs", "IQ1_M": "iq1_m", "IQ1_S": "iq1_s",
}  # fmt: skip
"""The type a preset begins with (llama_ftype_get_default_type)."""

_SMALLEST = ("IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS")
_SMALL = ("IQ2_S", "IQ2_M")


def _always(kind: str) -> Rule:
    return lambda _: kind


def _where_shared(kind: str, otherwise: str | None = None) -> Rule:
    return lambda place: kind if place.shared_values else otherwise


def _where_more_bits(kind: str) -> Rule:
    return lambda place: kind if place.gets_more_bits else None


def _first_eighth(kind: str) -> Rule:
    return lambda place: kind if place.first_eighth else None


def _between(kind: str) -> Rule:
    """All layers but the first and the last eighth."""
    return lambda place: kind if place.n_layer // 8 <= place.layer < 7 * place.n_layer // 8 else None


_VALUES: dict[str, Rule] = {
    **dict.fromkeys(_SMALLEST, _where_shared("q4_K", "q2_K")),
    **dict.fromkeys(_SMALL, _where_shared("q4_K", "iq3_s")),
    "Q2_K": _where_shared("q4_K", "q3_K"),
    "Q2_K_S": _where_shared("q4_K"),
    "IQ3_XXS": lambda place: "q4_K" if place.shared_values else None if place.imatrix else "iq3_s",
    "IQ3_XS": _where_shared("q4_K"),
    "IQ3_S": _where_shared("q4_K"),
    "IQ3_M": _always("q4_K"),
    "Q3_K_M": lambda place: "q5_K" if place.layer < 2 else "q4_K",
    "Q3_K_L": _always("q5_K"),
    "IQ4_NL": _where_shared("q5_K"),
    "IQ4_XS": _where_shared("q5_K"),
    "Q4_K_S": lambda place: "q5_K" if place.layer < 4 else None,
    "Q4_K_M": _where_more_bits("q6_K"),
    "Q5_K_M": _where_more_bits("q6_K"),
}
_QUERIES: dict[str, Rule] = {"IQ3_XS": _always("iq3_xxs"), "IQ3_XXS": _always("iq2_s")}
_ATTENTION_OUTPUT: dict[str, Rule] = {
    **dict.fromkeys(("IQ1_S", "IQ1_M"), _always("iq2_xxs")),
    **dict.fromkeys(_SMALL, _always("iq3_s")),
    "Q2_K": _always("q3_K"),
    "IQ3_XXS": _always("iq3_s"),
    "Q3_K_M": _always("q4_K"),
    "IQ3_M": _always("q4_K"),
    "Q3_K_L": _always("q5_K"),
}
_DOWN: dict[str, Rule] = {
    **dict.fromkeys(_SMALLEST, _first_eighth("q2_K")),
    **dict.fromkeys(_SMALL, _first_eighth("iq3_s")),
    **dict.fromkeys(("IQ4_NL", "IQ4_XS"), lambda place: None if place.imatrix or not place.first_eighth else "q5_K"),
    "Q2_K": _always("q3_K"),
    "Q2_K_S": _first_eighth("q4_K"),
    "IQ3_XXS": lambda place: None if place.imatrix else "q4_K" if place.first_eighth else "q3_K",
    "IQ3_M": _first_eighth("q4_K"),
    "Q3_K_M": lambda place: "q5_K" if place.layer < place.n_layer // 16 else "q4_K",
    "Q3_K_L": _always("q5_K"),
    "Q4_0": lambda place: "q4_1" if place.imatrix and place.first_eighth else None,
    "Q5_0": lambda place: "q5_1" if place.imatrix and place.first_eighth else None,
    "Q4_K_S": _first_eighth("q5_K"),
    "Q4_K_M": _where_more_bits("q6_K"),
    "Q5_K_M": _where_more_bits("q6_K"),
}
_GATE_AND_UP: dict[str, Rule] = {"IQ3_XS": _between("iq3_xxs")}
_EMBEDDINGS: dict[str, Rule] = {
    **dict.fromkeys(_SMALLEST, _always("q2_K")),
    **dict.fromkeys((*_SMALL, "IQ3_XXS"), _always("iq3_s")),
}
_OUTPUT: dict[str, Rule] = {
    **dict.fromkeys(BASE, _always("q6_K")),
    **dict.fromkeys((*_SMALLEST, *_SMALL, "IQ3_XXS"), _always("q5_K")),
    **{preset: _always(BASE[preset]) for preset in ("F16", "BF16", "Q8_0")},
}

_RULES: Mapping[str, Mapping[str, Rule]] = {
    "attn_v": _VALUES,
    "attn_q": _QUERIES,
    "attn_k": _QUERIES,
    "attn_output": _ATTENTION_OUTPUT,
    "ffn_down": _DOWN,
    "ffn_gate": _GATE_AND_UP,
    "ffn_up": _GATE_AND_UP,
    "token_embd": _EMBEDDINGS,
    "output": _OUTPUT,
}


def type_of(name: str, model: DenseModel, preset: str, *, imatrix: bool) -> str:
    """Return the type of the tensor `name`, of which at least two dimensions are known, in `preset`."""
    part = name.removesuffix(".weight").rpartition(".")[2]
    if part == "token_embd" and model.tied:
        part = "output"
    layer = int(name.split(".")[1]) if name.startswith("blk.") else 0
    place = Place(layer, model.n_layer, model.n_head // model.n_head_kv, imatrix)
    rule = _RULES[part].get(preset)
    kind = (rule(place) if rule else None) or BASE[preset]
    large = model.n_layer == 80 and model.n_head != model.n_head_kv  # LLM_TYPE_70B
    return "q5_K" if large and part == "attn_v" and kind in ("q3_K", "q4_K") else kind


def tensors_of(model: DenseModel, preset: str, *, imatrix: bool) -> list[Tensor]:
    """Return the tensors of `model` in `preset`, in the order of a file."""

    def matrix(name: str, columns: int, rows: int) -> Tensor:
        return Tensor(name, (columns, rows), type_of(name, model, preset, imatrix=imatrix))

    tensors = [matrix("token_embd.weight", model.n_embd, model.vocab), Tensor("output_norm.weight", (model.n_embd,))]
    if not model.tied:
        tensors.append(matrix("output.weight", model.n_embd, model.vocab))
    q, kv = model.n_head * model.head_dim, model.n_head_kv * model.head_dim
    for layer in range(model.n_layer):
        block = f"blk.{layer}."
        tensors += [Tensor(f"{block}{name}.weight", (model.n_embd,)) for name in ("attn_norm", "ffn_norm")]
        tensors += [
            matrix(f"{block}attn_q.weight", model.n_embd, q),
            matrix(f"{block}attn_k.weight", model.n_embd, kv),
            matrix(f"{block}attn_v.weight", model.n_embd, kv),
            matrix(f"{block}attn_output.weight", q, model.n_embd),
            matrix(f"{block}ffn_gate.weight", model.n_embd, model.n_ff),
            matrix(f"{block}ffn_up.weight", model.n_embd, model.n_ff),
            matrix(f"{block}ffn_down.weight", model.n_ff, model.n_embd),
        ]
        tensors += _extras(model, block, q, kv)
    return tensors


def metadata_of(model: DenseModel, *, imatrix: bool = False) -> dict[str, Scalar]:
    """Return the metadata the engine needs, without a vocabulary."""
    key = model.architecture
    metadata: dict[str, Scalar] = {
        "general.architecture": key,
        "general.name": "Published shape",
        f"{key}.block_count": model.n_layer,
        f"{key}.context_length": model.context,
        f"{key}.embedding_length": model.n_embd,
        f"{key}.feed_forward_length": model.n_ff,
        f"{key}.attention.head_count": model.n_head,
        f"{key}.attention.head_count_kv": model.n_head_kv,
        f"{key}.attention.key_length": model.head_dim,
        f"{key}.attention.value_length": model.head_dim,
        f"{key}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{key}.rope.dimension_count": model.head_dim,
        f"{key}.vocab_size": model.vocab,
        "tokenizer.ggml.model": "no_vocab",
    }
    return metadata | ({"quantize.imatrix.entries_count": 7 * model.n_layer} if imatrix else {})


def dense_of_catalog(model: CatalogModel) -> DenseModel:
    """Return the shape of a dense catalog entry. Raises ValueError for another kind of model."""
    shape = model.shape
    if model.is_moe or shape.n_ff is None or shape.vocab_size is None:
        raise ValueError(model.id)
    if isinstance(shape.n_head, tuple) or isinstance(shape.n_head_kv, tuple):
        raise ValueError(model.id)
    return DenseModel(
        architecture=model.architecture,
        n_layer=shape.n_layer,
        n_embd=shape.n_embd,
        n_head=shape.n_head,
        n_head_kv=shape.n_head_kv,
        head_dim=shape.head_dim_k,
        n_ff=shape.n_ff,
        vocab=shape.vocab_size,
        tied=bool(shape.tied_embeddings),
        context=model.training_context,
    )


def _extras(model: DenseModel, block: str, q: int, kv: int) -> list[Tensor]:
    """What the Qwens have beside a Llama's tensors, all F32."""
    if model.architecture == "qwen2":
        sizes = {"attn_q": q, "attn_k": kv, "attn_v": kv}
        return [Tensor(f"{block}{name}.bias", (size,)) for name, size in sizes.items()]
    if model.architecture == "qwen3":
        return [Tensor(f"{block}{name}_norm.weight", (model.head_dim,)) for name in ("attn_q", "attn_k")]
    return []
