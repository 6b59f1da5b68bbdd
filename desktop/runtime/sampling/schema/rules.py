"""The rules of a grammar in the making, as GBNF text."""

import json
from collections.abc import Iterable

from desktop.runtime.sampling.grammar.elements import refused

MAX_RULES = 20_000
MAX_TEXT = 512 * 1024

# Whitespace between the parts of JSON: little, or a model may write it for ever (llama.cpp's own rule).
_SPACE = r'| " " | "\n"{1,2} [ \t]{0,20}'
_PRIMITIVES = {
    "space": _SPACE,
    # The same characters as RFC 8259 allows, without DEL; \u escapes of surrogates are left out: they come in pairs.
    "char": r'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" code)',
    "code": "[0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}",
    "string": r'"\"" char* "\""',
    "integral": r'"0" | [1-9] [0-9]{0,15}',
    "integer": '"-"? integral',
    # An exponent of two digits: 1e999 is valid JSON, but no number that a program could hold.
    "number": r'"-"? integral ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "object": r'"{" space (member ("," space member)* space)? "}"',
    "member": 'string space ":" space value',
    "array": r'"[" space (value ("," space value)* space)? "]"',
    "value": "object | array | string | number | boolean | null",
    "date": r'[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])',
    "time": r'([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? zone',
    "zone": r'"Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9]',
    "hex": "[0-9a-fA-F]",
    "uuid": 'hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}',
}
_NEEDS = {
    "char": ("code",),
    "string": ("char",),
    "integer": ("integral",),
    "number": ("integral",),
    "object": ("space", "member"),
    "member": ("string", "space", "value"),
    "array": ("space", "value"),
    "value": ("object", "array", "string", "number", "boolean", "null"),
    "time": ("zone",),
    "uuid": ("hex",),
}


class Rules:
    """Names are made up, except for the primitives'. Equal rules are one."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._length = 0

    def primitive(self, name: str) -> str:
        """Add a rule that JSON itself defines, and what it needs; return its name."""
        if name not in self._rules:
            self._put(name, _PRIMITIVES[name])
            for needed in _NEEDS.get(name, ()):
                self.primitive(needed)
        return name

    def add(self, text: str) -> str:
        """Add a rule, return its name."""
        name = self._names.get(text)
        if name is None:
            name = self._names[text] = f"r{len(self._rules)}"
            self._put(name, text)
        return name

    def reserve(self) -> str:
        """A name whose rule is defined later."""
        name = f"r{len(self._rules)}"
        self._put(name, "")
        return name

    def define(self, name: str, text: str) -> None:
        """Give a reserved name its rule."""
        self._put(name, text)

    def text(self, root: str) -> str:
        """The whole grammar."""
        return "\n".join([f"root ::= {root}", *(f"{name} ::= {text}" for name, text in self._rules.items())])

    def _put(self, name: str, text: str) -> None:
        self._rules[name] = text
        self._length += len(text)
        if len(self._rules) > MAX_RULES or self._length > MAX_TEXT:
            raise refused("the JSON schema makes too large a grammar")


def literal(text: str) -> str:
    """Return text as a GBNF literal."""
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def json_literal(value: object) -> str:
    """Return a JSON value as a GBNF literal, in one of its spellings."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()  # lone surrogates are not text
    except ValueError as error:
        raise refused(f"a value of the JSON schema cannot be written: {error}") from error
    return literal(text)


def either(alternatives: Iterable[str]) -> str:
    """Return a group of alternatives."""
    return f"({' | '.join(dict.fromkeys(alternatives))})"


def repeated(item: str, least: int, most: int | None, *, separator: str = "") -> str:
    """Return `item` at least `least` and at most `most` times (None: any number), with what stands in between."""
    if most == 0:
        return ""
    if not separator:
        return f"{item}{{{least},{'' if most is None else most}}}"
    rest = repeated(f"({separator} {item})", max(least - 1, 0), None if most is None else most - 1)
    return f"{item} {rest}" if least else f"({item} {rest})?"
