"""How media stand among the tokens of a prompt: as pseudo tokens, one per place in the context.

They are negative, and made of a hash of the file: the same image in the next turn is found in the KV cache like any
common prefix, another image is not. The first of a chunk is told from those behind it, so that nothing is ever cut in
the middle of one.
"""

import hashlib
from collections.abc import Sequence

_FIRST = -(1 << 30)
"""Pseudo tokens below begin a chunk; those above, up to -2, go on with it. -1 is no token anywhere."""


def pseudo_tokens(name: bytes, count: int) -> list[int]:
    """`count` tokens for a chunk of a file. name: tells it from every other chunk of every other file."""
    raw = hashlib.shake_128(name).digest(4 * count)
    numbers = [int.from_bytes(raw[4 * place : 4 * place + 4], "little") % ((1 << 30) - 2) for place in range(count)]
    return [_FIRST - 1 - numbers[0], *(-2 - number for number in numbers[1:])] if count else []


def whole_chunks(tokens: Sequence[int], length: int) -> int:
    """The most places up to `length` after which `tokens` can be cut."""
    while 0 < length < len(tokens) and _FIRST <= tokens[length] < 0:
        length -= 1
    return length


def after_chunk(tokens: Sequence[int], length: int) -> int:
    """The fewest places from `length` on after which `tokens` can be cut."""
    while length < len(tokens) and _FIRST <= tokens[length] < 0:
        length += 1
    return length


def count_text(tokens: Sequence[int], most: int) -> int:
    """How many of the first `most` tokens come before a chunk."""
    return next((place for place, token in enumerate(tokens[:most]) if token < 0), min(most, len(tokens)))


def text_only(tokens: Sequence[int]) -> list[int]:
    """The tokens without media: for samplers, which look back on words only."""
    return [token for token in tokens if token >= 0]
