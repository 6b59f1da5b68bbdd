"""From messages to the turns that chat templates expect, in the shapes that different templates want.

The shapes are those of transformers' apply_chat_template; what a template cannot take is found out as llama.cpp does
(common/jinja/caps.cpp): by trying it.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from desktop.engine.protocol import FailureKind, PromptMessage, Tool
from desktop.runtime.failures import EngineError

Turn = dict[str, Any]
# Noncharacters of Unicode: they never occur in text that is meant to be read.
OPEN, CLOSE, END_MARK = "\ufdd0", "\ufdd1", "\ufdd2"
PLACEHOLDER = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_NEEDLE = "snugneedle"


class Shape(NamedTuple):
    """What a template takes.

    parts: content only as a list. objects: arguments as an object. system: that role. tools, calls, answers: written.
    thoughts: reasoning as a part of the content. none: `tools` may be None.
    """

    parts: bool = False
    objects: bool = True
    system: bool = True
    calls: bool = True
    answers: bool = True
    thoughts: bool = False
    none: bool = True
    tools: bool = True


class Shield:
    """Replaces texts that would become control tokens by placeholders, and remembers them."""

    def __init__(self, forbidden: re.Pattern[str]) -> None:
        self._forbidden = forbidden
        self.literals: list[str] = []

    def text(self, text: str) -> str:
        """Return `text` with its control texts replaced."""
        return self._forbidden.sub(self._replace, text)

    def value(self, value: Any) -> Any:
        """The same for every text in a JSON value, names of members included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(item) for name, item in value.items()}
        return value

    def _replace(self, match: re.Match[str]) -> str:
        self.literals.append(match[0])
        return f"{OPEN}{len(self.literals) - 1}{CLOSE}"


def size_of(messages: Sequence[PromptMessage], tools: Sequence[Tool]) -> int:
    """The characters that a conversation holds."""
    told = sum(len(tool.name) + len(tool.description) + len(tool.parameters) for tool in tools)
    return told + sum(
        len(message.content)
        + len(message.reasoning)
        + len(message.name)
        + sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
        for message in messages
    )


def describe_tools(tools: Sequence[Tool], shield: Shield) -> list[dict[str, Any]] | None:
    """The tools as templates expect them; None where there are none. Raises EngineError(BAD_REQUEST)."""
    return [_describe_tool(tool, shield) for tool in tools] or None


def _describe_tool(tool: Tool, shield: Shield) -> dict[str, Any]:
    try:
        parameters = json.loads(tool.parameters or "{}")
    except (ValueError, RecursionError) as error:
        raise EngineError(FailureKind.BAD_REQUEST, f"the parameters of {tool.name} are no JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise EngineError(FailureKind.BAD_REQUEST, f"the parameters of {tool.name} are no JSON schema")
    function = {
        "name": tool.name,
        "description": tool.description,
        # Templates walk over "properties" without asking whether they are there.
        "parameters": parameters or {"type": "object", "properties": {}},
    }
    return {"type": "function", "function": shield.value(function)}


def make_turns(messages: Sequence[PromptMessage], *, shield: Shield, shape: Shape, media_marker: str) -> list[Turn]:
    """Return one turn per message. Raises EngineError(BAD_MEDIA) for attachments without a marker."""
    turns: list[Turn] = []
    for message in messages:
        turns.append(_make_turn(message, turns, shield, shape, media_marker))
    return turns


def _make_turn(message: PromptMessage, before: list[Turn], shield: Shield, shape: Shape, media_marker: str) -> Turn:
    if message.attachments and not media_marker:
        raise EngineError(FailureKind.BAD_MEDIA, "this model takes text only")
    turn: Turn = {
        "role": message.role,
        # Where llama.cpp's server puts it: at the attachment's place, as text, which is before the words here.
        "content": media_marker * len(message.attachments) + shield.text(message.content),
    }
    if message.reasoning:
        turn["reasoning_content"] = turn["thinking"] = shield.text(message.reasoning)
    if message.tool_calls:
        first = sum(len(turn.get("tool_calls", ())) for turn in before)
        turn["tool_calls"] = [
            {
                "id": shield.text(call.call_id) or short_id(first + index),
                "type": "function",
                "function": {
                    "name": shield.text(call.name),
                    "arguments": _arguments(call.arguments, shield, as_object=shape.objects),
                },
            }
            for index, call in enumerate(message.tool_calls)
        ]
    if message.role == "tool":
        turn |= _answered_call(message, before, shield)
    elif message.name:
        turn["name"] = shield.text(message.name)
    return turn


def _arguments(text: str, shield: Shield, *, as_object: bool) -> Any:
    if as_object:
        try:
            value = json.loads(text or "{}")
        except (ValueError, RecursionError):
            # The model wrote something else then; the template gets it as it was.
            return shield.text(text)
        if isinstance(value, dict):
            return shield.value(value)
    return shield.text(text)


def _answered_call(message: PromptMessage, before: list[Turn], shield: Shield) -> Turn:
    """Which call a tool's answer belongs to: as it says, else the first call without an answer."""
    answered = {turn.get("tool_call_id") for turn in before if turn["role"] == "tool"}
    names = {call["id"]: call["function"]["name"] for turn in before for call in turn.get("tool_calls", ())}
    call_id = shield.text(message.tool_call_id) or next((call for call in names if call not in answered), short_id(0))
    return {"tool_call_id": call_id, "name": shield.text(message.name) or names.get(call_id, "")}


def short_id(number: int) -> str:
    """An id of nine letters or digits, the only form that Mistral's templates take."""
    return f"{number:09d}"


def as_parts(turns: list[Turn]) -> list[Turn]:
    """Every content as a list of one text, for templates that take nothing else."""
    return [
        turn | {"content": [_text_part(turn["content"])]} if isinstance(turn["content"], str) else turn
        for turn in turns
    ]


def thoughts_as_parts(turns: list[Turn]) -> list[Turn]:
    """Reasoning as the first part of the content, for templates that read it there (Ministral's)."""
    return [
        turn | {"content": [{"type": "thinking", "thinking": turn["thinking"]}, _text_part(turn["content"])]}
        if "thinking" in turn
        else turn
        for turn in turns
    ]


def _text_part(text: str) -> Turn:
    return {"type": "text", "text": text}


# ---- for templates that know nothing of tools

_INSTRUCTIONS = (
    "You may call one or more functions to assist with the user query. The function signatures are within "
    "<tools></tools> tags:\n<tools>\n{tools}\n</tools>\nFor each function call, return a JSON object with its name and "
    'arguments within <tool_call></tool_call> tags:\n<tool_call>\n{{"name": <function-name>, "arguments": '
    "<args-json-object>}}\n</tool_call>"
)


def spell_tools(turns: list[Turn], tools: list[dict[str, Any]]) -> list[Turn]:
    """Describe the tools in the system turn, in the words that most models were trained with (Hermes, Qwen)."""
    told = _INSTRUCTIONS.format(tools="\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools))
    if turns and turns[0]["role"] == "system":
        return [turns[0] | {"content": f"{turns[0]['content']}\n\n{told}"}, *turns[1:]]
    return [{"role": "system", "content": told}, *turns]


def spell_calls(turns: list[Turn], write: Callable[[str, Any], str]) -> list[Turn]:
    """Write the calls into the content, as `write` spells a name and its arguments."""
    return [
        {name: value for name, value in turn.items() if name != "tool_calls"} | {"content": _with_calls(turn, write)}
        if "tool_calls" in turn
        else turn
        for turn in turns
    ]


def _with_calls(turn: Turn, write: Callable[[str, Any], str]) -> str:
    calls = [write(call["function"]["name"], call["function"]["arguments"]) for call in turn["tool_calls"]]
    return "\n".join(filter(None, [turn["content"], *calls]))


def spell_answers(turns: list[Turn]) -> list[Turn]:
    """Tools' answers become turns of the user."""
    return [
        {"role": "user", "content": f"<tool_response>\n{turn['content']}\n</tool_response>"}
        if turn["role"] == "tool"
        else turn
        for turn in turns
    ]


# ---- what is tried where a template refuses a conversation, one after the other


def fold_system(turns: list[Turn], *, keep_first: bool = True) -> list[Turn]:
    """System turns become the beginning of the next user turn, as llama.cpp does for templates without that role."""
    folded: list[Turn] = []
    waiting: list[str] = []
    for index, turn in enumerate(turns):
        if turn["role"] == "system" and not (keep_first and index == 0):
            waiting.append(turn["content"])
        elif waiting and turn["role"] == "user":
            folded.append(turn | {"content": "\n".join([*waiting, turn["content"]])})
            waiting = []
        else:
            folded.append(turn)
    if waiting:
        folded.append({"role": "user", "content": "\n".join(waiting)})
    return folded


def merge_neighbours(turns: list[Turn]) -> list[Turn]:
    """Neighbouring turns of one role become one, for templates that insist on alternating roles."""
    merged: list[Turn] = []
    for turn in turns:
        last = merged[-1] if merged else None
        if last and last["role"] == turn["role"] != "tool" and "tool_calls" not in last and "tool_calls" not in turn:
            merged[-1] = last | turn | {"content": f"{last['content']}\n\n{turn['content']}"}
        else:
            merged.append(turn)
    return merged


def shorten_ids(turns: list[Turn]) -> list[Turn]:
    """Ids of calls become short numbers."""
    numbers: dict[str, str] = {}

    def number(call_id: str) -> str:
        return numbers.setdefault(call_id, short_id(len(numbers)))

    shortened = []
    for turn in turns:
        new = dict(turn)
        if "tool_calls" in turn:
            new["tool_calls"] = [call | {"id": number(call["id"])} for call in turn["tool_calls"]]
        if "tool_call_id" in turn:
            new["tool_call_id"] = number(turn["tool_call_id"])
        shortened.append(new)
    return shortened


def one_call_a_turn(turns: list[Turn]) -> list[Turn]:
    """Several calls in one turn become several turns, each followed by its answer."""
    answers = {turn["tool_call_id"]: turn for turn in turns if "tool_call_id" in turn}
    split: list[Turn] = []
    for turn in turns:
        calls = turn.get("tool_calls", ())
        if len(calls) > 1:
            for index, call in enumerate(calls):
                split.append(turn | {"tool_calls": [call], "content": "" if index else turn["content"]})
                if call["id"] in answers:
                    split.append(answers.pop(call["id"]))
        elif "tool_call_id" not in turn or answers.get(turn["tool_call_id"]) is turn:
            split.append(turn)
    return split


def calls_after_thoughts(turns: list[Turn]) -> list[Turn]:
    """What was said before a call becomes a part of the reasoning, for templates that take one of both (gpt-oss)."""
    return [
        turn | {"thinking": f"{turn['thinking']}\n{turn['content']}", "content": ""}
        if "tool_calls" in turn and "thinking" in turn and turn["content"]
        else turn
        for turn in turns
    ]


COMPROMISES: tuple[Callable[[list[Turn]], list[Turn]], ...] = (
    fold_system,
    merge_neighbours,
    shorten_ids,
    one_call_a_turn,
    calls_after_thoughts,
)


# ---- finding out what a template takes


_WRITTEN_OUT = re.compile(r"""['"]type['"]: *['"]thinking""")  # a template that writes the whole list as it is
_SAMPLE_TOOL = {
    "type": "function",
    "function": {"name": _NEEDLE, "description": "a", "parameters": {"type": "object", "properties": {}}},
}
Attempt = Callable[[list[Turn], dict[str, Any]], str | None]


def find_shape(attempt: Attempt) -> Shape:
    """Try what a template takes; `attempt` returns its output, or None where it fails."""
    said = [{"role": "user", "content": _NEEDLE}]
    none = attempt(said, {"tools": None}) is not None or attempt(as_parts(said), {"tools": None}) is not None
    bare: dict[str, Any] = {"tools": None} if none else {}
    parts = _NEEDLE not in (attempt(said, bare) or "") and _NEEDLE in (attempt(as_parts(said), bare) or "")

    def writes(turns: list[Turn], values: dict[str, Any]) -> str:
        output = attempt(as_parts(turns) if parts else turns, values) or ""
        return output if _NEEDLE in output else ""

    user = {"role": "user", "content": "a"}
    thought = [user, {"role": "assistant", "content": "b", "thinking": _NEEDLE}]
    typed = attempt(thoughts_as_parts(thought), bare) or ""
    called = writes([user, _call_turn({_NEEDLE: 1})], bare)
    as_text = called and f"'{_NEEDLE}'" in called  # it writes an object as Python would, so it wants JSON text
    answer = {"role": "tool", "tool_call_id": short_id(0), "name": "f", "content": _NEEDLE}
    return Shape(
        parts=parts,
        objects=bool(called) and not as_text,
        system=bool(writes([{"role": "system", "content": _NEEDLE}, user], bare)),
        calls=bool(called or writes([user, _call_turn(json.dumps({_NEEDLE: 1}))], bare)),
        answers=bool(writes([user, _call_turn({}), answer], bare) or writes([user, _call_turn("{}"), answer], bare)),
        thoughts=_NEEDLE in typed and not _WRITTEN_OUT.search(typed) and not writes(thought, bare),
        none=none,
        tools=bool(writes([user], {"tools": [_SAMPLE_TOOL]})),
    )


def _call_turn(arguments: Any) -> Turn:
    call = {"id": short_id(0), "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call]}
