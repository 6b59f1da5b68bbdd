"""Which parts of a piece of code have which colour of the theme. Knows no Qt; loads pygments on first use."""

import functools
from typing import NamedTuple

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Token, _TokenType
from pygments.util import ClassNotFound

LONGEST = 20_000
"""Characters: longer code stays plain, because colouring it would hold the window up (2.4 ms per 1,000)."""

_COLOURS: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "code_comment"),
    (Keyword, "code_keyword"),
    (Operator.Word, "code_keyword"),
    (String, "code_string"),
    (Number, "code_number"),
    (Name.Function, "code_name"),
    (Name.Class, "code_name"),
    (Name.Builtin, "code_name"),
    (Name.Decorator, "code_name"),
    (Name.Tag, "code_name"),
    (Name.Attribute, "code_number"),
)


class Span(NamedTuple):
    """`length` UTF-16 units from `start` have the theme's `colour`."""

    start: int
    length: int
    colour: str


def spans(code: str, language: str) -> list[Span]:
    """The coloured parts of `code`; none for a language that is not known."""
    lexer = _lexer(language.lower())
    if lexer is None or len(code) > LONGEST:
        return []
    result = []
    position = 0
    for kind, text in lexer.get_tokens(code):
        length = _units(text)
        colour = _colour(kind)
        if colour and text.strip():
            result.append(Span(position, length, colour))
        position += length
    total = _units(code)
    return [span for span in result if span.start + span.length <= total]


def _units(text: str) -> int:
    """Length as Qt counts it: a character outside the basic plane is two."""
    return len(text) + sum(character > "\uffff" for character in text)


@functools.lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    if not language:
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _colour(kind: _TokenType) -> str:
    while kind is not Token and kind.parent is not None:
        for known, colour in _COLOURS:
            if kind is known:
                return colour
        kind = kind.parent
    return ""
