"""Small language models of every kind of memory, with random weights: they load, and they write words.

All have the vocabulary `BPE`, ChatML, n_embd 256 and matrices in Q8_0 unless `kind` says "f32". `ending` is how much
the model likes to end its reply: 0 never (with greedy sampling), 1 like any other token, more sooner. One function
writes one kind.
"""

from pathlib import Path

from tests.support.models.blocks import (
    CONTEXT,
    HEAD,
    N_EMBD,
    N_FF,
    N_HEAD,
    N_HEAD_KV,
    Keys,
    attention,
    describe,
    ends,
    feed_forward,
    head_norms,
    write,
)
from tests.support.models.vocabulary import BPE, CHATML, INFILL_TEXTS, with_controls
from tests.support.models.weights import Weight, matrix, norm, vector


def write_dense(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "dense",
    layers: int = 4,
    kind: str = "q8_0",
    ending: float = 0.0,
    template: str = CHATML,
    context: int = CONTEXT,
) -> Path:
    """Write a llama. kind: of its matrices, "q8_0", "q4_0", "f16" or "f32"."""
    weights = [part for layer in range(layers) for part in attention(layer, kind) + feed_forward(layer, kind)]
    metadata = describe("llama", layers, template, context=context)
    return write(folder, name, metadata, [*weights, *ends(kind, ending)], seed)


def write_infill(folder: Path, *, name: str = "infill", layers: int = 2, add_bos: bool = True) -> Path:
    """Write a llama in f32 whose vocabulary can fill in a middle (INFILL_TEXTS). add_bos: a prompt begins with BOS."""
    weights = [part for layer in range(layers) for part in attention(layer, "f32") + feed_forward(layer, "f32")]
    metadata = describe("llama", layers, CHATML, vocabulary=with_controls(BPE, INFILL_TEXTS))
    metadata["tokenizer.ggml.add_bos_token"] = add_bos
    return write(folder, name, metadata, [*weights, *ends("f32", 0.0)], 0)


def write_long_rope(folder: Path, *, original: int = 512, layers: int = 2) -> Path:
    """Write a llama that encodes positions otherwise where the context is longer than `original`."""
    special: Keys = {"rope.scaling.type": "longrope", "rope.scaling.original_context_length": original}
    weights = [part for layer in range(layers) for part in attention(layer, "f32") + feed_forward(layer, "f32")]
    factors = [
        vector("rope_factors_long.weight", HEAD // 2, mean=8.0),
        vector("rope_factors_short.weight", HEAD // 2, mean=1.0),
    ]
    metadata = describe("llama", layers, CHATML, special)
    return write(folder, "long-rope", metadata, [*weights, *factors, *ends("f32", 0.0)], 0)


def write_draft(folder: Path, *, seed: int = 0, name: str = "draft", layers: int = 2) -> Path:
    """Write a draft for the dense model of the same seed: its first layers, so that both agree now and then.

    With the dense model's four layers it agrees always.
    """
    return write_dense(folder, seed=seed, name=name, layers=layers)


def write_sliding_window(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "sliding-window",
    window: int = 64,
    layers: int = 4,
    kind: str = "q8_0",
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write a gemma3: every second layer sees only the last `window` tokens.

    The engine forgets what left the window as soon as it needs the room: the cells of such a layer are
    n_swa * n_seq_max + n_ubatch, rounded up to 256 (llama-kv-cache-iswa.cpp). For a test to come past it, n_ubatch has
    to be small or the prompt long: 64 + 64 forgets after 256 tokens, 64 + 512 after 768.
    """
    special: Keys = {
        "attention.sliding_window": window,
        "attention.sliding_window_pattern": 2,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "rope.freq_base": 1e6,
    }
    weights = []
    for layer in range(layers):
        weights += attention(layer) + feed_forward(layer) + head_norms(layer)
        weights += [norm(f"blk.{layer}.{part}.weight", N_EMBD) for part in ("post_attention_norm", "post_ffw_norm")]
    metadata = describe("gemma3", layers, template, special)
    return write(folder, name, metadata, [*weights, *ends("q8_0", ending)], seed, kind=kind)


def write_recurrent(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "recurrent",
    layers: int = 4,
    kind: str = "q8_0",
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write a mamba: no attention, the whole past is one state."""
    inner, state, rank, kernel = 2 * N_EMBD, 16, 32, 4
    special: Keys = {
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": state,
        "ssm.time_step_rank": rank,
    }
    weights = []
    for block in (f"blk.{layer}" for layer in range(layers)):
        weights += [
            norm(f"{block}.attn_norm.weight", N_EMBD),
            matrix(f"{block}.ssm_in.weight", N_EMBD, 2 * inner, gain=2.0),
            matrix(f"{block}.ssm_conv1d.weight", kernel, inner, kind="f32"),
            vector(f"{block}.ssm_conv1d.bias", inner),
            matrix(f"{block}.ssm_x.weight", inner, rank + 2 * state, gain=2.0),
            matrix(f"{block}.ssm_dt.weight", rank, inner),
            # softplus(-2) is a step of about 0.13: the state keeps some tens of tokens.
            vector(f"{block}.ssm_dt.bias", inner, mean=-2.0),
            vector(f"{block}.ssm_a", state, inner, mean=-1.0),
            vector(f"{block}.ssm_d", inner, mean=1.0),
            matrix(f"{block}.ssm_out.weight", inner, N_EMBD),
        ]
    metadata = describe("mamba", layers, template, special)
    return write(folder, name, metadata, [*weights, *ends("q8_0", ending)], seed, kind=kind)


def write_hybrid(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "hybrid",
    layers: int = 4,
    window: int = 0,
    kind: str = "q8_0",
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write an lfm2: convolutions with a state in the even layers, attention in the odd ones.

    window: tokens that the attention sees, 0 for all.
    """
    cached = 3
    heads = [N_HEAD_KV if layer % 2 else 0 for layer in range(layers)]
    special: Keys = {"shortconv.l_cache": cached, "attention.head_count_kv": heads}
    if window:
        special["attention.sliding_window"] = window
    weights = []
    for layer in range(layers):
        weights += attention(layer) + head_norms(layer) if heads[layer] else _short_convolution(layer, cached)
        weights += feed_forward(layer)
    metadata = describe("lfm2", layers, template, special)
    return write(folder, name, metadata, [*weights, *ends("q8_0", ending, norm="token_embd_norm")], seed, kind=kind)


def write_moe(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "moe",
    layers: int = 3,
    experts: int = 4,
    used: int = 2,
    kind: str = "q8_0",
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write an olmoe: each token goes through `used` of the `experts`."""
    special: Keys = {"expert_count": experts, "expert_used_count": used, "attention.head_count_kv": N_HEAD}
    weights = []
    for layer in range(layers):
        block = f"blk.{layer}"
        weights += attention(layer, kv=N_EMBD)
        weights += [norm(f"{block}.attn_{part}_norm.weight", N_EMBD) for part in "qk"]
        weights += [
            norm(f"{block}.ffn_norm.weight", N_EMBD),
            matrix(f"{block}.ffn_gate_inp.weight", N_EMBD, experts, kind="f32", gain=2.0),
            matrix(f"{block}.ffn_gate_exps.weight", N_EMBD, N_FF, experts),
            matrix(f"{block}.ffn_up_exps.weight", N_EMBD, N_FF, experts),
            matrix(f"{block}.ffn_down_exps.weight", N_FF, N_EMBD, experts),
        ]
    metadata = describe("olmoe", layers, template, special)
    return write(folder, name, metadata, [*weights, *ends("q8_0", ending)], seed, kind=kind)


def _short_convolution(layer: int, cached: int) -> list[Weight]:
    block = f"blk.{layer}"
    return [
        norm(f"{block}.attn_norm.weight", N_EMBD),
        matrix(f"{block}.shortconv.conv.weight", cached, N_EMBD, kind="f32"),
        matrix(f"{block}.shortconv.in_proj.weight", N_EMBD, 3 * N_EMBD),
        matrix(f"{block}.shortconv.out_proj.weight", N_EMBD, N_EMBD),
    ]
