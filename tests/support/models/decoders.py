"""Small language models of every kind of memory, with random weights: they load, and they write words.

All have the vocabulary `BPE`, ChatML, n_embd 256 and matrices in Q8_0. `ending` is how much the model likes to end
its reply: 0 never (with greedy sampling), 1 like any other token, more sooner. One function writes one kind.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.support.gguf_writer import Metadata, Scalar
from tests.support.models.vocabulary import BPE, CHATML, SIZE, bpe_metadata
from tests.support.models.weights import Weight, matrix, norm, vector, write_weights

N_EMBD = 256
N_HEAD = 4
N_HEAD_KV = 2
N_FF = 512
CONTEXT = 4096
Keys = dict[str, Scalar | Sequence[Scalar]]

HEAD = N_EMBD // N_HEAD
KV = HEAD * N_HEAD_KV

# How far apart logits lie: the best token leads by about as much as in a trained model.
_SHARPNESS = 4.0
# Random queries and keys nearly average over the past; this makes attention choose.
_ATTENTION = 3.0


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
    weights = [part for layer in range(layers) for part in _attention(layer, kind) + _feed_forward(layer, kind)]
    metadata = _metadata("llama", layers, template, context=context)
    return _write(folder, name, metadata, [*weights, *_ends(kind, ending)], seed)


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
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write a gemma3: every second layer sees only the last `window` tokens."""
    special: Keys = {
        "attention.sliding_window": window,
        "attention.sliding_window_pattern": 2,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "rope.freq_base": 1e6,
    }
    weights = []
    for layer in range(layers):
        weights += _attention(layer) + _feed_forward(layer) + _head_norms(layer)
        weights += [norm(f"blk.{layer}.{part}.weight", N_EMBD) for part in ("post_attention_norm", "post_ffw_norm")]
    metadata = _metadata("gemma3", layers, template, special)
    return _write(folder, name, metadata, [*weights, *_ends("q8_0", ending)], seed)


def write_recurrent(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "recurrent",
    layers: int = 4,
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
    metadata = _metadata("mamba", layers, template, special)
    return _write(folder, name, metadata, [*weights, *_ends("q8_0", ending)], seed)


def write_hybrid(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "hybrid",
    layers: int = 4,
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write an lfm2: convolutions with a state in the even layers, attention in the odd ones."""
    cached = 3
    heads = [N_HEAD_KV if layer % 2 else 0 for layer in range(layers)]
    special: Keys = {"shortconv.l_cache": cached, "attention.head_count_kv": heads}
    weights = []
    for layer in range(layers):
        weights += _attention(layer) + _head_norms(layer) if heads[layer] else _short_convolution(layer, cached)
        weights += _feed_forward(layer)
    metadata = _metadata("lfm2", layers, template, special)
    return _write(folder, name, metadata, [*weights, *_ends("q8_0", ending, norm="token_embd_norm")], seed)


def write_moe(
    folder: Path,
    *,
    seed: int = 0,
    name: str = "moe",
    layers: int = 3,
    experts: int = 4,
    used: int = 2,
    ending: float = 0.0,
    template: str = CHATML,
) -> Path:
    """Write an olmoe: each token goes through `used` of the `experts`."""
    special: Keys = {"expert_count": experts, "expert_used_count": used, "attention.head_count_kv": N_HEAD}
    weights = []
    for layer in range(layers):
        block = f"blk.{layer}"
        weights += _attention(layer, kv=N_EMBD)
        weights += [norm(f"{block}.attn_{part}_norm.weight", N_EMBD) for part in "qk"]
        weights += [
            norm(f"{block}.ffn_norm.weight", N_EMBD),
            matrix(f"{block}.ffn_gate_inp.weight", N_EMBD, experts, kind="f32", gain=2.0),
            matrix(f"{block}.ffn_gate_exps.weight", N_EMBD, N_FF, experts),
            matrix(f"{block}.ffn_up_exps.weight", N_EMBD, N_FF, experts),
            matrix(f"{block}.ffn_down_exps.weight", N_FF, N_EMBD, experts),
        ]
    metadata = _metadata("olmoe", layers, template, special)
    return _write(folder, name, metadata, [*weights, *_ends("q8_0", ending)], seed)


def _metadata(
    architecture: str,
    layers: int,
    template: str,
    special: Keys | None = None,
    *,
    context: int = CONTEXT,
) -> Keys:
    """special: keys of this architecture, without its name; they win over the common ones."""
    keys: Keys = {
        "block_count": layers,
        "context_length": context,
        "embedding_length": N_EMBD,
        "feed_forward_length": N_FF,
        "attention.head_count": N_HEAD,
        "attention.head_count_kv": N_HEAD_KV,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": HEAD,
        "vocab_size": SIZE,
    }
    named = {f"{architecture}.{key}": value for key, value in (keys | (special or {})).items()}
    head: Keys = {
        "general.architecture": architecture,
        "general.type": "model",
        "general.name": f"Tiny {architecture}",
    }
    return head | named | bpe_metadata(template=template)


def _attention(layer: int, kind: str = "q8_0", *, kv: int = KV) -> list[Weight]:
    """kv: values of a token in K and in V."""
    block = f"blk.{layer}"
    return [
        norm(f"{block}.attn_norm.weight", N_EMBD),
        matrix(f"{block}.attn_q.weight", N_EMBD, N_EMBD, gain=_ATTENTION, kind=kind),
        matrix(f"{block}.attn_k.weight", N_EMBD, kv, kind=kind),
        matrix(f"{block}.attn_v.weight", N_EMBD, kv, kind=kind),
        matrix(f"{block}.attn_output.weight", N_EMBD, N_EMBD, kind=kind),
    ]


def _head_norms(layer: int) -> list[Weight]:
    """Norms of each head's queries and keys; the queries are made longer, for attention to choose."""
    return [
        vector(f"blk.{layer}.attn_q_norm.weight", HEAD, mean=_ATTENTION),
        norm(f"blk.{layer}.attn_k_norm.weight", HEAD),
    ]


def _feed_forward(layer: int, kind: str = "q8_0") -> list[Weight]:
    block = f"blk.{layer}"
    return [
        norm(f"{block}.ffn_norm.weight", N_EMBD),
        matrix(f"{block}.ffn_gate.weight", N_EMBD, N_FF, kind=kind),
        matrix(f"{block}.ffn_up.weight", N_EMBD, N_FF, kind=kind),
        matrix(f"{block}.ffn_down.weight", N_FF, N_EMBD, kind=kind),
    ]


def _short_convolution(layer: int, cached: int) -> list[Weight]:
    block = f"blk.{layer}"
    return [
        norm(f"{block}.attn_norm.weight", N_EMBD),
        matrix(f"{block}.shortconv.conv.weight", cached, N_EMBD, kind="f32"),
        matrix(f"{block}.shortconv.in_proj.weight", N_EMBD, 3 * N_EMBD),
        matrix(f"{block}.shortconv.out_proj.weight", N_EMBD, N_EMBD),
    ]


def _ends(kind: str, ending: float, *, norm: str = "output_norm") -> list[Weight]:
    """The embeddings and the output; norm: the last norm's name."""
    return [
        Weight("token_embd.weight", (N_EMBD, SIZE), kind, spread=1.0),
        vector(f"{norm}.weight", N_EMBD, mean=1.0),
        matrix("output.weight", N_EMBD, SIZE, gain=_SHARPNESS, kind=kind, rows=BPE.output_rows(ending=ending)),
    ]


def _write(folder: Path, name: str, metadata: Metadata, weights: Sequence[Weight], seed: int) -> Path:
    return write_weights(folder / f"{name}.gguf", metadata, weights, seed=seed)
