"""The shape of a model that is not on this disk, from its catalog entry: an estimate, and said to be one.

The file's size is what the Hub states, or parameters times bits per weight. The embeddings are taken out of it at
their own bits (quantizers keep the output table at six bits or more); the rest is spread evenly over the layers.
"""

from desktop.catalog.types import AttentionShape, CatalogModel, CatalogQuantization, RecurrentShape
from desktop.fit.memory.products import Products, main_type
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.fit.rating.quality import quant_figures
from desktop.gguf.types import GGML_TYPES_BY_NAME

_OUTPUT_BITS = 6.5625  # q6_K, what llama-quantize chooses for the output table below Q6_K
_VOCABULARY = 128_000  # where a catalog entry states none
_F32 = 4
_MATRICES = 7  # Q, K, V, their output; gate, up, down


def file_size(model: CatalogModel, quantization: CatalogQuantization) -> tuple[int, bool]:
    """Return the bytes of all files and whether that is an estimate."""
    if quantization.size is not None:
        return quantization.size, False
    bits = quant_figures(quantization.name).bits_per_weight
    return round(model.parameters * bits / 8), True


def shape_of_catalog(model: CatalogModel, quantization: CatalogQuantization) -> ModelShape:
    """Price a catalog entry in one quantization."""
    shape = model.shape
    size, _ = file_size(model, quantization)
    bits = quant_figures(quantization.name).bits_per_weight
    table = (shape.vocab_size or _VOCABULARY) * shape.n_embd
    tied = shape.tied_embeddings is not False
    inside = round(table * (max(bits, _OUTPUT_BITS) if tied else bits) / 8)
    head = 0 if tied else round(table * max(bits, _OUTPUT_BITS) / 8)
    inside, head = min(inside, size // 3), min(head, size // 3)
    per_layer, rest = divmod(size - inside - head, shape.n_layer)
    layer_weights = (per_layer + rest,) + (per_layer,) * (shape.n_layer - 1)
    active = _active_share(model, table if tied else 2 * table)
    experts = _experts_share(model, active)
    caches = tuple(_cache(shape, layer) for layer in range(shape.n_layer))
    return ModelShape(
        layer_weights=layer_weights,
        head_weights=head,
        tied_weights=inside if tied else 0,
        input_weights=inside,
        layers=caches,
        window=shape.sliding_window or 0,
        n_embd=shape.n_embd,
        ff_width=_ff_width(model),
        attention_width=_attention_width(shape, caches),
        n_vocab=shape.vocab_size or _VOCABULARY,
        layer_active=active,
        layer_experts=tuple(round(weights * experts) for weights in layer_weights),
        layer_products=tuple(_layer_products(quantization.name, weights, model) for weights in layer_weights),
        head_products=_head_products(quantization.name, shape, inside if tied else head),
        n_head=_n_head(shape),
    )


def _layer_products(quantization: str, size: int, model: CatalogModel) -> tuple[Products, ...]:
    """A block's weights as if all were of one type: the usual seven matrices, more rows where there are experts."""
    width = model.shape.n_embd
    kind = main_type(quantization, width)
    rows = size // GGML_TYPES_BY_NAME[kind].row_bytes(width) if kind else 0
    return (Products(kind, width, rows, _MATRICES),) if kind else ()


def _head_products(quantization: str, shape: AttentionShape, size: int) -> tuple[Products, ...]:
    """Quantizers keep the output table at six bits or more."""
    kind = main_type(quantization, shape.n_embd)
    if kind is not None and GGML_TYPES_BY_NAME[kind].bits_per_weight < _OUTPUT_BITS:
        kind = main_type("Q6_K", shape.n_embd)
    rows = size // GGML_TYPES_BY_NAME[kind].row_bytes(shape.n_embd) if kind else 0
    return (Products(kind, shape.n_embd, rows, 1),) if kind else ()


def _n_head(shape: AttentionShape) -> int:
    return max(shape.n_head) if isinstance(shape.n_head, tuple) else shape.n_head


def _cache(shape: AttentionShape, layer: int) -> LayerCache:
    kind = shape.layer_kind(layer)
    recurrent = shape.recurrent is not None and (kind == "recurrent" or shape.parallel_recurrence)
    state = _state_bytes(shape.recurrent, shape.n_embd) if recurrent and shape.recurrent else 0
    if shape.kv_lora_rank is not None and shape.rope_dim is not None and kind != "recurrent":
        return LayerCache(k_width=shape.kv_lora_rank + shape.rope_dim, state=state)
    heads = shape.kv_heads(layer)
    narrow = shape.head_dim_sliding if kind == "sliding" else None
    return LayerCache(
        heads * (narrow or shape.head_dim_k), heads * (narrow or shape.head_dim_v), kind == "sliding", state
    )


def _state_bytes(recurrent: RecurrentShape, n_embd: int) -> int:
    columns = recurrent.conv_kernel - 1
    if recurrent.inner_size is None:
        return _F32 * columns * n_embd
    state = recurrent.state_size or 0
    return _F32 * (
        columns * (recurrent.inner_size + 2 * (recurrent.group_count or 0) * state) + recurrent.inner_size * state
    )


def _ff_width(model: CatalogModel) -> int:
    shape = model.shape
    dense = shape.n_ff or 4 * shape.n_embd
    if model.n_expert_used is None:
        return dense
    return max(dense, model.n_expert_used * ((shape.n_ff_expert or dense) + shape.n_embd))


def _attention_width(shape: AttentionShape, caches: tuple[LayerCache, ...]) -> int:
    return _n_head(shape) * shape.head_dim_k + max(cache.k_width + cache.v_width for cache in caches)


def _active_share(model: CatalogModel, table_weights: int) -> float:
    """Share of the layers that one token reads, by parameters: embeddings are in both figures and taken out."""
    if not model.is_moe:
        return 1.0
    inside = max(model.parameters - table_weights, 1)
    return min(max(model.active_parameters - table_weights, model.active_parameters // 4) / inside, 1.0)


def _experts_share(model: CatalogModel, active: float) -> float:
    """Share of a layer that routed experts are: what a token does not read are the experts it does not use."""
    if model.n_expert is None or model.n_expert_used is None or model.n_expert_used >= model.n_expert:
        return 0.0
    return min((1 - active) / (1 - model.n_expert_used / model.n_expert), 1.0)
