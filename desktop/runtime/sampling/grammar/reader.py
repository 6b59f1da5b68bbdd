"""Reads a grammar in GBNF, llama.cpp's notation (its grammars/README.md, as of src/llama-grammar.cpp 0c1e57098).

Our own reader because the engine's cannot be let near other people's text: `"a"{5,3}` makes it loop over 2^64 rules,
nested groups overflow its stack, rules that refer to each other in a diamond take it exponential time, and what is
wrong it tells stderr only. Everything here is bounded, and each refusal says where and why.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from desktop.runtime.failures import EngineError
from desktop.runtime.sampling.grammar.elements import (
    UNBOUNDED,
    Element,
    Grammar,
    Letters,
    Reference,
    Repeat,
    TokenIs,
    refused,
)
from desktop.runtime.sampling.grammar.recursion import refuse_left_recursion

MAX_TEXT = 512 * 1024
"""Characters of a grammar."""
MAX_ELEMENTS = 100_000
MAX_NESTING = 100
MAX_MINIMUM = 100_000
"""The most times something may have to be repeated: no reply could hold more."""

_SPACE = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([trn\\"\[\]-]))')
_NAMED_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_COUNTS = re.compile(r"\{[ \t]*([0-9]{1,18})[ \t]*(?:(,)[ \t]*([0-9]{1,18})?)?[ \t]*\}")
_TOKEN = re.compile(r"<(?:\[([0-9]{1,9})\]|[^>]*)>")
_DEFINES = re.compile(r"::=")
_OPERATORS = {"*": (0, UNBOUNDED), "+": (1, UNBOUNDED), "?": (0, 1)}


def read_grammar(text: str, *, token_of: Callable[[str], int | None]) -> Grammar:
    """Return the grammar that `text` writes, whose rule "root" is the whole reply.

    token_of: the token whose text is given ("<|im_end|>"), or None. Raises EngineError(BAD_GRAMMAR).
    """
    if len(text) > MAX_TEXT:
        raise refused(f"the grammar has {len(text)} characters, {MAX_TEXT} are the most")
    reader = _Reader(text, token_of)
    reader.read()
    grammar = reader.grammar()
    refuse_left_recursion(grammar, reader.names)
    return grammar


class _Place(NamedTuple):
    """What is being read: a rule's or a group's alternatives so far, and the sequence that is not finished."""

    rule: int
    alternatives: list[int]
    sequence: list[Element]


class _Reader:
    def __init__(self, text: str, token_of: Callable[[str], int | None]) -> None:
        self._text, self._at, self._token_of = text, 0, token_of
        self._numbers: dict[str, int] = {}
        self.names: list[str] = []
        self._rules: dict[int, tuple[int, ...]] = {}
        self._sequences: list[tuple[Element, ...]] = []
        self._elements = 0
        self._last: list[Element] = []  # what a following * + ? { repeats

    def read(self) -> None:
        self._skip(_SPACE_AND_LINES)
        while self._at < len(self._text):
            self._read_rule()

    def grammar(self) -> Grammar:
        for name, number in self._numbers.items():
            if number not in self._rules:
                raise refused(f"the rule '{name}' is used, but not defined")
        if "root" not in self._numbers:
            raise refused("there is no rule 'root'")
        rules = tuple(self._rules[number] for number in range(len(self.names)))
        return Grammar(rules, tuple(self._sequences), self._numbers["root"])

    # --- rules -----------------------------------------------------------------------------------------------------

    def _read_rule(self) -> None:
        name = self._expect(_NAME, "the name of a rule")[0]
        self._skip(_SPACE)
        self._expect(_DEFINES, "::=")
        self._skip(_SPACE_AND_LINES)
        self._read_alternatives(self._number_of(name))
        if self._at < len(self._text) and self._text[self._at] not in "\r\n":
            raise self._wrong("the end of the line")
        self._skip(_SPACE_AND_LINES)

    def _read_alternatives(self, rule: int) -> None:
        """Groups are kept on a list, not on Python's stack."""
        open_places = [_Place(rule, [], [])]
        self._last = []
        while open_places:
            place = open_places[-1]
            sign = self._text[self._at : self._at + 1]
            if sign == "|":
                self._end_sequence(place)
                self._step(lines=True)
            elif sign == "(":
                if len(open_places) > MAX_NESTING:
                    raise refused(f"groups are nested more than {MAX_NESTING} deep")
                open_places.append(_Place(self._new_rule(""), [], []))
                self._last = []
                self._step(lines=True)
            elif not sign or not self._read_element(place, sign, nested=len(open_places) > 1):
                self._close(open_places)

    def _close(self, open_places: list[_Place]) -> None:
        place = open_places.pop()
        self._end_sequence(place)
        self._rules[place.rule] = tuple(place.alternatives)
        if not open_places:
            return
        if self._text[self._at : self._at + 1] != ")":
            raise self._wrong("')'")
        self._put(open_places[-1], [Reference(place.rule)])
        self._step(lines=len(open_places) > 1)

    def _end_sequence(self, place: _Place) -> None:
        place.alternatives.append(self._keep(place.sequence))
        place.sequence.clear()
        self._last = []

    # --- elements --------------------------------------------------------------------------------------------------

    def _read_element(self, place: _Place, sign: str, *, nested: bool) -> bool:
        """Read what begins with `sign`; return False where no element begins with it."""
        if sign == '"':
            self._put(place, self._literal())
        elif sign == "[":
            self._put(place, [self._letters()])
        elif sign == ".":
            self._at += 1
            self._put(place, [Letters((), other=True)])
        elif sign in "<!":
            self._put(place, [self._token(other=sign == "!")])
        elif sign in "*+?{":
            self._repeat(place, sign)
        elif _NAME.match(sign):
            self._put(place, [Reference(self._number_of(self._expect(_NAME, "a name")[0]))])
        else:
            return False
        self._skip(_SPACE_AND_LINES if nested else _SPACE)
        return True

    def _put(self, place: _Place, elements: list[Element]) -> None:
        place.sequence.extend(elements)
        self._last = elements
        self._count(len(elements))

    def _repeat(self, place: _Place, sign: str) -> None:
        least, most = _OPERATORS[sign] if sign != "{" else self._counts()
        if sign != "{":
            self._at += 1
        if not self._last:
            raise self._wrong("something to repeat")
        del place.sequence[len(place.sequence) - len(self._last) :]
        self._put(place, [Repeat(self._keep(self._last), least, most)])

    def _counts(self) -> tuple[int, int]:
        match = self._expect(_COUNTS, "a number of repetitions")
        least = int(match[1])
        most = int(match[3]) if match[3] else UNBOUNDED if match[2] else least
        if most != UNBOUNDED and most < least:
            raise refused(f"{match[0]} repeats at least {least} and at most {most} times")
        if least > MAX_MINIMUM:
            raise refused(f"{match[0]} repeats more than {MAX_MINIMUM} times")
        return least, most

    def _literal(self) -> list[Element]:
        self._at += 1
        letters: list[Element] = []
        while (letter := self._letter('"')) is not None:
            letters.append(Letters(((letter, letter),)))
            if len(letters) > MAX_ELEMENTS:
                break  # _put refuses it
        return letters

    def _letters(self) -> Letters:
        self._at += 1
        other = self._text[self._at : self._at + 1] == "^"
        self._at += other
        ranges = []
        while (low := self._letter("]")) is not None:
            high = low
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                last = self._letter("")
                high = low if last is None else last
            ranges.append((low, high))
            self._count(1)
        return Letters(tuple(ranges), other)

    def _letter(self, end: str) -> int | None:
        """Read one character, written as it is or as an escape; None, and past it, at `end`."""
        sign = self._text[self._at : self._at + 1]
        if not sign:
            raise self._wrong(f"{end} before the end")
        if sign == end:
            self._at += 1
            return None
        if sign != "\\":
            self._at += 1
            return ord(sign)
        match = self._expect(_ESCAPE, "an escape that is known")
        if match[4]:
            return ord(_NAMED_ESCAPES.get(match[4], match[4]))
        return int(match[1] or match[2] or match[3], 16)

    def _token(self, *, other: bool) -> TokenIs:
        self._at += other
        match = self._expect(_TOKEN, "a token")
        token = int(match[1]) if match[1] else self._token_of(match[0])
        if token is None:
            raise refused(f"the model has no token {match[0]}")
        return TokenIs(token, other)

    # --- text ------------------------------------------------------------------------------------------------------

    def _number_of(self, name: str) -> int:
        if name not in self._numbers:
            self._numbers[name] = self._new_rule(name)
        return self._numbers[name]

    def _new_rule(self, name: str) -> int:
        self.names.append(name)
        if not name:
            self._count(1)
        return len(self.names) - 1

    def _keep(self, elements: Iterable[Element]) -> int:
        self._sequences.append(tuple(elements))
        self._count(1)
        return len(self._sequences) - 1

    def _count(self, elements: int) -> None:
        self._elements += elements
        if self._elements > MAX_ELEMENTS:
            raise refused(f"the grammar has more than {MAX_ELEMENTS} elements")

    def _step(self, *, lines: bool) -> None:
        self._at += 1
        self._skip(_SPACE_AND_LINES if lines else _SPACE)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()

    def _expect(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._wrong(what)
        self._at = match.end()
        return match

    def _wrong(self, expected: str) -> EngineError:
        line = self._text.count("\n", 0, self._at) + 1
        there = self._text[self._at : self._at + 20].split("\n")[0]
        found = f"expected {expected}, found '{there}'" if there else f"{expected} is missing"
        return refused(f"line {line}: {found}")
