"""Small models for embeddings and for ranking, with random weights: in both of the forms that exist.

The BERT forms read a text at once and have no KV cache; the qwen3 forms are decoders whose last token is pooled.
"""

from pathlib import Path

from tests.support.models.blocks import (
    N_EMBD,
    N_FF,
    N_HEAD,
    Keys,
    attention,
    describe,
    ends,
    feed_forward,
    head_norms,
    write,
)
from tests.support.models.vocabulary import CHATML, WPM, wpm_metadata
from tests.support.models.weights import Weight, matrix, norm, vector

# enum llama_pooling_type in llama.h.
MEAN, CLS, LAST, RANK = 1, 2, 3, 4
BERT_CONTEXT = 512
RERANK_TEMPLATE = (
    "<|im_start|>user\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n"
)


def write_embedding(
    folder: Path, *, seed: int = 0, name: str = "embedding", layers: int = 2, pooling: int = MEAN
) -> Path:
    """Write a bert whose tokens are pooled to one vector of 256 numbers."""
    return write(folder, name, _bert(layers, pooling), _bert_weights(layers), seed)


def write_reranker(folder: Path, *, seed: int = 0, name: str = "reranker", layers: int = 2) -> Path:
    """Write a bert that gives [CLS] query [SEP] document [SEP] one score."""
    head = [
        matrix("cls.weight", N_EMBD, N_EMBD, kind="f32"),
        vector("cls.bias", N_EMBD),
        matrix("cls.output.weight", N_EMBD, 1, kind="f32", gain=4.0),
        vector("cls.output.bias", 1),
    ]
    return write(folder, name, _bert(layers, RANK), [*_bert_weights(layers), *head], seed)


def write_decoder_embedding(folder: Path, *, seed: int = 0, name: str = "decoder-embedding", layers: int = 2) -> Path:
    """Write a qwen3 whose last token is the embedding; it has a KV cache, like any decoder."""
    return write(folder, name, _qwen3(layers, LAST), _qwen3_weights(layers), seed)


def write_decoder_reranker(folder: Path, *, seed: int = 0, name: str = "decoder-reranker", layers: int = 2) -> Path:
    """Write a qwen3 that answers yes or no; the probability of yes is the score. It brings a rerank template."""
    metadata = _qwen3(layers, RANK) | {
        "qwen3.classifier.output_labels": ("yes", "no"),
        "tokenizer.chat_template.rerank": RERANK_TEMPLATE,
    }
    head = matrix("cls.output.weight", N_EMBD, 2, kind="f32")
    return write(folder, name, metadata, [*_qwen3_weights(layers), head], seed)


def _bert(layers: int, pooling: int) -> Keys:
    return {
        "general.architecture": "bert",
        "general.type": "model",
        "general.name": "Tiny bert",
        "bert.block_count": layers,
        "bert.context_length": BERT_CONTEXT,
        "bert.embedding_length": N_EMBD,
        "bert.feed_forward_length": N_FF,
        "bert.attention.head_count": N_HEAD,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": pooling,
        **wpm_metadata(),
    }


def _bert_weights(layers: int) -> list[Weight]:
    weights = [
        Weight("token_embd.weight", (N_EMBD, len(WPM.texts)), "q8_0", spread=1.0),
        Weight("token_types.weight", (N_EMBD, 2), spread=0.1),
        Weight("position_embd.weight", (N_EMBD, BERT_CONTEXT), spread=0.3),
        *_layer_norm("token_embd_norm"),
    ]
    for block in (f"blk.{layer}" for layer in range(layers)):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            weights += [matrix(f"{block}.{part}.weight", N_EMBD, N_EMBD), vector(f"{block}.{part}.bias", N_EMBD)]
        weights += [
            *_layer_norm(f"{block}.attn_output_norm"),
            matrix(f"{block}.ffn_up.weight", N_EMBD, N_FF),
            vector(f"{block}.ffn_up.bias", N_FF),
            matrix(f"{block}.ffn_down.weight", N_FF, N_EMBD),
            vector(f"{block}.ffn_down.bias", N_EMBD),
            *_layer_norm(f"{block}.layer_output_norm"),
        ]
    return weights


def _layer_norm(name: str) -> list[Weight]:
    return [norm(f"{name}.weight", N_EMBD), vector(f"{name}.bias", N_EMBD)]


def _qwen3(layers: int, pooling: int) -> Keys:
    return describe("qwen3", layers, CHATML, {"pooling_type": pooling})


def _qwen3_weights(layers: int) -> list[Weight]:
    parts = [attention(layer) + head_norms(layer) + feed_forward(layer) for layer in range(layers)]
    return [*(weight for block in parts for weight in block), *ends("q8_0", 0.0)]
