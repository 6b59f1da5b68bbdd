"""Small synthetic models of other kinds than a plain dense transformer, as the real engine accepts them."""

from collections.abc import Sequence

from tests.support.gguf_writer import Scalar, Tensor, dense_model

Described = tuple[dict[str, Scalar | Sequence[Scalar]], list[Tensor]]


def large_dense() -> Described:
    """Llama's 7B with fewer heads for keys and values: 3.7 GiB as a file, 64 KiB of KV cache per token."""
    return dense_model(
        n_layer=32,
        n_embd=4096,
        n_head=32,
        n_head_kv=4,
        n_ff=14336,
        vocab=32000,
        tied=False,
        kind="q4_K",
        context=131072,
    )


def mixture_of_experts() -> Described:
    """Llama with 8 experts of which 2 work on each token (Mixtral's layout)."""
    metadata, tensors = dense_model(n_layer=4, n_embd=512, n_head=8, n_ff=1024)
    metadata |= {"llama.expert_count": 8, "llama.expert_used_count": 2}
    return metadata, [piece for tensor in tensors for piece in _as_experts(tensor)]


def many_experts(*, n_layer: int, n_embd: int, n_ff: int, experts: int, used: int) -> Described:
    """The same with sizes of one's own, Q4_0: large as a file, quick as a stub."""
    metadata, tensors = dense_model(
        n_layer=n_layer, n_embd=n_embd, n_head=16, n_head_kv=4, n_ff=n_ff, vocab=32000, kind="q4_0", context=131072
    )
    metadata |= {"llama.expert_count": experts, "llama.expert_used_count": used}
    return metadata, [piece for tensor in tensors for piece in _as_experts(tensor, experts=experts)]


def sliding_window() -> Described:
    """Gemma 3: five layers with a window, then one without."""
    metadata, tensors = dense_model(n_layer=8, n_embd=512, n_head=4, n_head_kv=2, architecture="gemma3")
    metadata |= {
        "gemma3.attention.sliding_window": 512,
        "gemma3.attention.key_length": 128,
        "gemma3.attention.value_length": 128,
    }
    for layer in range(8):
        tensors += [
            Tensor(f"blk.{layer}.attn_q_norm.weight", (128,)),
            Tensor(f"blk.{layer}.attn_k_norm.weight", (128,)),
            Tensor(f"blk.{layer}.post_attention_norm.weight", (512,)),
            Tensor(f"blk.{layer}.post_ffw_norm.weight", (512,)),
        ]
    return metadata, tensors


def short_convolutions() -> Described:
    """LFM2: attention in two of six layers, a short convolution in the others."""
    metadata, tensors = dense_model(n_layer=6, n_embd=512, n_head=8, architecture="lfm2")
    heads = [0, 0, 2, 0, 2, 0]
    metadata |= {"lfm2.attention.head_count_kv": heads, "lfm2.shortconv.l_cache": 3}
    kept = [tensor for tensor in tensors if not _belongs_to_attention(tensor.name, heads)]
    kept = [tensor._replace(name=tensor.name.replace("output_norm", "token_embd_norm")) for tensor in kept]
    for layer, count in enumerate(heads):
        if count:
            kept += [Tensor(f"blk.{layer}.attn_{name}_norm.weight", (64,)) for name in "qk"]
            continue
        kept += [
            Tensor(f"blk.{layer}.shortconv.conv.weight", (3, 512)),
            Tensor(f"blk.{layer}.shortconv.in_proj.weight", (512, 1536), "q8_0"),
            Tensor(f"blk.{layer}.shortconv.out_proj.weight", (512, 512), "q8_0"),
        ]
    return metadata, kept


def latent_attention() -> Described:
    """DeepSeek 2: one compressed row per token and layer, no V."""
    metadata, tensors = dense_model(n_layer=4, n_embd=512, n_head=8, n_head_kv=1, architecture="deepseek2")
    metadata |= {
        "deepseek2.attention.q_lora_rank": 128,
        "deepseek2.attention.kv_lora_rank": 256,
        "deepseek2.attention.key_length": 320,
        "deepseek2.attention.value_length": 256,
        "deepseek2.attention.key_length_mla": 128,
        "deepseek2.attention.value_length_mla": 64,
        "deepseek2.rope.dimension_count": 64,
        "deepseek2.leading_dense_block_count": 4,
        "deepseek2.expert_feed_forward_length": 64,
        "deepseek2.expert_shared_count": 1,
        "deepseek2.expert_weights_scale": 1.0,
    }
    kept = [tensor for tensor in tensors if ".attn_" not in tensor.name or "attn_norm" in tensor.name]
    for layer in range(4):
        kept += [
            Tensor(f"blk.{layer}.attn_q_a_norm.weight", (128,)),
            Tensor(f"blk.{layer}.attn_kv_a_norm.weight", (256,)),
            Tensor(f"blk.{layer}.attn_q_a.weight", (512, 128), "q8_0"),
            Tensor(f"blk.{layer}.attn_q_b.weight", (128, 8 * 128), "q8_0"),
            Tensor(f"blk.{layer}.attn_kv_a_mqa.weight", (512, 320), "q8_0"),
            Tensor(f"blk.{layer}.attn_k_b.weight", (64, 256, 8), "q8_0"),
            Tensor(f"blk.{layer}.attn_v_b.weight", (256, 64, 8), "q8_0"),
            Tensor(f"blk.{layer}.attn_output.weight", (8 * 64, 512), "q8_0"),
        ]
    return metadata, kept


def _as_experts(tensor: Tensor, *, experts: int = 8) -> list[Tensor]:
    for part in ("ffn_gate", "ffn_up", "ffn_down"):
        if f".{part}." in tensor.name:
            parts = Tensor(tensor.name.replace(part, f"{part}_exps"), (*tensor.shape, experts), tensor.kind)
            router = Tensor(tensor.name.replace(part, "ffn_gate_inp"), (tensor.shape[0], experts))
            return [parts, router] if part == "ffn_gate" else [parts]
    return [tensor]


def _belongs_to_attention(name: str, heads: Sequence[int]) -> bool:
    if not name.startswith("blk.") or "attn_norm" in name:
        return False
    return ".attn_" in name and heads[int(name.split(".")[1])] == 0
