"""What the synthetic models have in common: their sizes, the usual parts of a block, the keys of a transformer."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.gguf_writer import Metadata, Scalar
from tests.support.models.vocabulary import BPE, SIZE, Vocabulary, bpe_metadata
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


def describe(
    architecture: str,
    layers: int,
    template: str,
    special: Keys | None = None,
    *,
    context: int = CONTEXT,
    vocabulary: Vocabulary = BPE,
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
        "vocab_size": len(vocabulary.texts),
    }
    named = {f"{architecture}.{key}": value for key, value in (keys | (special or {})).items()}
    head: Keys = {
        "general.architecture": architecture,
        "general.type": "model",
        "general.name": f"Tiny {architecture}",
    }
    return head | named | bpe_metadata(template=template, vocabulary=vocabulary)


def attention(layer: int, kind: str = "q8_0", *, kv: int = KV) -> list[Weight]:
    """kv: values of a token in K and in V."""
    block = f"blk.{layer}"
    return [
        norm(f"{block}.attn_norm.weight", N_EMBD),
        matrix(f"{block}.attn_q.weight", N_EMBD, N_EMBD, gain=_ATTENTION, kind=kind),
        matrix(f"{block}.attn_k.weight", N_EMBD, kv, kind=kind),
        matrix(f"{block}.attn_v.weight", N_EMBD, kv, kind=kind),
        matrix(f"{block}.attn_output.weight", N_EMBD, N_EMBD, kind=kind),
    ]


def head_norms(layer: int) -> list[Weight]:
    """Norms of each head's queries and keys; the queries are made longer, for attention to choose."""
    return [
        vector(f"blk.{layer}.attn_q_norm.weight", HEAD, mean=_ATTENTION),
        norm(f"blk.{layer}.attn_k_norm.weight", HEAD),
    ]


def feed_forward(layer: int, kind: str = "q8_0") -> list[Weight]:
    block = f"blk.{layer}"
    return [
        norm(f"{block}.ffn_norm.weight", N_EMBD),
        matrix(f"{block}.ffn_gate.weight", N_EMBD, N_FF, kind=kind),
        matrix(f"{block}.ffn_up.weight", N_EMBD, N_FF, kind=kind),
        matrix(f"{block}.ffn_down.weight", N_FF, N_EMBD, kind=kind),
    ]


def ends(kind: str, ending: float, *, norm: str = "output_norm") -> list[Weight]:
    """The embeddings and the output; norm: the last norm's name."""
    return [
        Weight("token_embd.weight", (N_EMBD, SIZE), kind, spread=1.0),
        vector(f"{norm}.weight", N_EMBD, mean=1.0),
        matrix("output.weight", N_EMBD, SIZE, gain=_SHARPNESS, kind=kind, rows=BPE.output_rows(ending=ending)),
    ]


def write(
    folder: Path, name: str, metadata: Metadata, weights: Sequence[Weight], seed: int, *, kind: str = "q8_0"
) -> Path:
    """kind: what matrices in Q8_0 are written as instead; in "f32" rounding is too small to change a text."""
    weights = [weight._replace(kind=kind) if weight.kind == "q8_0" else weight for weight in weights]
    return write_weights(folder / f"{name}.gguf", metadata, weights, seed=seed)
