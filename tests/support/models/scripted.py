"""A model that says what a test tells it to say, token by token, whatever the prompt is.

Its blocks add nothing to the embeddings, and each row of the output is the embedding of the token before: so every
token has one successor, with greedy sampling and (the distance is large) with any other.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.support.models.blocks import N_EMBD, attention, describe, feed_forward, write
from tests.support.models.vocabulary import BPE, CHATML, byte_level, with_tokens
from tests.support.models.weights import Floats, Weight, norm

# Logits of the successor; the others reach about a third of it.
_CERTAINTY = 60.0


def write_scripted(
    folder: Path,
    pieces: Sequence[str | bytes],
    *,
    name: str = "scripted",
    after: str = "\n",
    endless: bool = False,
    template: str = CHATML,
) -> Path:
    """Write a model that answers with `pieces`, each of them one token, and then ends its reply.

    pieces: all different; marks like "<think>" are the vocabulary's own tokens, other texts become new ones. Bytes
        may be a part of a character. The tokenizer never finds new tokens in a prompt, it spells them out.
    after: the token that the prompt ends with.
    endless: after the last piece comes the first again.
    """
    texts = [byte_level(piece) for piece in pieces]
    assert len(set(texts)) == len(texts), "each piece has one successor"
    vocabulary = with_tokens(BPE, texts)
    chain = [vocabulary.id(byte_level(after)), *map(vocabulary.id, texts)]
    chain.append(chain[1] if endless else vocabulary.id("<|im_end|>"))
    embeddings = _embeddings(len(vocabulary.texts))
    output = np.zeros_like(embeddings)
    for before, then in itertools.pairwise(chain):
        output[then] += embeddings[before] * (_CERTAINTY / N_EMBD)
    shape = (N_EMBD, len(vocabulary.texts))
    weights = [
        Weight("token_embd.weight", shape, values=embeddings),
        norm("output_norm.weight", N_EMBD)._replace(spread=0.0),
        Weight("output.weight", shape, values=output),
        *(_silent(weight) for weight in attention(0) + feed_forward(0)),
    ]
    return write(folder, name, describe("llama", 1, template, vocabulary=vocabulary), weights, seed=0)


def _embeddings(count: int) -> Floats:
    """Random directions of the same length, nearly at right angles."""
    values = np.random.default_rng(0).standard_normal((count, N_EMBD), dtype=np.float32)
    length: Floats = np.linalg.norm(values, axis=1, keepdims=True)
    return values / length * np.float32(N_EMBD**0.5)


def _silent(weight: Weight) -> Weight:
    """The same, unless it is what a block adds to its input: this becomes zero."""
    adds = weight.name.endswith(("attn_output.weight", "ffn_down.weight"))
    return weight._replace(spread=0.0) if adds else weight
