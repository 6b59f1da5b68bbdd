"""What models of each family write, and what a person gets of it; the shapes are those of llama.cpp's test-chat.cpp."""

import random
from typing import NamedTuple

import pytest

from desktop.engine.protocol import Tool
from desktop.runtime.replies.formats import ReplyFormat, find_format
from desktop.runtime.replies.parts import Part
from desktop.runtime.replies.reader import ReplyReader

TOOLS = (
    Tool(name="get_weather", parameters='{"properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}'),
    Tool(name="python", parameters='{"properties": {"code": {"type": "string"}}}'),
    Tool(name="now", parameters="{}"),
)
PARIS = ("get_weather", '{"city": "Paris", "days": 2}')
NOW = ("now", "{}")


class Letters:
    """A vocabulary whose tokens are given pieces of text; control tokens have no bytes, as in the engine."""

    def __init__(self, pieces: list[bytes], control: tuple[str, ...] = ()) -> None:
        self.pieces = [*pieces, *(b"" for _ in control)]
        self._control = {text: len(pieces) + index for index, text in enumerate(control)}

    def piece(self, token: int) -> bytes:
        return self.pieces[token]

    def tokenize(self, text: str, *, add_bos: bool = False, parse_special: bool = False) -> list[int]:
        return [self._control[text]] if text in self._control else [0, 0]


class Read(NamedTuple):
    reasoning: str
    text: str
    calls: list[tuple[str, str]]


def read(
    pieces: list[bytes],
    reply_format: ReplyFormat,
    *,
    tools: bool = True,
    reasoning_open: bool = False,
    stops: tuple[str, ...] = (),
    known: tuple[Tool, ...] = TOOLS,
) -> Read:
    reader = ReplyReader(
        Letters(pieces), reply_format, stops=stops, reasoning_open=reasoning_open, tools=tools, signatures=known
    )
    return gather([part for token in range(len(pieces)) for part in reader.feed(token)] + reader.finish())


def gather(parts: list[Part]) -> Read:
    calls: dict[int, tuple[str, str]] = {}
    for part in parts:
        if part.withdrawn:
            del calls[part.index]
        elif part.kind == "tool_call":
            name, arguments = calls.get(part.index, ("", ""))
            calls[part.index] = (name + part.name, arguments + part.text)
    words = {kind: "".join(part.text for part in parts if part.kind == kind) for kind in ("reasoning", "text")}
    return Read(words["reasoning"], words["text"], [calls[index] for index in sorted(calls)])


def cut(text: str, rng: random.Random) -> list[bytes]:
    raw = text.encode()
    places = sorted(rng.sample(range(len(raw)), min(len(raw) - 1, rng.choice([0, 1, 3, 10, len(raw) - 1]))))
    return [raw[a:b] for a, b in zip([0, *places], [*places, len(raw)], strict=True)]


HERMES = find_format("", ())
CASES = {
    "plain": (HERMES, "Hello, world!\nWhat's up?", Read("", "Hello, world!\nWhat's up?", [])),
    "thinking": (HERMES, "<think>\nhm\n</think>\n\nYes.", Read("hm", "Yes.", [])),
    "a mark in the middle is text": (HERMES, "Write <think> first.", Read("", "Write <think> first.", [])),
    "hermes": (
        HERMES,
        (
            '<think>a < b</think>I look.\n<tool_call>\n{"name": "get_weather", "argum'
            'ents": {"city": "Paris", "days": 2}}'
            '\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
        ),
        Read("a < b", "I look.", [PARIS, NOW]),
    ),
    "hermes with a mark inside": (
        HERMES,
        '<tool_call>{"name": "python", "arguments": {"code": "</tool_call> \\"}"}}</tool_call>',
        Read("", "", [("python", '{"code": "</tool_call> \\"}"}')]),
    ),
    "hermes without its end": (
        HERMES,
        '<tool_call>{"name": "now", "arguments": {}}',
        Read("", "", [NOW]),
    ),
    "hermes cut off": (
        HERMES,
        'Wait.<tool_call>{"name": "now", "argu',
        Read("", 'Wait.<tool_call>{"name": "now", "argu', []),
    ),
    "hermes with bad JSON": (
        HERMES,
        '<tool_call>{"name": now}</tool_call> and more',
        Read("", '<tool_call>{"name": now}</tool_call> and more', []),
    ),
    "nothing called": (HERMES, "<tool_call>oops, </b> no", Read("", "<tool_call>oops, </b> no", [])),
    "qwen3-coder": (
        HERMES,
        (
            "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</paramete"
            "r>\n<parameter=days>\n2\n</parameter>"
            "\n</function>\n</tool_call>\n<tool_call>\n<function=now>\n</function>\n</tool_call>"
        ),
        Read("", "", [PARIS, NOW]),
    ),
    "qwen3-coder, a mark in its code": (
        HERMES,
        (
            "<tool_call>\n<function=python>\n<parameter=code>\nprint('</tool_call>')"
            "\nx = 1\n</parameter>\n</function>\n"
            "</tool_call>"
        ),
        Read("", "", [("python", '{"code": "print(\'</tool_call>\')\\nx = 1"}')]),
    ),
    "glm-4.6": (
        HERMES,
        (
            "<think>x</think>\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n"
            "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call><tool_call>now</tool_call>"
        ),
        Read("x", "", [PARIS, NOW]),
    ),
    "llama-3": (
        find_format("<|python_tag|>", ()),
        '{"name": "get_weather", "parameters": {"city": "Paris", "days": 2}}',
        Read("", "", [PARIS]),
    ),
    "llama-3, two": (
        find_format("<|python_tag|>", ()),
        '<|python_tag|>{"name": "now", "parameters": {}}; {"name": "now", "parameters": {}}',
        Read("", "", [NOW, NOW]),
    ),
    "llama-3, an answer in JSON": (
        find_format("<|python_tag|>", ()),
        '{"answer": {"name": 1}} done',
        Read("", '{"answer": {"name": 1}} done', []),
    ),
    "llama-3, another name": (
        find_format("<|python_tag|>", ()),
        '{"name": "Ann", "parameters": {}}',
        Read("", '{"name": "Ann", "parameters": {}}', []),
    ),
    "mistral, old": (
        find_format("[TOOL_CALLS]", ()),
        'Hm.[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris", "days": 2}, "id": "123456789"}]',
        Read("", "Hm.", [PARIS]),
    ),
    "mistral, new": (
        find_format("[TOOL_CALLS]", ()),
        '[TOOL_CALLS]get_weather[CALL_ID]123456789[ARGS]{"city": "Paris", "days": 2}[TOOL_CALLS]now[ARGS]{}',
        Read("", "", [PARIS, NOW]),
    ),
    "ministral": (
        find_format("[THINK] [TOOL_CALLS]", ()),
        "[THINK]about [TOOL_CALLS]now[ARGS]{}[/THINK]Hi",
        Read("about [TOOL_CALLS]now[ARGS]{}", "Hi", []),
    ),
    "deepseek-r1": (
        find_format("<｜tool▁calls▁begin｜>", ()),
        (
            "<think>x</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜too"
            "l▁sep｜>get_weather\n```json\n"
            '{"city": "Paris", "days": 2}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>f'
            "unction<｜tool▁sep｜>now\n```json\n{}\n"
            "```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
        ),
        Read("x", "", [PARIS, NOW]),
    ),
    "deepseek-v3.1": (
        find_format("<｜tool▁calls▁begin｜>", ()),
        (
            "Sure.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
            '{"city": "Paris", "days": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>'
        ),
        Read("", "Sure.", [PARIS]),
    ),
    "deepseek-v3.2": (
        find_format("dsml_token tool_calls", ()),
        (
            '<think>x</think>\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n'
            '<｜DSML｜parameter name="city" string="true">Paris</｜DSML｜parameter>\n'
            '<｜DSML｜parameter name="days" string="false">2</｜DSML｜parameter>\n</｜DSML'
            "｜invoke>\n</｜DSML｜function_calls>"
        ),
        Read("x", "", [PARIS]),
    ),
    "command-r7b": (
        find_format("<|START_ACTION|>", ()),
        (
            '<|START_THINKING|>x<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id'
            '": "0", "tool_name": "get_weather", '
            '"parameters": {"city": "Paris", "days": 2}}\n]<|END_ACTION|>'
        ),
        Read("x", "", [PARIS]),
    ),
    "command-r7b, an answer": (
        find_format("<|START_ACTION|>", ()),
        "<|START_THINKING|>x<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>",
        Read("x", "Hello", []),
    ),
    "command-r": (
        find_format("Action: <|CHATBOT_TOKEN|>", ()),
        'Action:\n```json\n[{"tool_name": "now", "parameters": {}}]\n```',
        Read("", "", [NOW]),
    ),
    "granite-3": (
        find_format("<|tool_call|>", ()),
        '<|tool_call|>[{"name": "now", "arguments": {}}, {"name": "now", "arguments": {}}]',
        Read("", "", [NOW, NOW]),
    ),
    "granite-3 thinking": (
        find_format("<|tool_call|>", ()),
        "Here is my thought process: x\nHere is my response: y",
        Read(" x", " y", []),
    ),
    "seed-oss": (
        find_format("<seed:think>", ()),
        (
            "<seed:think>x</seed:think><seed:tool_call>\n<function=get_weather>\n<parameter=city>Paris</parameter>\n"
            "<parameter=days>2</parameter>\n</function>\n</seed:tool_call>"
        ),
        Read("x", "", [PARIS]),
    ),
    "minimax-m2": (
        find_format("<minimax:tool_call>", ()),
        (
            '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Paris</parameter>\n'
            '<parameter name="days">2</parameter>\n</invoke>\n<invoke name="now">\n</invoke>\n</minimax:tool_call>'
        ),
        Read("", "", [PARIS, NOW]),
    ),
    "kimi-k2": (
        find_format("<|tool_calls_section_begin|>", ()),
        (
            "<think>two<|tool_calls_section_begin|><|tool_call_begin|>functions.get_w"
            "eather:0<|tool_call_argument_begin|>"
            '{"city": "Paris", "days": 2}<|tool_call_end|><|tool_call_begin|>function'
            "s.now:1<|tool_call_argument_begin|>{}"
            "<|tool_call_end|><|tool_calls_section_end|>"
        ),
        Read("two", "", [PARIS, NOW]),
    ),
    "lfm2": (
        find_format("", ("<|tool_call_start|>",)),
        'On it.<|tool_call_start|>[get_weather(city="Paris", days=2), now()]<|tool_call_end|>',
        Read("", "On it.", [PARIS, NOW]),
    ),
    "gemma-4": (
        find_format("<|tool_call>call:", ()),
        '<|channel>thought\nx<channel|><|tool_call>call:get_weather{city:<|"|>Paris<|"|>,days:2}<tool_call|>',
        Read("x", "", [PARIS]),
    ),
    "apertus": (
        find_format("<|tools_prefix|>", ()),
        (
            '<|inner_prefix|>x<|inner_suffix|><|tools_prefix|>[{"get_weather": {"city": "Paris", "days": 2}}]'
            "<|tools_suffix|>"
        ),
        Read("x", "", [PARIS]),
    ),
    "minimax-m1": (
        find_format("<tool_calls>", ()),
        '<tool_calls>\n{"name": "now", "arguments": {}}\n{"name": "now", "arguments": {}}\n</tool_calls>',
        Read("", "", [NOW, NOW]),
    ),
    "nemotron-nano-2": (
        find_format("<TOOLCALL>", ()),
        '<TOOLCALL>[{"name": "now", "arguments": {}}]</TOOLCALL>',
        Read("", "", [NOW]),
    ),
    "functionary-3.1": (
        find_format("<function= <|python_tag|>", ()),
        '<function=get_weather>{"city": "Paris", "days": 2}</function>',
        Read("", "", [PARIS]),
    ),
    "functionary-3.2": (
        find_format(">>>all >>>${recipient}", ()),
        'all\nHello >> you\n>>>get_weather\n{"city": "Paris", "days": 2}',
        Read("", "Hello >> you\n", [PARIS]),
    ),
    "minicpm5": (
        find_format("<param name= <function name=", ()),
        '<function name="get_weather"><param name="city">Paris</param><param name="days">2</param></function>',
        Read("", "", [PARIS]),
    ),
    "gigachat-3": (
        find_format("<|message_sep|> function call<|role_sep|>", ()),
        '<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "now", "arguments": {}}',
        Read("", "", [NOW]),
    ),
    "solar-open": (
        find_format("<|tool_call:begin|>", ()),
        (
            "<|think|>x<|end|><|begin|>assistant<|tool_calls|><|tool_call:begin|>id1<|tool_call:name|>now"
            "<|tool_call:args|>{}<|tool_call:end|>"
        ),
        Read("x", "", [NOW]),
    ),
    "gpt-oss": (
        find_format("<|channel|> <|message|>", ()),
        "<|channel|>analysis<|message|>I'm\nthinking<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        Read("I'm\nthinking", "Hello", []),
    ),
    "gpt-oss, a call in the role": (
        find_format("<|channel|> <|message|>", ()),
        (
            "<|channel|>analysis<|message|>x<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary "
            '<|constrain|>json<|message|>{"city": "Paris", "days": 2}<|call|>'
        ),
        Read("x", "", [PARIS]),
    ),
    "gpt-oss, a call in the channel": (
        find_format("<|channel|> <|message|>", ()),
        (
            "<|channel|>commentary to=assistant<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>"
            "commentary to=functions.now<|message|>{}"
        ),
        Read("x", "", [NOW]),
    ),
    "gpt-oss, going on with words": (find_format("<|channel|> <|message|>", ()), "and more", Read("", "and more", [])),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reply_is_understood_wherever_it_is_cut(case: str) -> None:
    reply_format, reply, expected = CASES[case]
    rng = random.Random(case)
    for _ in range(40):
        pieces = cut(reply, rng)
        assert read(pieces, reply_format) == expected, pieces


SNIPPETS = [
    *("a", " ", "\n", "{", "}", "[", "]", '"', "\\", "<", ">", "é", "🙂", "to=", ">>>", ":", "```", "name", "Paris"),
    '{"name": "now", "arguments": {}}',
    '{"name": "now", "parameters": {}}',
    "<function=now>",
    "</function>",
    "<parameter=a>",
    "</parameter>",
    "now",
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tools", [True, False])
def test_any_mess_of_marks_gives_the_same_parts_wherever_it_is_cut_and_loses_no_words(case: str, tools: bool) -> None:
    reply_format = CASES[case][0]
    rng = random.Random(f"{case} {tools}")
    words = [*SNIPPETS, *reply_format.marks * 2]
    for _ in range(60):
        mess = "".join(rng.choice(words) for _ in range(rng.randrange(1, 25)))
        opened = rng.random() < 0.3
        whole = read([mess.encode()], reply_format, tools=tools, reasoning_open=opened)
        for _ in range(3):
            pieces = cut(mess, rng)
            assert read(pieces, reply_format, tools=tools, reasoning_open=opened) == whole, (mess, pieces)
        shown = whole.reasoning + whole.text + "".join(name + arguments for name, arguments in whole.calls)
        assert all(shown.count(letter) == mess.count(letter) for letter in "é🙂"), (mess, whole)
        if not tools:
            assert whole.calls == []
