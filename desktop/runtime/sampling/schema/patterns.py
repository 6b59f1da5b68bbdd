"""Turns the regular expression of a JSON schema's "pattern" into rules over the characters of a JSON string.

Python's own parser reads it: ECMA 262 and Python agree on what schemas use. What no grammar can say (looking around,
back references, word borders) is refused.
"""

import re
import re._constants as sre  # type: ignore[import-not-found,unused-ignore]
import re._parser as sre_parser  # type: ignore[import-not-found,unused-ignore]
from collections.abc import Iterable
from typing import Any

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.schema.rules import either, literal, repeated

MAX_DEPTH = 50
_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)
_NOT_PLAIN = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), _SURROGATES)
_ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}

Ranges = list[tuple[int, int]]

# ASCII, as ECMA 262 has it.
_DIGITS: Ranges = [(0x30, 0x39)]
_WORD: Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_BLANK: Ranges = [(0x09, 0x0D), (0x20, 0x20)]


def pattern_rule(pattern: str) -> str:
    """Return the rule of the JSON strings that contain `pattern`. Raises EngineError(BAD_GRAMMAR)."""
    try:
        parsed = sre_parser.parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise refused(f"the pattern {pattern!r} cannot be read: {error}") from error
    return f'"\\"" {_anchored(list(parsed), pattern)} "\\""'


def _anchored(items: list[Any], pattern: str) -> str:
    """A pattern may be anywhere in the string, unless it begins with ^ and ends with $."""
    if len(items) == 1 and items[0][0] is sre.BRANCH:
        return either(_anchored(list(branch), pattern) for branch in items[0][1][1])
    begins = bool(items) and items[0] == (sre.AT, sre.AT_BEGINNING)
    ends = len(items) > begins and items[-1] == (sre.AT, sre.AT_END)
    inner = items[begins : len(items) - ends]
    anything = _letters([(0, _LAST)])
    rule = _sequence(inner, pattern, 0)
    return f"{'' if begins else anything + '*'} ({rule}) {'' if ends else anything + '*'}"


def _sequence(items: Iterable[Any], pattern: str, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise refused(f"the pattern {pattern!r} is nested too deep")
    return " ".join(_item(kind, value, pattern, depth + 1) for kind, value in items)


def _item(kind: Any, value: Any, pattern: str, depth: int) -> str:
    if kind is sre.LITERAL:
        return _letters([(value, value)])
    if kind is sre.NOT_LITERAL:
        return _letters(_others([(value, value)]))
    if kind is sre.ANY:
        return _letters(_others([(0x0A, 0x0A), (0x0D, 0x0D)]))
    if kind is sre.IN:
        return _letters(_class(value, pattern))
    if kind is sre.BRANCH:
        return either(_sequence(branch, pattern, depth) for branch in value[1])
    return _nested(kind, value, pattern, depth)


def _nested(kind: Any, value: Any, pattern: str, depth: int) -> str:
    if kind is sre.SUBPATTERN and not value[1] and not value[2]:
        return f"({_sequence(value[3], pattern, depth)})"
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        least, most, body = value
        group = f"({_sequence(body, pattern, depth)})"
        return repeated(group, int(least), None if most is sre.MAXREPEAT else int(most))
    raise refused(f"the pattern {pattern!r} needs {str(kind).lower()}, which a grammar cannot keep")


def _class(items: Iterable[Any], pattern: str) -> Ranges:
    ranges: Ranges = []
    other = False
    for kind, value in items:
        if kind is sre.NEGATE:
            other = True
        elif kind is sre.LITERAL:
            ranges.append((value, value))
        elif kind is sre.RANGE:
            ranges.append(value)
        elif kind is sre.CATEGORY:
            ranges += _category(value, pattern)
    return _others(ranges) if other else ranges


def _category(name: Any, pattern: str) -> Ranges:
    known: dict[Any, Ranges] = {
        sre.CATEGORY_DIGIT: _DIGITS,
        sre.CATEGORY_NOT_DIGIT: _others(_DIGITS),
        sre.CATEGORY_WORD: _WORD,
        sre.CATEGORY_NOT_WORD: _others(_WORD),
        sre.CATEGORY_SPACE: _BLANK,
        sre.CATEGORY_NOT_SPACE: _others(_BLANK),
    }
    if name not in known:
        raise refused(f"the pattern {pattern!r} needs {str(name).lower()}, which a grammar cannot keep")
    return known[name]


def _others(ranges: Ranges) -> Ranges:
    """All code points that are not in `ranges`."""
    found, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            found.append((at, low - 1))
        at = max(at, high + 1)
    if at <= _LAST:
        found.append((at, _LAST))
    return found


def _letters(ranges: Ranges) -> str:
    """One character of a JSON string: as it is where JSON allows that, escaped where it does not."""
    plain = _others(_others(ranges) + list(_NOT_PLAIN))
    ways = [f"[{''.join(map(_range, plain))}]"] if plain else []
    ways += [literal(text) for letter, text in _ESCAPES.items() if any(low <= letter <= high for low, high in ranges)]
    if not ways:
        raise refused("a pattern of the JSON schema needs a character that no JSON string can hold")
    return either(ways)


def _range(ends: tuple[int, int]) -> str:
    return f"\\U{ends[0]:08X}-\\U{ends[1]:08X}"
