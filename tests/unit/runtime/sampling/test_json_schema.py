"""Replies that a JSON schema holds."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from desktop.engine.protocol import FailureKind
from desktop.library import starter
from desktop.runtime.failures import EngineError
from desktop.runtime.sampling.grammar.reader import read_grammar
from desktop.runtime.sampling.grammar.states import DEAD, GrammarStates
from desktop.runtime.sampling.json_schema import schema_to_grammar
from tests.support.native_sampling import Samplers, samplers

TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "children": {"type": "array", "items": {"$ref": "#"}, "maxItems": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, Any] = {
    "person": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 0, "maximum": 130},
        },
        "required": ["name", "age"],
    },
    "optional": {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in "abcd"},
        "required": ["c"],
        "additionalProperties": False,
    },
    "enum": {"enum": ["red", "green", 3, None, {"a": [1, "x"]}]},
    "const": {"type": "object", "properties": {"kind": {"const": 'cat\n"é"'}}, "required": ["kind"]},
    "list": {"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 5}, "minItems": 2, "maxItems": 4},
    "tree": TREE,
    "defs": {
        "$defs": {
            "point": {
                "type": "object",
                "properties": {
                    "x": {"type": "number", "minimum": 0, "maximum": 1},
                    "y": {"type": "number", "exclusiveMinimum": -2.5, "maximum": 0.25},
                },
                "required": ["x", "y"],
            }
        },
        "type": "array",
        "items": {"$ref": "#/$defs/point"},
        "minItems": 1,
        "maxItems": 2,
    },
    "any of": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,4}$"}]},
    "all of": {
        "allOf": [{"$ref": "#/$defs/a"}, {"properties": {"b": {"type": "boolean"}}, "required": ["b"]}],
        "$defs": {"a": {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}},
    },
    "length": {"type": "string", "minLength": 5, "maxLength": 9},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 3},
    "extra": {
        "type": "object",
        "properties": {"na": {"type": "null"}, "name": {"type": "null"}},
        "required": ["na"],
        "additionalProperties": {"type": "boolean"},
    },
    "types": {"type": ["integer", "boolean"], "minimum": 10, "maximum": 12},
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "boolean"}, {"type": "null"}],
        "items": {"type": "integer"},
        "minItems": 3,
        "maxItems": 4,
    },
    "date": {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "id": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
        },
        "required": ["day", "id", "at"],
    },
    "one of": {
        "oneOf": [
            {
                "type": "object",
                "properties": {"cat": {"type": "boolean"}},
                "required": ["cat"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {"dog": {"type": "integer"}},
                "required": ["dog"],
                "additionalProperties": False,
            },
        ]
    },
    "anything": {},
}
ROOM = {"anything": 40, "extra": 120, "tree": 150, "map": 150}


@pytest.fixture(scope="module")
def child() -> Iterator[Samplers]:
    with samplers(Path(starter.starter_model().path)) as started:
        yield started


def accepts(schema: Any, text: str) -> bool:
    grammar = GrammarStates(read_grammar(schema_to_grammar(json.dumps(schema)), token_of=lambda _: None))
    state = grammar.start
    for letter in text:
        state = grammar.step(state, letter) if state != DEAD else DEAD
    return state != DEAD and grammar.may_end(state)


def refusal(schema: Any) -> str:
    started = time.process_time()
    with pytest.raises(EngineError) as raised:
        accepts(schema, "")
    assert time.process_time() - started < 2
    assert raised.value.failure.kind is FailureKind.BAD_GRAMMAR
    return raised.value.failure.detail


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_reply_is_json_that_the_schema_accepts(child: Samplers, name: str, campaign_factor: int) -> None:
    """At a high temperature: the model alone would write no JSON at all. 20 seeds in the campaign."""
    whole = 0
    seeds = 2 if campaign_factor == 1 else 20
    for seed in range(seeds):
        sampling = {"json_schema": json.dumps(SCHEMAS[name]), "seed": seed, "temperature": 1.5, "top_k": 40}
        reply = child.ask("generate", sampling=sampling, limit=ROOM.get(name, 150))
        if reply["ended"] or reply["tokens"][-1] in child.ask("ends"):
            jsonschema.validate(json.loads(reply["text"]), SCHEMAS[name], cls=jsonschema.Draft202012Validator)
            whole += 1
    assert whole >= (1 if name in ROOM else seeds)  # what has no bound may run out of room


@pytest.mark.parametrize(
    ("schema", "yes", "no"),
    [
        (
            {"type": "integer", "minimum": 7, "maximum": 1205},
            ["7", "12", "999", "1205"],
            ["6", "1206", "07", "-7", "7.0"],
        ),
        ({"type": "integer", "maximum": -3}, ["-3", "-10", "-999"], ["-2", "0", "3"]),
        ({"type": "integer", "minimum": -12, "maximum": 34}, ["-12", "-1", "0", "34", "9"], ["-13", "35", "-0"]),
        ({"type": "integer", "exclusiveMinimum": 0}, ["1", "10", "123456"], ["0", "-1"]),
        ({"type": "integer", "minimum": 2.5, "exclusiveMaximum": 4}, ["3"], ["2", "4"]),
        ({"type": "number", "minimum": 0, "maximum": 1}, ["0", "1", "0.5", "0.999"], ["1.1", "1.0001", "-0.1", "2"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 2}, ["1", "0.5", "1.75", "2"], ["0", "0.0", "2.5"]),
        (
            {"type": "number", "minimum": -1.5, "maximum": 2.25},
            ["-1.50", "0.00", "2.25", "-0.75"],
            ["-1.51", "2.26", "3"],
        ),
        ({"type": "number", "minimum": 100}, ["100", "100.5", "12345"], ["99", "99.9"]),
        ({"type": "number"}, ["0", "-1.5", "2e10", "1.25E-3"], ["01", "1.", ".5", "+1"]),
        ({"type": "string", "maxLength": 2}, ['""', '"ab"', '"\\n"', '"é中"'], ['"abc"', '"\n"', "ab"]),
        ({"type": "string"}, ['"\\u00e9"'], ['"\\ud800"', '"\\x"', '"\t"']),
        ({"type": "string", "pattern": "^a|b$"}, ['"axx"', '"xxb"', '"ab"'], ['"xax"', '"bx"']),
        ({"type": "string", "pattern": 'x"y'}, ['"_x\\"y_"'], ['"xy"', '"x"y"']),
        (
            {"type": "string", "pattern": "^(foo|ba[rz])+[^0-9]?\\.$"},
            ['"foobarbaz."', '"foo!."'],
            ['"."', '"foo1."', '"foox"'],
        ),
        ({"type": "string", "pattern": "^\\s\\S\\w\\W$"}, ['" xa!"', '"\\tx_-"'], ['"xxa!"']),
        (
            {"properties": {"a": {}}, "additionalProperties": True},
            ['{"b": 1}', '{"a": [{}]}', '{"aa":1,"":2}', "{}"],
            ['{"a":1,"a":2}'],
        ),
        ({"type": "object"}, ["{}", '{ "a" : [1, {"b": null}] }'], ["[]", '{"a"}']),
        (
            {"type": "array", "items": {"type": "null"}, "maxItems": 2},
            ["[]", "[null]", "[null, null]"],
            ["[null,]", "[null,null,null]"],
        ),
        ({"type": "array", "items": False}, ["[]", "[ ]"], ["[1]"]),
        ({"type": "object", "required": ["id"]}, ['{"id": 5}'], ["{}"]),
        ({"enum": ["a", 1, None], "type": ["string", "null"]}, ['"a"', "null"], ["1"]),
        ({"allOf": [{"type": "integer"}, {"minimum": 3}, {"maximum": 4}]}, ["3", "4"], ["2", "5"]),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": {"type": "null"}}},
            ['{"a": null, "b":null}'],
            ['{"a": 1}'],
        ),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 1}}}, ["1"], ["2"]),
        (
            {
                "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
                "type": "object",
                "properties": {"a": {"const": 1}, "b": {"const": 2}},
            },
            ['{"a":1}', '{"b":2}', '{"a":1,"b":2}'],
            ["{}"],
        ),
        (
            {"title": "x", "description": "y", "default": 1, "examples": [1], "x-more": 1, "type": "null"},
            ["null"],
            ["1"],
        ),
        (True, ["1", "[{}]"], ["x"]),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_schema_accepts_what_it_says(schema: Any, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not accepts(schema, text)] == []
    assert [text for text in no if accepts(schema, text)] == []


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "https://example.com/schema.json"}, "outside"),
        ({"$ref": "file:///etc/passwd"}, "outside"),
        ({"$ref": "#/$defs/missing"}, "not there"),
        ({"$ref": "#"}, "left recursion"),
        ({"allOf": [{"$ref": "#"}]}, "without end"),
        ({"not": {"type": "string"}}, "'not'"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "integer", "multipleOf": 3}, "'multipleOf'"),
        ({"type": "strnig"}, "unknown type 'strnig'"),
        ({"type": "string", "pattern": "("}, "cannot be read"),
        ({"type": "string", "pattern": "(?=a)"}, "cannot keep"),
        ({"type": "string", "pattern": "(a)\\1"}, "cannot keep"),
        ({"type": "string", "pattern": "a\\b"}, "cannot keep"),
        ({"type": "string", "pattern": "(" * 200 + "a" + ")" * 200}, "too deep"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number"),
        ({"type": "integer", "minimum": "5"}, "not a number"),
        ({"type": "integer", "minimum": 1e300}, "out of range"),
        ({"enum": []}, "no value"),
        ({"anyOf": []}, "empty"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "less than"),
        ({"type": "array", "minItems": -1}, "not a count"),
        ({"type": "string", "minLength": 1_000_000_000}, "repeats more than"),
        ({"properties": 5}, "malformed"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "required": ["b"],
                "additionalProperties": False,
            },
            "forbids",
        ),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "no value is both"),
        (False, "accepts nothing"),
        (5, "no object"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_schema_that_cannot_be_kept_is_refused_with_a_reason(schema: Any, reason: str) -> None:
    assert reason in refusal(schema)


def test_text_that_is_no_json_is_no_schema() -> None:
    for text in ("{", "[" * 200_000, "nope", '"a' + "x" * 300_000 + '"'):
        with pytest.raises(EngineError) as raised:
            schema_to_grammar(text)
        assert raised.value.failure.kind is FailureKind.BAD_GRAMMAR


def test_a_schema_that_explodes_is_refused() -> None:
    """Sixteen choices of two, all of which must hold: 65,536 combinations."""
    choices = [{"anyOf": [{"minimum": number}, {"maximum": -number}]} for number in range(1, 17)]
    assert refusal({"type": "integer", "allOf": choices})


def test_a_schema_with_a_thousand_properties_and_values_is_bearable() -> None:
    schema = {
        "type": "object",
        "properties": {f"p{number}": {"enum": [f"v{value}" for value in range(20)]} for number in range(1000)},
    }
    started = time.process_time()
    assert accepts(schema, '{"p5": "v3", "p999": "v19"}')
    assert time.process_time() - started < 2
