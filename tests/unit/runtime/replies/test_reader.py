"""From tokens to what a person gets: control tokens, letters of several tokens, stop strings, and how long it takes."""

import time

import pytest

from desktop.engine.protocol import Tool
from desktop.runtime.replies.formats import ReplyFormat, find_format
from desktop.runtime.replies.parts import Part
from desktop.runtime.replies.reader import ReplyReader

MISTRAL = find_format("[TOOL_CALLS]", ())
HERMES = find_format("", ())


class Pieces:
    """A vocabulary of these pieces; those in `control` have no bytes of their own, as in the engine."""

    def __init__(self, *pieces: bytes, control: tuple[str, ...] = ()) -> None:
        self._pieces, self._control = pieces, control

    def piece(self, token: int) -> bytes:
        return self._pieces[token] if token < len(self._pieces) else b""

    def tokenize(self, text: str, *, add_bos: bool = False, parse_special: bool = False) -> list[int]:
        return [len(self._pieces) + self._control.index(text)] if text in self._control else [0, 0]


def reader(
    words: Pieces, reply_format: ReplyFormat = HERMES, *, stops: tuple[str, ...] = (), tools: bool = True
) -> ReplyReader:
    return ReplyReader(words, reply_format, stops=stops, reasoning_open=False, tools=tools)


def read(reply: ReplyReader, tokens: range | list[int]) -> list[Part]:
    return [part for token in tokens for part in reply.feed(token)] + reply.finish()


def test_a_control_token_that_the_format_names_is_read_and_another_is_not() -> None:
    words = Pieces(b"now", b"{}", control=("[TOOL_CALLS]", "[ARGS]", "<unk>"))
    parts = read(reader(words, MISTRAL), [2, 0, 3, 1, 4])
    assert parts == [Part("tool_call", "", 0, "now"), Part("tool_call", "{}")]


def test_without_tools_the_marks_of_calls_are_text() -> None:
    words = Pieces(b'<tool_call>{"name": "now", "arguments": {}}</tool_call>')
    assert "".join(part.text for part in read(reader(words, tools=False), [0])) == words.piece(0).decode()


def test_a_letter_of_several_tokens_comes_whole() -> None:
    letter = "🙂".encode()
    reply = reader(Pieces(b"a", letter[:1], letter[1:3], letter[3:]))
    assert [[part.text for part in reply.feed(token)] for token in range(4)] == [["a"], [], [], ["🙂"]]


def test_a_letter_that_never_ended_is_marked_as_such() -> None:
    assert "".join(part.text for part in read(reader(Pieces(b"a", "🙂".encode()[:2])), [0, 1])) == "a�"


def test_a_stop_string_across_tokens_ends_the_reply() -> None:
    reply = reader(Pieces(b"Yes. #", b"## no"), stops=("###",))
    assert "".join(part.text for part in read(reply, [0, 1])) == "Yes. "
    assert reply.stopped


def test_a_stop_string_acts_inside_reasoning_too_as_in_llama_server() -> None:
    reply = reader(Pieces(b"<think>one STOP two</think>three"), stops=("STOP",))
    assert read(reply, [0]) == [Part("reasoning", "one ")]


def test_plain_text_is_given_out_at_once() -> None:
    reply = reader(Pieces(b"Hello", b" there", b"."))
    assert [reply.feed(token) for token in range(3)] == [[Part("text", text)] for text in ("Hello", " there", ".")]


def test_values_have_the_types_that_the_tool_tells() -> None:
    body = "<tool_call>f<arg_key>zip</arg_key><arg_value>01</arg_value><arg_key>n</arg_key><arg_value>1</arg_value>"
    schema = '{"properties": {"zip": {"type": "string"}, "n": {"type": ["integer", "null"]}}}'
    tools = (Tool(name="f", parameters=schema),)
    reply = ReplyReader(
        Pieces(f"{body}</tool_call>".encode()), HERMES, stops=(), reasoning_open=False, tools=True, signatures=tools
    )
    assert read(reply, [0])[1].text == '{"zip": "01", "n": 1}'


DEEP = b'<tool_call>{"name": "f", "arguments": ' + b"[" * 100_000 + b"]" * 100_000 + b"}</tool_call>"


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'<tool_call>{"name": "f", "arguments": {"a": NaN}}</tool_call>',
        b'<tool_call>{"name": 1, "arguments": {}}</tool_call>',
        b"<tool_call>{}</tool_call>",
        b'<tool_call>{"name": "f", "arguments": "x"}</tool_call>',
        b"<tool_call>\n<function=f>\nwhat?\n</function>\n</tool_call>",
        b"<tool_call></tool_call>",
    ],
    ids=range(7),
)
def test_a_call_that_is_none_is_shown_as_text(body: bytes) -> None:
    parts = read(reader(Pieces(body)), [0])
    assert [part.kind for part in parts] == ["text"]
    assert parts[0].text == body.decode()


@pytest.mark.parametrize(
    "source", ["__import__('os')", "(lambda: 1)()", "f(**{})", "f(1)", "f(a=open('x'))", "f(a={1})"]
)
def test_a_call_in_python_is_only_read(source: str) -> None:
    words = Pieces(f"<|tool_call_start|>[{source}]<|tool_call_end|>".encode())
    parts = read(reader(words, find_format("<|tool_call_start|>", ())), [0])
    assert [part.kind for part in parts] == ["text"]


@pytest.mark.parametrize("piece", [b" word", b"<tool_call>", b'<tool_call>{"', b"<tool_call><function=", b"\n", b"<"])
def test_a_long_reply_costs_little_whatever_it_is_made_of(piece: bytes) -> None:
    reply = reader(Pieces(piece), stops=("\nUser:",))
    started = time.process_time()
    parts = read(reply, [0] * 20_000)
    # 4 microseconds each on the machine of the figures; ten times that leaves room for others.
    assert time.process_time() - started < 20_000 * 50e-6
    assert "".join(part.text for part in parts) == piece.decode() * 20_000
