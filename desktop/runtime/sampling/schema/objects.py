"""Rules of JSON objects: required properties first, then what else there may be, in the schema's order."""

import json
from typing import Any, Protocol

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.schema.merging import Schema
from desktop.runtime.sampling.schema.rules import Rules, json_literal, repeated


class Converter(Protocol):
    """What an object's rule needs of the one who converts its members."""

    rules: Rules

    def visit(self, schema: Any, depth: int) -> str:
        """Return the rule of a schema."""


def object_rule(converter: Converter, schema: Schema, depth: int) -> str:
    """Return the rule of the objects that a schema accepts. Raises EngineError(BAD_GRAMMAR)."""
    space = converter.rules.primitive("space")
    others = _others(schema)
    properties = {name: value for name, value in schema.get("properties", {}).items() if value is not False}
    required = list(dict.fromkeys(schema.get("required", ())))
    for name in required:
        if name not in properties:
            if others is False:
                raise refused(f"the JSON schema requires the property {name!r}, and forbids it")
            properties[name] = others
    if not properties:
        return _open(converter, schema, others, depth)
    _check_counts(schema, len(required), len(properties))
    members = {name: _member(converter, json_literal(name), value, depth) for name, value in properties.items()}
    optional = [members[name] for name in properties if name not in required]
    # Unless the schema says so itself, an object that declares its properties gets no others.
    if schema.get("additionalProperties") not in (None, False) and not schema.get("patternProperties"):
        key = converter.rules.add(_other_keys(converter, list(schema.get("properties", {})) + required))
        more = _member(converter, key, others, depth)
        comma_more = f'{space} "," {space} {more}'
        optional.append(f"{more} ({comma_more})*")
    body = _body(converter, [members[name] for name in required], optional)
    return converter.rules.add(f'"{{" {space} {body} {space} "}}"')


def _others(schema: Schema) -> Any:
    """The schema of properties that are not declared."""
    return schema.get("additionalProperties", True)


def _member(converter: Converter, key: str, value: Any, depth: int) -> str:
    space = converter.rules.primitive("space")
    return converter.rules.add(f'{key} {space} ":" {space} {converter.visit(value, depth + 1)}')


def _body(converter: Converter, required: list[str], optional: list[str]) -> str:
    """Each optional member may be there or not, with a comma before it unless it is the first of all."""
    space = converter.rules.primitive("space")
    comma = f'{space} "," {space}'
    rests = [""]  # after the members so far, from the last to the first
    for member in reversed(optional):
        rests.append(converter.rules.add(f"({comma} {member})? {rests[-1]}"))
    if required:
        return f"{f' {comma} '.join(required)} {rests[-1]}"
    ways = [f"{member} {rest}" for member, rest in zip(optional, reversed(rests[:-1]), strict=True)]
    return f"({' | '.join(ways)})?"


def _open(converter: Converter, schema: Schema, others: Any, depth: int) -> str:
    """An object that declares no property."""
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    space = converter.rules.primitive("space")
    if others is False or most == 0 or schema.get("patternProperties"):
        if least:
            raise refused("the JSON schema asks for properties without saying which")
        return converter.rules.add(f'"{{" {space} "}}"')
    if others is True and not least and most is None and "propertyNames" not in schema:
        return converter.rules.primitive("object")
    names = schema.get("propertyNames", {})
    key = converter.visit({"type": "string", **names} if isinstance(names, dict) else {"type": "string"}, depth + 1)
    member = _member(converter, key, others, depth)
    members = repeated(member, int(least), None if most is None else int(most), separator=f'{space} "," {space}')
    return converter.rules.add(f'"{{" {space} {members} {space} "}}"')


def _check_counts(schema: Schema, required: int, declared: int) -> None:
    """Counting members that have names is more than a grammar of a bearable size can do."""
    if schema.get("minProperties", 0) > required or schema.get("maxProperties", declared) < declared:
        raise refused("a grammar cannot keep 'properties' and a number of properties at once")
    if "propertyNames" in schema:
        raise refused("a grammar cannot keep 'properties' and 'propertyNames' at once")


def _other_keys(converter: Converter, names: list[str]) -> str:
    """Strings that are none of `names`, as JSON writes them: the same names in other escapes are left out as well."""
    tree: dict[str, Any] = {}
    for name in names:
        branch = tree
        for letter in json.dumps(name, ensure_ascii=False)[1:-1]:
            branch = branch.setdefault(letter, {})
        branch[""] = {}
    plain = converter.rules.add(r'[^"\\\x7F\x00-\x1F]')
    return f'"\\"" {_not_in(tree, plain, at_start=True)} "\\""'


def _not_in(tree: dict[str, Any], plain: str, *, at_start: bool = False) -> str:
    """Text that leaves the tree of names before a name is complete, or goes on after it."""
    letters = {letter: branch for letter, branch in tree.items() if letter}
    codes = "".join(f"\\U{ord(letter):08X}" for letter in letters)
    ways = [f'[^"\\\\\\x7F\\x00-\\x1F{codes}] {plain}*']
    for letter, branch in letters.items():
        if letter != "\\":  # names with escapes: their letters are not plain anyway
            ways.append(f"[\\U{ord(letter):08X}] {_not_in(branch, plain)}")
    group = f"({' | '.join(ways)})"
    return group if "" in tree else f"{group}?"
