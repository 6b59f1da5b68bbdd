"""Tokens that come from outside or go there: checked, and the answers to Tokenize and Detokenize."""

from collections.abc import Sequence

import msgspec

from desktop.engine.protocol import LONGEST_LINE, Detokenize, Detokenized, FailureKind, Tokenize, Tokenized
from desktop.runtime.failures import EngineError
from desktop.runtime.vocabulary import Vocabulary

MOST_AT_ONCE = 1024 * 1024
"""Characters, or tokens, of one question: a third of a second, during which everybody's text stands still."""


def checked_tokens(words: Vocabulary, tokens: Sequence[int], field: str) -> list[int]:
    """Return tokens that were given by number. Raises EngineError(BAD_REQUEST) for one that the model does not have.

    Negative numbers are refused like any other: places of images have such numbers inside (runtime/media/places.py).
    """
    for place, token in enumerate(tokens):
        if not 0 <= token < words.size:
            detail = f"{field}[{place}] is {token}, and this model has the tokens 0 to {words.size - 1}"
            raise EngineError(FailureKind.BAD_REQUEST, detail)
    return list(tokens)


def answer_tokens(words: Vocabulary, request: Tokenize | Detokenize) -> Tokenized | Detokenized:
    """Raises EngineError(BAD_REQUEST) for what is no token, and where the answer would be no line any more."""
    if isinstance(request, Tokenize):
        _check_length(len(request.text), "text")
        tokens = words.tokenize(request.text, add_bos=request.add_special, parse_special=request.parse_special)
        pieces = tuple(map(words.written, tokens))
        answer: Tokenized | Detokenized = Tokenized(request_id=request.request_id, tokens=tuple(tokens), pieces=pieces)
        field = "text"
    else:
        field = "tokens"
        _check_length(len(request.tokens), field)
        written = [words.written(token) for token in checked_tokens(words, request.tokens, field)]
        _check_size(sum(map(len, written)), field)
        text = b"".join(written).decode("utf-8", "replace")
        answer = Detokenized(request_id=request.request_id, text=text)
    _check_size(len(msgspec.json.encode(answer)), field)
    return answer


def _check_length(length: int, field: str) -> None:
    if length > MOST_AT_ONCE:
        detail = f"{field}: it has a length of {length}, and at most {MOST_AT_ONCE} are read at once; ask in pieces"
        raise EngineError(FailureKind.BAD_REQUEST, detail)


def _check_size(size: int, field: str) -> None:
    """The owner ends a child that sends a longer line."""
    if size >= LONGEST_LINE:
        raise EngineError(FailureKind.BAD_REQUEST, f"{field}: the answer would be too long for one message")
