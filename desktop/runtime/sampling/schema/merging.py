"""Makes one schema out of several that must all hold ("allOf", or a "$ref" with something beside it)."""

from collections.abc import Callable, Mapping
from typing import Any

from desktop.runtime.sampling.grammar.elements import refused

Schema = dict[str, Any]

ANNOTATIONS = frozenset(
    (
        "title",
        "description",
        "default",
        "examples",
        "example",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentMediaType",
        "contentEncoding",
        "$vocabulary",
        "discriminator",
    )
)


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> Schema:
    """Return a schema that accepts what both accept. Raises EngineError(BAD_GRAMMAR) where that cannot be said."""
    one, other = _closed(one, other), _closed(other, one)
    merged = dict(one)
    for key, value in other.items():
        merged[key] = value if key not in merged or key in ANNOTATIONS else _join(key, merged[key], value)
    return merged


def _closed(schema: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """`schema` without the properties that `other` does not declare and forbids."""
    if other.get("additionalProperties") is not False or "properties" not in schema:
        return schema
    declared = other.get("properties", {})
    return {**schema, "properties": {name: name in declared and value for name, value in schema["properties"].items()}}


def _join(key: str, one: Any, other: Any) -> Any:
    if one == other or key not in _JOINED:
        if one != other:
            raise refused(f"two parts of the JSON schema say different things about {key!r}")
        return one
    return _JOINED[key](one, other)


def _properties(one: Schema, other: Schema) -> Schema:
    return {**one, **{name: _both(one[name], value) if name in one else value for name, value in other.items()}}


def _alternatives(one: list[Any], other: list[Any]) -> list[Any]:
    if len(one) * len(other) > _MAX_COMBINATIONS:
        raise refused("the JSON schema combines too many alternatives")
    return [_both(first, second) for first in one for second in other]


def _both(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    return {"allOf": [one, other]}


def _types(one: Any, other: Any) -> list[str]:
    names, others = (value if isinstance(value, list) else [value] for value in (one, other))
    found = [name for name in names if name in others]
    if ("integer" in names and "number" in others) or ("integer" in others and "number" in names):
        found.append("integer")
    if not found:
        raise refused(f"no value is both {one} and {other}, as the JSON schema asks")
    return list(dict.fromkeys(found))


_MAX_COMBINATIONS = 256
_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    "properties": _properties,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "type": _types,
    "enum": lambda one, other: [value for value in one if value in other],
    **dict.fromkeys(("items", "additionalProperties", "propertyNames"), _both),
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), min),
    **dict.fromkeys(("anyOf", "oneOf"), _alternatives),
}
