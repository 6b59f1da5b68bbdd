"""What of a model takes memory: bytes per layer, and what each layer keeps of the conversation.

A shape comes from a GGUF header (weights exact to the byte) or from a catalog entry (an estimate, see
`catalog_shape`). Everything that depends on context, devices or batch is in `placement`.
"""

import itertools
from functools import cached_property, lru_cache
from typing import NamedTuple

import msgspec

from desktop.fit.memory.products import Products
from desktop.gguf.types import GGML_TYPES_BY_NAME

_KEPT_ANSWERS = 4  # a context, and the depth at which its speed is stated, for two machines


class LayerCache(NamedTuple):
    """What one layer keeps per conversation.

    k_width, v_width: values per token in K and in V, 0 where there is none. sliding: only the window is kept.
    state: bytes of a recurrent state per sequence (F32), whatever the length.
    """

    k_width: int = 0
    v_width: int = 0
    sliding: bool = False
    state: int = 0


class KvSums:
    """Running sums over the layers of what they keep, for one pair of KV types.

    Shared by all quantizations of a model; the last answers are kept, because they are priced one after the other.
    """

    def __init__(self, layers: tuple[LayerCache, ...], type_k: str, type_v: str) -> None:
        kind_k, kind_v = GGML_TYPES_BY_NAME[type_k], GGML_TYPES_BY_NAME[type_v]
        self._rows = [
            (kind_k.row_bytes(layer.k_width) + kind_v.row_bytes(layer.v_width), layer.sliding, layer.state)
            for layer in layers
        ]
        self._answers: dict[tuple[int, int, int], list[int]] = {}

    def running(self, *, full: int, sliding: int, sequences: int) -> list[int]:
        """Bytes that the first i layers keep, with so many cells and sequences.

        i from 0 to n_layer + 1: the output head comes last and keeps nothing.
        """
        key = (full, sliding, sequences)
        if key not in self._answers:
            each = ((sliding if slides else full) * row + sequences * state for row, slides, state in self._rows)
            if len(self._answers) == _KEPT_ANSWERS:
                del self._answers[next(iter(self._answers))]
            sums = [0, *itertools.accumulate(each)]
            self._answers[key] = [*sums, sums[-1]]
        return self._answers[key]


@lru_cache(maxsize=256)
def kv_sums(layers: tuple[LayerCache, ...], type_k: str, type_v: str) -> KvSums:
    """Return the sums for these layers; the same object for equal layers."""
    return KvSums(layers, type_k, type_v)


class ModelShape(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Sizes of a model in bytes, and the widths that price its buffers.

    layer_weights: bytes of each block. head_weights: bytes of the output head where it lives on its own;
    tied_weights: bytes of the token embeddings that the head shares (they are copied when the head leaves the CPU),
    0 when the head has its own. input_weights: bytes that always stay on the CPU (token embeddings).
    shared_weights: bytes that every device with a layer gets a copy of (rope tables).
    layers: what each block keeps of the conversation; window: tokens that its sliding ones see, 0 without any.
    n_embd: values per token of the residual stream. n_vocab: tokens of the vocabulary.
    layer_active: share of the layers' bytes that one token reads (experts used of all).
    layer_experts: bytes of the routed experts in each block, layer_feed_forward: those of its dense feed-forward step;
    both are part of layer_weights, and can be kept on the CPU while the rest of the block is not. () where unknown.
    ff_width: values per token of the widest feed-forward step. attention_width: values per token of Q, K and V.
    layer_products: the matrices of each block, head_products: those of the head, for the speed; () where unknown.
    n_head: heads of attention, 0 where unknown.
    """

    layer_weights: tuple[int, ...]
    head_weights: int
    tied_weights: int
    input_weights: int
    layers: tuple[LayerCache, ...]
    window: int
    n_embd: int
    ff_width: int
    attention_width: int
    n_vocab: int
    shared_weights: int = 0
    layer_experts: tuple[int, ...] = ()
    layer_feed_forward: tuple[int, ...] = ()
    layer_active: float = 1.0
    layer_products: tuple[tuple[Products, ...], ...] = ()
    head_products: tuple[Products, ...] = ()
    n_head: int = 0

    @cached_property
    def n_layer(self) -> int:
        """Blocks, the output head not counted."""
        return len(self.layer_weights)

    @property
    def sequences_cost(self) -> bool:
        """Whether each sequence needs memory of its own: a recurrent state or a window."""
        return self.window > 0 or any(layer.state for layer in self.layers)

    @property
    def total_weights(self) -> int:
        """Bytes of all tensors, each once."""
        return self.weight_sums[-1] + self.head_weights + self.input_weights + self.shared_weights

    @cached_property
    def weight_sums(self) -> tuple[int, ...]:
        """Running sum of layer_weights, n_layer + 1 entries."""
        return (0, *itertools.accumulate(self.layer_weights))

    def kv_sums(self, type_k: str, type_v: str) -> KvSums:
        """Running sums of what the layers keep, with K and V stored in these types."""
        key = (type_k, type_v)
        if key not in self._kv_sums:
            self._kv_sums[key] = kv_sums(self.layers, type_k, type_v)
        return self._kv_sums[key]

    @cached_property
    def _kv_sums(self) -> dict[tuple[str, str], KvSums]:
        return {}
