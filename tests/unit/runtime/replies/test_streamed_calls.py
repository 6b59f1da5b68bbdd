"""A tool call crosses while it is written: its name, then its arguments; what turns out to be none is taken back."""

import json
import random
from typing import Any

import pytest

from desktop.engine.protocol import Tool
from desktop.runtime.replies.formats import ReplyFormat, find_format
from desktop.runtime.replies.parts import Part
from desktop.runtime.replies.reader import ReplyReader
from desktop.runtime.replies.values import Signatures, calls_of
from tests.support.characters import Characters

HERMES = find_format("", ())
LLAMA = find_format("<|python_tag|>", ())
HARMONY = find_format("<|channel|> <|message|>", ())
FUNCTIONARY = find_format(">>>all >>>${recipient}", ())
ARGUMENTS = '{"city":"Paris \\"}{\\u00e9 \\\\", "days":[1, {"a": 2e1}],\n "x": {} }'
# What is written before and after the arguments; all of it is read as one call of "f".
AROUND: dict[str, tuple[ReplyFormat, str, str]] = {
    "hermes": (HERMES, '<tool_call>\n{"name": "f", "arguments": ', "}\n</tool_call>"),
    "hermes with more keys": (
        HERMES,
        '<tool_call>{"id": {"name": [1, "a"]}, "name": "f", "parameters" : ',
        ', "b": {"arguments": {}}}</tool_call>',
    ),
    "hermes with what counts less behind it": (
        HERMES,
        '<tool_call>{"name": "f", "arguments": ',
        ', "parameters": {"b": 1}, "args": {}}</tool_call>',
    ),
    "hermes, openai's form": (
        HERMES,
        '<tool_call>[{"type": "function", "function": {"name": "f", "arguments": ',
        '}, "id": "1"}]</tool_call>',
    ),
    "llama-3 without a mark": (LLAMA, '{"name": "f", "parameters": ', "}"),
    "mistral, old": (
        find_format("[TOOL_CALLS]", ()),
        '[TOOL_CALLS][{"name": "f", "arguments": ',
        ', "id": "123456789"}]',
    ),
    "mistral, new": (find_format("[TOOL_CALLS]", ()), "[TOOL_CALLS]f[CALL_ID]123456789[ARGS]", ""),
    "command-r7b": (
        find_format("<|START_ACTION|>", ()),
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "f", "parameters": ',
        "}]<|END_ACTION|>",
    ),
    "kimi-k2": (
        find_format("<|tool_calls_section_begin|>", ()),
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>",
        "<|tool_call_end|><|tool_calls_section_end|>",
    ),
    "deepseek": (
        find_format("<｜tool▁calls▁begin｜>", ()),
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n",
        "\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "functionary-3.1": (find_format("<function= <|python_tag|>", ()), "<function=f>", "</function>"),
    "functionary-3.2": (FUNCTIONARY, "f\n \n", "\n\n"),
    "gpt-oss": (HARMONY, "<|channel|>commentary to=functions.f <|constrain|>json<|message|> ", " \n<|call|>"),
}


def steps(text: str, reply_format: ReplyFormat, names: tuple[str, ...] = ("f", "g")) -> list[list[Part]]:
    """What each character of a reply brings; the last entry is what comes at the end."""
    known = [Tool(name=name, parameters="{}") for name in names]
    reader = ReplyReader(Characters(text), reply_format, stops=(), reasoning_open=False, tools=True, signatures=known)
    return [*(reader.feed(place) for place in range(len(text))), reader.finish()]


def flat(told: list[list[Part]]) -> list[Part]:
    return [part for step in told for part in step]


def standing(parts: list[Part]) -> list[tuple[str, str]]:
    """The calls that were not withdrawn, as a listener has them who joins the pieces as they come."""
    calls: dict[int, tuple[str, str]] = {}
    for part in parts:
        if part.withdrawn:
            del calls[part.index]
        elif part.kind == "tool_call":
            assert bool(part.name) == (part.index not in calls), "the name comes first, and once"
            name, arguments = calls.get(part.index, ("", ""))
            calls[part.index] = (name + part.name, arguments + part.text)
    assert list(calls) == sorted(calls)
    return list(calls.values())


def text_of(parts: list[Part]) -> str:
    return "".join(part.text for part in parts if part.kind == "text")


@pytest.mark.parametrize("case", AROUND)
def test_arguments_come_as_they_are_written_to_the_byte(case: str) -> None:
    reply_format, before, after = AROUND[case]
    told = steps(before + ARGUMENTS + after, reply_format)
    assert standing(flat(told)) == [("f", ARGUMENTS)]
    assert not any(part.withdrawn for part in flat(told))
    heard = ""
    for place, letter in enumerate(ARGUMENTS):
        heard += "".join(part.text for part in told[len(before) + place])
        late = len(ARGUMENTS[: place + 1]) - len(heard)
        assert late <= (2 if letter.isspace() else 0), "only blanks, which may be behind the arguments, are held back"


@pytest.mark.parametrize("case", AROUND)
def test_the_name_comes_before_the_arguments(case: str) -> None:
    reply_format, before, _ = AROUND[case]
    told = steps(before + "{", reply_format)[:-1]
    assert [(part.name, part.text) for part in flat(told)] == [("f", ""), ("", "{")]


def test_a_name_comes_as_soon_as_it_is_certain() -> None:
    marked, bare = '<tool_call>{"name": "f"', '{"name": "f", "parameters": '
    assert [part.name for part in steps(marked, HERMES)[-2]] == ["f"]
    assert flat(steps(bare, LLAMA)[:-1]) == []  # without a mark it may be an answer in JSON
    assert [part.name for part in steps(bare + "{", LLAMA)[-2]] == ["f", ""]


@pytest.mark.parametrize("case", AROUND)
def test_a_call_that_is_cut_is_taken_back_and_its_words_come_as_text(case: str) -> None:
    reply_format, before, _ = AROUND[case]
    cut = before + ARGUMENTS[:20]
    parts = flat(steps(cut, reply_format))
    assert standing(parts) == []
    assert text_of(parts) in cut
    assert text_of(parts).endswith(ARGUMENTS[:20])
    assert [part.kind for part in parts][-2:] == ["tool_call", "text"]


@pytest.mark.parametrize(
    "broken", ['{"a": NaN}', '{"a": 1,}', "{a: 1}", '{"a" 1}', '{"a": "\n"}', "{" * 2000 + "}" * 2000]
)
@pytest.mark.parametrize("case", ["hermes", "mistral, new", "gpt-oss", "functionary-3.2"])
def test_arguments_that_are_no_json_are_taken_back(case: str, broken: str) -> None:
    reply_format, before, after = AROUND[case]
    parts = flat(steps(before + broken + after, reply_format))
    assert standing(parts) == []
    assert broken in text_of(parts)


def test_the_calls_after_one_that_was_taken_back_have_numbers_of_their_own() -> None:
    call = '<tool_call>{"name": "f", "arguments": %s}</tool_call>'
    parts = flat(steps(call % '{"a": NaN}' + call % '{"b": 1}', HERMES))
    assert standing(parts) == [("f", '{"b": 1}')]
    assert sorted({part.index for part in parts if part.kind == "tool_call"}) == [0, 1]


def test_nobody_hears_of_a_call_that_is_known_to_be_none_at_once() -> None:
    text = '<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>'

    class Whole(Characters):
        def piece(self, token: int) -> bytes:
            return text.encode()

    reader = ReplyReader(Whole(text), HERMES, stops=(), reasoning_open=False, tools=True)
    assert reader.feed(0) + reader.finish() == [Part("text", text)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"arguments": {"a": 1}, "name": "f"}', [("f", '{"a": 1}')]),
        ('{"name": "f"}', [("f", "{}")]),
        ('{"name": "f", "arguments": null}', [("f", "{}")]),
        ('{"name": "f", "arguments": "{\\"a\\": 1}"}', [("f", '{"a": 1}')]),
        ('{"f": {"a": 1}}', [("f", '{"a": 1}')]),
        ('{"name": "f", "arguments": {"a": 1}, "arguments": {"b": 2}}', [("f", '{"b": 2}')]),
        ('{"name": "f", "arguments": {"a": true}, "arguments": {"a": 1}}', [("f", '{"a": 1}')]),
        ('{"name": "f", "parameters": {"a": 1}, "arguments": {"b": 2}}', [("f", '{"b": 2}')]),
        ('{"name": "g", "function": {"name": "f", "arguments": {"a":1}}}', [("f", '{"a": 1}')]),
        ('[{"name": "f", "arguments": "{}"}, {"name": "g", "arguments": {"a":1}}]', [("f", "{}"), ("g", '{"a": 1}')]),
        ('{"name": "f", "arguments": {"a":1}}, {"name": "g"}', [("f", '{"a":1}'), ("g", "{}")]),
        ('{"na\\u006de": "f", "arguments": {"a":1}}', [("f", '{"a": 1}')]),
        ('{"name": "\\u0066", "arguments": {"a":1}}', [("f", '{"a":1}')]),
    ],
)
def test_a_call_that_is_written_otherwise_is_understood_when_it_is_whole(
    body: str, expected: list[tuple[str, str]]
) -> None:
    parts = flat(steps(f"<tool_call>{body}</tool_call>", HERMES))
    assert standing(parts) == expected
    assert text_of(parts) == ""


@pytest.mark.parametrize(
    "body", ['{"name": "\\ud83d", "arguments": {"a": 1}}', '{"name": "f", "arguments": "{\\"a\\": \\"\\\\ud83d\\"}"}']
)
def test_half_a_letter_in_a_call_can_cross_to_the_owner(body: str) -> None:
    for part in flat(steps(f"<tool_call>{body}</tool_call>", HERMES)):
        (part.name + part.text).encode()


def test_blanks_without_end_cost_little() -> None:
    before = AROUND["gpt-oss"][1]
    blanks = " \n" * 20_000
    assert standing(flat(steps(f'{before}{{"a":{blanks}1}}', HARMONY))) == [("f", f'{{"a":{blanks}1}}')]


def _value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(8 if depth < 3 else 5)
    if kind < 5:
        return (1, "f", None, 'a"}{[\\', "name")[kind]
    if kind == 5:
        return [_value(rng, depth + 1) for _ in range(rng.randrange(3))]
    keys = ("a", "name", "arguments", "function", "parameters")
    return {rng.choice(keys): _value(rng, depth + 1) for _ in range(rng.randrange(4))}


def _written_call(rng: random.Random) -> str:
    """An object that is often a call, with its keys in any order and sometimes twice."""
    keys = [
        "name",
        "arguments",
        *rng.choices(["id", "function", "parameters", "name", "arguments"], k=rng.randrange(3)),
    ]
    if rng.random() < 0.5:
        rng.shuffle(keys)
    entries = []
    for key in keys:
        value = rng.choice(["f", "g"]) if key == "name" and rng.random() < 0.9 else _value(rng)
        if key in ("arguments", "parameters") and rng.random() < 0.7:
            value = {"a": _value(rng)}
        written = _written_call(rng) if key == "function" and rng.random() < 0.7 else json.dumps(value)
        entries.append(f'"{key}":{rng.choice(["", " ", "  "])}{written}')
    return "{" + rng.choice([",", ", ", " ,\n"]).join(entries) + "}"


@pytest.mark.parametrize("seed", range(20))
def test_what_was_told_in_pieces_is_what_the_whole_says(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(50):
        calls = [_written_call(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        body = calls[0] if len(calls) == 1 else f"[{', '.join(calls)}]"
        whole = calls_of([json.loads(body)], Signatures(), strict=False) or []
        parts = flat(steps(f"<tool_call>{body}</tool_call>", HERMES))
        heard = standing(parts)
        assert [name for name, _ in heard] == [call.name for call in whole], body
        read = [json.dumps(json.loads(arguments)) for _, arguments in heard]
        assert read == [json.dumps(json.loads(call.arguments)) for call in whole], body
        assert text_of(parts) == ("" if whole else f"<tool_call>{body}</tool_call>")
