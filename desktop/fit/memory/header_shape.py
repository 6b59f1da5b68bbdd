"""The shape of a model from its GGUF header: weights exact to the byte, caches as libllama lays them out.

Rules and defaults are those of llama.cpp's llama-hparams.cpp, llama-kv-cache.cpp and models/*.cpp.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from desktop.fit.memory.products import Products, products_of
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.gguf.errors import CorruptGguf
from desktop.gguf.header import GgufHeader, TensorInfo

# The n-th, 2n-th ... layer sees everything, the others a window (load_swa_pattern in models/<architecture>.cpp).
# An architecture that is not here keeps everything: never too little.
_WINDOW_PATTERN = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4, "olmo2": 4, "afmoe": 4,
    "mellum": 4, "lfm2": 0, "gemma4": 0, "mimo2": 0, "step35": 0,
}  # fmt: skip
_DEFAULT_WINDOW = {"gemma2": 4096, "exaone4": 4096}
_ALL_RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
_BOTH_SIDE_BY_SIDE = frozenset({"falcon-h1"})
_DEFAULT_FULL_INTERVAL = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
_GEMMA3N_LAYERS_WITH_CACHE = 20
_F32 = 4

EXPERTS = r"blk\.{layers}\.ffn_(up|down|gate_up|gate)_(ch|)exps"
"""Names of routed experts' tensors (LLM_FFN_EXPS_REGEX of llama.cpp's common/common.h); for str.format(layers=...)."""

FEED_FORWARD = r"blk\.{layers}\.ffn_(up|down|gate)\."
"""Names of the tensors of a dense feed-forward step."""


KEPT_SHAPES = 64
"""Shapes that are kept of the headers used last: a page prices each of its models again and again."""


def shape_of_header(header: GgufHeader, *, shards: Sequence[GgufHeader] = ()) -> ModelShape:
    """Price a model file; `shards` are the headers of its other parts. For the same headers it is the same object.

    Raises CorruptGguf when a tensor belongs to a layer that the file does not have, or figures are missing.
    """
    return _shape_of(_Parts((header, *shards)))


class _Parts:
    """The headers of a model as a key by identity: hashing them would cost more than pricing."""

    def __init__(self, headers: tuple[GgufHeader, ...]) -> None:
        self.headers = headers

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.headers)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Parts) and list(map(id, other.headers)) == list(map(id, self.headers))


class _Placed(NamedTuple):
    """A tensor and the layer that it belongs to: a name is taken apart once."""

    tensor: TensorInfo
    layer: int | None


@lru_cache(maxsize=KEPT_SHAPES)
def _shape_of(parts: _Parts) -> ModelShape:
    header = parts.headers[0]
    if header.n_layer == 0 or header.number("embedding_length") == 0:
        raise CorruptGguf(path=header.source or header.text("general.name"), reason="it has no layers")
    tensors = [_Placed(tensor, tensor.layer) for part in parts.headers for tensor in part.tensors]
    by_place = _sum_tensors(header, tensors)
    by_name = {tensor.name: tensor for tensor, layer in tensors if layer is None}
    tied = "output.weight" not in by_name
    table = by_name.get("token_embd.weight")
    head = table if tied else by_name["output.weight"]
    layers = _layer_caches(header)
    return ModelShape(
        layer_weights=tuple(by_place[index] for index in range(header.n_layer)),
        head_weights=by_place["head"],
        tied_weights=table.size if tied and table else 0,
        input_weights=by_place["input"],
        shared_weights=by_place["shared"],
        layer_experts=_sum_layers(header, tensors, EXPERTS),
        layer_feed_forward=_sum_layers(header, tensors, FEED_FORWARD),
        layers=layers,
        window=_window(header),
        n_embd=header.number("embedding_length"),
        ff_width=_ff_width(header),
        attention_width=_attention_width(header, layers),
        n_vocab=header.vocab_size,
        layer_active=_active_share(header, tensors),
        layer_products=_layer_products(header.n_layer, tensors),
        head_products=products_of([head] if head else []),
        n_head=header.number("attention.head_count"),
    )


def _layer_products(n_layer: int, tensors: Sequence[_Placed]) -> tuple[tuple[Products, ...], ...]:
    layers: list[list[TensorInfo]] = [[] for _ in range(n_layer)]
    for tensor, layer in tensors:
        if layer is not None:
            layers[layer].append(tensor)
    return tuple(products_of(layer) for layer in layers)


def _sum_tensors(header: GgufHeader, tensors: Sequence[_Placed]) -> dict[int | str, int]:
    """Bytes per layer index, and of "head", "input" and "shared"."""
    places: dict[int | str, int] = dict.fromkeys(range(header.n_layer), 0)
    places |= {"head": 0, "input": 0, "shared": 0}
    architecture = header.architecture
    for tensor, layer in tensors:
        place = layer if layer is not None else place_of(tensor, architecture)
        if place not in places:
            reason = f'the tensor "{tensor.name}" belongs to a layer that is not there'
            raise CorruptGguf(path=header.source or header.text("general.name"), reason=reason)
        places[place] += tensor.size
    return places


def place_of(tensor: TensorInfo, architecture: str) -> int | str:
    """Return the layer a tensor belongs to, or "input", "head", or "shared" (every device has its own copy)."""
    layer = tensor.layer
    if layer is not None:
        return layer
    if architecture.startswith("lfm2") and tensor.name.startswith("token_embd_norm"):
        return "head"  # LLM_TENSOR_OUTPUT_NORM_LFM2: the norm before the output, under the name of another
    if "token_embd" in tensor.name or tensor.name.startswith(("position_embd", "token_types")):
        return "input"
    return "shared" if tensor.name.startswith("rope_") else "head"


def _sum_layers(header: GgufHeader, tensors: Sequence[_Placed], pattern: str) -> tuple[int, ...]:
    """Bytes per layer of the tensors whose names match."""
    matches = re.compile(pattern.format(layers=r"\d+")).match
    sums = [0] * header.n_layer
    for tensor, layer in tensors:
        if layer is not None and matches(tensor.name):
            sums[layer] += tensor.size
    return tuple(sums)


def _layer_caches(header: GgufHeader) -> tuple[LayerCache, ...]:
    kinds = _recurrent_layers(header)
    slides = _sliding_layers(header)
    heads = header.per_layer("attention.head_count_kv", header.number("attention.head_count"))
    cached = _layers_with_cache(header)
    state = _state_bytes(header)
    both = header.architecture in _BOTH_SIDE_BY_SIDE
    caches = []
    for index in range(header.n_layer):
        attends = (both or not kinds[index]) and index < cached
        k, v = _widths(header, heads[index], slides[index]) if attends else (0, 0)
        caches.append(LayerCache(k, v, slides[index], state if kinds[index] else 0))
    return tuple(caches)


def _widths(header: GgufHeader, heads: int, slides: bool) -> tuple[int, int]:
    """Values per token in K and V; MLA (kv_lora with its own key lengths) keeps no V."""
    width = header.number("embedding_length") // max(header.number("attention.head_count"), 1)
    suffix = "_swa" if slides and header.value("attention.key_length_swa") is not None else ""
    k = header.number(f"attention.key_length{suffix}", width)
    v = header.number(f"attention.value_length{suffix}", width)
    return heads * k, 0 if header.number("attention.key_length_mla") else heads * v


def _recurrent_layers(header: GgufHeader) -> tuple[bool, ...]:
    count, name = header.n_layer, header.architecture
    if name in _ALL_RECURRENT or name in _BOTH_SIDE_BY_SIDE:
        return (True,) * count
    if not _state_bytes(header):
        return (False,) * count
    interval = header.number("full_attention_interval", _DEFAULT_FULL_INTERVAL.get(name, 0))
    if interval:
        return tuple((index + 1) % interval != 0 for index in range(count))
    heads = header.per_layer("attention.head_count_kv")
    widths = header.per_layer("feed_forward_length") if name.startswith("nemotron_h") else (0,) * count
    return tuple(heads[index] == 0 and widths[index] == 0 for index in range(count))


def _state_bytes(header: GgufHeader) -> int:
    """Bytes of one layer's recurrent state per sequence (n_embd_r + n_embd_s of llama-hparams.cpp, F32)."""
    n_embd = header.number("embedding_length")
    if size := header.number("wkv.head_size"):
        return _F32 * n_embd * (header.number("token_shift_count", 2) + size)
    if kernel := header.number("shortconv.l_cache"):
        return _F32 * n_embd * (kernel - 1)
    inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
    columns = max(header.number("ssm.conv_kernel") - 1, 0)
    return _F32 * (columns * (inner + 2 * header.number("ssm.group_count") * state) + inner * state)


def _window(header: GgufHeader) -> int:
    name = header.architecture
    if name not in _WINDOW_PATTERN:
        return 0
    return header.number("attention.sliding_window", _DEFAULT_WINDOW.get(name, 0))


def _sliding_layers(header: GgufHeader) -> tuple[bool, ...]:
    count = header.n_layer
    if not _window(header):
        return (False,) * count
    pattern = header.value("attention.sliding_window_pattern")
    if isinstance(pattern, tuple):
        return tuple(bool(entry) for entry in header.per_layer("attention.sliding_window_pattern"))
    period = header.number("attention.sliding_window_pattern", _WINDOW_PATTERN[header.architecture])
    if not period:
        return (header.architecture == "lfm2",) * count
    return tuple(index % period < period - 1 for index in range(count))


def _layers_with_cache(header: GgufHeader) -> int:
    """The last layers of some Gemmas read the cache of earlier ones and keep none of their own."""
    if header.architecture == "gemma3n":
        return _GEMMA3N_LAYERS_WITH_CACHE
    return header.n_layer - header.number("attention.shared_kv_layers")


def _ff_width(header: GgufHeader) -> int:
    used = header.number("expert_used_count")
    experts = used * header.number("expert_feed_forward_length", header.number("feed_forward_length"))
    state = 2 * header.number("ssm.inner_size")
    return max(header.number("feed_forward_length"), experts + used * header.number("embedding_length"), state)


def _attention_width(header: GgufHeader, layers: Sequence[LayerCache]) -> int:
    heads = header.number("attention.head_count")
    width = header.number("attention.key_length", header.number("embedding_length") // max(heads, 1))
    return heads * width + max(layer.k_width + layer.v_width for layer in layers)


def _active_share(header: GgufHeader, tensors: Sequence[_Placed]) -> float:
    """Share of the layers' bytes that one token reads: of the experts only those that are used."""
    experts, used = header.number("expert_count"), header.number("expert_used_count")
    inside = [tensor for tensor, layer in tensors if layer is not None]
    total = sum(tensor.size for tensor in inside)
    if not experts or not total:
        return 1.0
    sparse = sum(tensor.size for tensor in inside if "_exps" in tensor.name or "_chexps" in tensor.name)
    return (total - sparse * (1 - min(used / experts, 1.0))) / total
