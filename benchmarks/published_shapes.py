"""Headers of well-known models, after the config.json that their makers published; tensors as llama.cpp converts them.

Their weights are of one kind (q4_K), where a real file mixes; for the time that an answer takes this is nothing.
"""

from collections.abc import Callable, Sequence

from tests.support.gguf_writer import Scalar, Tensor

Described = tuple[dict[str, Scalar | Sequence[Scalar]], list[Tensor]]
_KIND = "q4_K"


def dense_8b() -> Described:
    """Llama 3.1 8B."""
    metadata = _metadata("llama", layers=32, n_embd=4096, heads=32, kv_heads=8, head=128, ff=14336, vocab=128256)
    tensors = _ends(4096, 128256, tied=False)
    for layer in range(32):
        tensors += _attention(layer, 4096, 32 * 128, 8 * 128) + _feed_forward(layer, 4096, 14336)
    return metadata, tensors


def experts_30b() -> Described:
    """Qwen3 30B-A3B: 128 experts, 8 of which work."""
    metadata = _metadata("qwen3moe", layers=48, n_embd=2048, heads=32, kv_heads=4, head=128, ff=6144, vocab=151936)
    metadata |= {
        "qwen3moe.expert_count": 128,
        "qwen3moe.expert_used_count": 8,
        "qwen3moe.expert_feed_forward_length": 768,
    }
    tensors = _ends(2048, 151936, tied=False)
    for layer in range(48):
        tensors += _attention(layer, 2048, 32 * 128, 4 * 128) + _head_norms(layer, 128)
        tensors += [
            Tensor(f"blk.{layer}.ffn_norm.weight", (2048,)),
            Tensor(f"blk.{layer}.ffn_gate_inp.weight", (2048, 128)),
            Tensor(f"blk.{layer}.ffn_gate_exps.weight", (2048, 768, 128), _KIND),
            Tensor(f"blk.{layer}.ffn_up_exps.weight", (2048, 768, 128), _KIND),
            Tensor(f"blk.{layer}.ffn_down_exps.weight", (768, 2048, 128), _KIND),
        ]
    return metadata, tensors


def window_27b() -> Described:
    """Gemma 3 27B: five layers with a window of 1024 tokens, then one without."""
    metadata = _metadata("gemma3", layers=62, n_embd=5376, heads=32, kv_heads=16, head=128, ff=21504, vocab=262208)
    metadata["gemma3.attention.sliding_window"] = 1024
    tensors = _ends(5376, 262208, tied=True)
    for layer in range(62):
        tensors += _attention(layer, 5376, 32 * 128, 16 * 128) + _head_norms(layer, 128)
        tensors += _feed_forward(layer, 5376, 21504)
        tensors += [Tensor(f"blk.{layer}.post_{part}_norm.weight", (5376,)) for part in ("attention", "ffw")]
    return metadata, tensors


def hybrid() -> Described:
    """LFM2 1.2B: short convolutions, and attention in six of sixteen layers."""
    heads = [8 if layer in (2, 5, 8, 10, 12, 14) else 0 for layer in range(16)]
    metadata = _metadata("lfm2", layers=16, n_embd=2048, heads=32, kv_heads=8, head=64, ff=8192, vocab=65536)
    metadata |= {"lfm2.attention.head_count_kv": heads, "lfm2.shortconv.l_cache": 3}
    tensors = [Tensor("token_embd.weight", (2048, 65536), _KIND), Tensor("token_embd_norm.weight", (2048,))]
    for layer, count in enumerate(heads):
        tensors += _feed_forward(layer, 2048, 8192)
        if count:
            tensors += _attention(layer, 2048, 2048, count * 64) + _head_norms(layer, 64)
        else:
            tensors += [
                Tensor(f"blk.{layer}.attn_norm.weight", (2048,)),
                Tensor(f"blk.{layer}.shortconv.conv.weight", (3, 2048)),
                Tensor(f"blk.{layer}.shortconv.in_proj.weight", (2048, 6144), _KIND),
                Tensor(f"blk.{layer}.shortconv.out_proj.weight", (2048, 2048), _KIND),
            ]
    return metadata, tensors


PUBLISHED: dict[str, Callable[[], Described]] = {
    "dense 8B": dense_8b,
    "experts 30B": experts_30b,
    "window 27B": window_27b,
    "hybrid": hybrid,
}


def _metadata(
    name: str, *, layers: int, n_embd: int, heads: int, kv_heads: int, head: int, ff: int, vocab: int
) -> dict[str, Scalar | Sequence[Scalar]]:
    return {
        "general.architecture": name,
        f"{name}.block_count": layers,
        f"{name}.context_length": 131072,
        f"{name}.embedding_length": n_embd,
        f"{name}.feed_forward_length": ff,
        f"{name}.attention.head_count": heads,
        f"{name}.attention.head_count_kv": kv_heads,
        f"{name}.attention.key_length": head,
        f"{name}.attention.value_length": head,
        f"{name}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{name}.rope.dimension_count": head,
        f"{name}.vocab_size": vocab,
        "tokenizer.ggml.model": "no_vocab",
    }


def _ends(n_embd: int, vocab: int, *, tied: bool) -> list[Tensor]:
    ends = [Tensor("token_embd.weight", (n_embd, vocab), _KIND), Tensor("output_norm.weight", (n_embd,))]
    return ends if tied else [*ends, Tensor("output.weight", (n_embd, vocab), _KIND)]


def _attention(layer: int, n_embd: int, query: int, kv: int) -> list[Tensor]:
    return [
        Tensor(f"blk.{layer}.attn_norm.weight", (n_embd,)),
        Tensor(f"blk.{layer}.attn_q.weight", (n_embd, query), _KIND),
        Tensor(f"blk.{layer}.attn_k.weight", (n_embd, kv), _KIND),
        Tensor(f"blk.{layer}.attn_v.weight", (n_embd, kv), _KIND),
        Tensor(f"blk.{layer}.attn_output.weight", (query, n_embd), _KIND),
    ]


def _head_norms(layer: int, head: int) -> list[Tensor]:
    return [Tensor(f"blk.{layer}.attn_{part}_norm.weight", (head,)) for part in "qk"]


def _feed_forward(layer: int, n_embd: int, width: int) -> list[Tensor]:
    return [
        Tensor(f"blk.{layer}.ffn_norm.weight", (n_embd,)),
        Tensor(f"blk.{layer}.ffn_gate.weight", (n_embd, width), _KIND),
        Tensor(f"blk.{layer}.ffn_up.weight", (n_embd, width), _KIND),
        Tensor(f"blk.{layer}.ffn_down.weight", (width, n_embd), _KIND),
    ]
