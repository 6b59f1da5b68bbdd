"""Walks a JSON schema and writes the rules of its values."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.schema.merging import ANNOTATIONS, Schema, merge
from desktop.runtime.sampling.schema.numbers import integer_rule, number_rule
from desktop.runtime.sampling.schema.objects import object_rule
from desktop.runtime.sampling.schema.patterns import pattern_rule
from desktop.runtime.sampling.schema.rules import Rules, either, json_literal, repeated

MAX_DEPTH = 60
MAX_VISITS = 20_000
_FORMATS = ("date", "time", "uuid")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KEYS: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": _BOUNDS,
    "number": _BOUNDS,
    "array": ("items", "prefixItems", "additionalItems", "minItems", "maxItems"),
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
    ),
    "boolean": (),
    "null": (),
}
"""What a schema may say about a value, by its type."""
_KNOWN = frozenset(("type", "enum", "const", "format", *(key for keys in _KEYS.values() for key in keys)))
# Harmless where they ask for nothing.
_IDLE: dict[str, object] = {"uniqueItems": False, "unevaluatedProperties": True, "unevaluatedItems": True}


class Converter:
    """One schema on its way to a grammar. Raises EngineError(BAD_GRAMMAR)."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self.rules = Rules()
        self._targets: dict[str, str] = {}
        self._visits = 0
        self._by_type: dict[str, Callable[[Schema, int], str]] = {
            "string": self._string,
            "integer": lambda schema, _: integer_rule(schema) if _bounded(schema) else self.rules.primitive("integer"),
            "number": lambda schema, _: number_rule(schema) if _bounded(schema) else self.rules.primitive("number"),
            "array": self._array,
            "object": lambda schema, depth: object_rule(self, schema, depth),
            "boolean": lambda _schema, _depth: self.rules.primitive("boolean"),
            "null": lambda _schema, _depth: self.rules.primitive("null"),
        }

    def grammar(self) -> str:
        """Return the whole grammar."""
        try:
            root = self.visit(self._root, 0)
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            # Anybody's JSON: a number where a list belongs, and the like.
            raise refused(f"the JSON schema is malformed: {error}") from error
        return self.rules.text(root)

    def visit(self, schema: Any, depth: int) -> str:
        """Return the name of the rule of a schema's values."""
        self._visits += 1
        if depth > MAX_DEPTH or self._visits > MAX_VISITS:
            raise refused("the JSON schema is nested too deep, or refers to itself without end")
        if schema is True:
            return self.rules.primitive("value")
        if not isinstance(schema, dict):
            raise refused("a part of the JSON schema accepts nothing" if schema is False else "a schema is no object")
        asked = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
        if "$ref" in asked:
            return self._reference(asked, depth)
        if "allOf" in asked:
            return self._all_of(asked, depth)
        for key in ("anyOf", "oneOf"):
            if key in asked:
                return self._any_of(asked, key, depth)
        return self._plain(asked, depth)

    # --- combinations ----------------------------------------------------------------------------------------------

    def _reference(self, schema: Schema, depth: int) -> str:
        others = {key: value for key, value in schema.items() if key != "$ref"}
        pointer = schema["$ref"]
        if others:
            return self.visit(merge(self._resolve(pointer), others), depth + 1)
        if pointer not in self._targets:
            target = self._resolve(pointer)
            name = self._targets[pointer] = self.rules.reserve()
            self.rules.define(name, self.visit(target, depth + 1))
        return self._targets[pointer]

    def _resolve(self, pointer: Any) -> Any:
        """Follow a JSON pointer (RFC 6901) within the schema."""
        if not isinstance(pointer, str) or not (pointer == "#" or pointer.startswith("#/")):
            raise refused(f"the JSON schema refers to {pointer!r}, which is outside of it")
        found = self._root
        for part in pointer.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise refused(f"the JSON schema refers to {pointer!r}, which is not there") from error
        return found

    def _all_of(self, schema: Schema, depth: int) -> str:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in schema["allOf"]:
            merged = merge(merged, self._as_schema(part))
        return self.visit(merged, depth + 1)

    def _any_of(self, schema: Schema, key: str, depth: int) -> str:
        others = {name: value for name, value in schema.items() if name != key}
        parts = [part for part in schema[key] if part is not False]
        if others:
            parts = [merge(others, self._as_schema(part)) for part in parts]
        if not parts:
            raise refused(f"'{key}' of the JSON schema is empty")
        return self.rules.add(either(self.visit(part, depth + 1) for part in parts))

    def _as_schema(self, part: Any) -> Schema:
        """A part whose own references are followed, so that it can be merged."""
        for _ in range(MAX_DEPTH):
            if part is True:
                return {}
            if not isinstance(part, dict):
                raise refused("a part of the JSON schema accepts nothing")
            if "$ref" not in part:
                return part
            others = {key: value for key, value in part.items() if key != "$ref"}
            part = (
                merge(self._as_schema(self._resolve(part["$ref"])), others) if others else self._resolve(part["$ref"])
            )
        raise refused("the JSON schema refers to itself without end")

    # --- single values ---------------------------------------------------------------------------------------------

    def _plain(self, schema: Schema, depth: int) -> str:
        for key, value in schema.items():
            if key not in _KNOWN and not (key in _IDLE and value is _IDLE[key]) and not key.startswith("x-"):
                raise refused(f"the JSON schema asks for {key!r}, which a grammar cannot keep")
        if "const" in schema or "enum" in schema:
            return self._values(schema)
        types = schema.get("type")
        if types is None:
            types = [name for name, keys in _KEYS.items() if any(key in schema for key in keys)]
            # What is said about one type only leaves the others open; a person who wrote it meant that type.
            types = types or ["value"]
        names = types if isinstance(types, list) else [types]
        if not names:
            raise refused("'type' of the JSON schema is empty")
        return self.rules.add(either(self._of_type(name, schema, depth) for name in names))

    def _of_type(self, name: str, schema: Schema, depth: int) -> str:
        if name == "value":
            return self.rules.primitive("value")
        if name not in self._by_type:
            raise refused(f"the JSON schema has the unknown type {name!r}")
        return self._by_type[name](schema, depth)

    def _values(self, schema: Schema) -> str:
        values = schema.get("enum", [schema.get("const")])
        if "const" in schema:
            values = [value for value in values if value == schema["const"]]
        types = schema.get("type")
        if types is not None:
            names = types if isinstance(types, list) else [types]
            values = [value for value in values if any(_is(value, name) for name in names)]
        if not values:
            raise refused("no value is left by 'enum' and 'const' of the JSON schema")
        return self.rules.add(either(map(json_literal, values)))

    def _string(self, schema: Schema, _depth: int) -> str:
        if "pattern" in schema:
            if "minLength" in schema or "maxLength" in schema:
                raise refused("a grammar cannot keep a 'pattern' and a length at once")
            return self.rules.add(pattern_rule(schema["pattern"]))
        if "minLength" in schema or "maxLength" in schema:
            char = self.rules.primitive("char")
            least, most = _counts(schema, "minLength", "maxLength")
            return self.rules.add(f'"\\"" {repeated(char, least, most)} "\\""')
        return self._formatted(schema.get("format"))

    def _formatted(self, name: Any) -> str:
        if name == "date-time":
            content = f'{self.rules.primitive("date")} "T" {self.rules.primitive("time")}'
        elif name in _FORMATS:
            content = self.rules.primitive(name)
        else:
            return self.rules.primitive("string")  # a format is a remark, unless a validator is told otherwise
        return self.rules.add(f'"\\"" {content} "\\""')

    def _array(self, schema: Schema, depth: int) -> str:
        space = self.rules.primitive("space")
        first, items = schema.get("prefixItems"), schema.get("items", True)
        if isinstance(items, list):  # draft 4 to 2019-09
            first, items = items, schema.get("additionalItems", True)
        least, most = _counts(schema, "minItems", "maxItems")
        comma = f'{space} "," {space}'
        heads = [self.visit(item, depth + 1) for item in (first or ())[:most]]
        # With a list of first items, more come only where they have to, or where the schema says what they are.
        most = len(heads) if items is False or (heads and items is True and least <= len(heads)) else most
        if most is not None and most < least:
            raise refused("no array has as many items as the JSON schema asks for")
        parts = [f" {comma} ".join(heads)] if heads else []
        if most is None or most > len(heads):
            item, rest = self.visit(items, depth + 1), None if most is None else most - len(heads)
            if heads:
                parts.append(repeated(f"({comma} {item})", max(least - len(heads), 0), rest))
            else:
                parts.append(repeated(item, least, rest, separator=comma))
        return self.rules.add(f'"[" {space} {" ".join(parts)} {space} "]"')


def _bounded(schema: Schema) -> bool:
    return any(key in schema for key in _BOUNDS)


def _counts(schema: Schema, smallest: str, largest: str) -> tuple[int, int | None]:
    least, most = schema.get(smallest, 0), schema.get(largest)
    for count in (least, 0 if most is None else most):
        if isinstance(count, bool) or count != int(count) or count < 0:
            raise refused(f"{smallest!r} or {largest!r} of the JSON schema is not a count")
    if most is not None and most < least:
        raise refused(f"{largest!r} of the JSON schema is less than {smallest!r}")
    return int(least), None if most is None else int(most)


def _is(value: Any, name: str) -> bool:
    """Whether a JSON value is of a type."""
    if name == "integer":
        return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    kinds: dict[str, Any] = {"string": str, "boolean": bool, "array": list, "object": dict, "number": (int, float)}
    if name == "number" and isinstance(value, bool):
        return False
    return value is None if name == "null" else isinstance(value, kinds.get(name, ()))
