"""Which way a model writes its replies, found from its chat template and from the texts of its control tokens.

The marks are those that llama.cpp finds or knows (common/chat.cpp, common/parsers) at the version of the engine.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from desktop.runtime.replies.values import CallSyntax, read_gemma, read_json, read_python, read_tagged, write_json

Pair = tuple[str, str]
_THINK: Pair = ("<think>", "</think>")


class ReplyFormat(msgspec.Struct, frozen=True, kw_only=True):
    """The marks of a family.

    reasoning: pairs of marks around it. calls: how tools are called. silent: marks that are shown to nobody (what
    wraps the calls or the answer). inner: control tokens inside a call, which must be read as text there.
    calls_end_reasoning: a call may come before the reasoning was closed. channels: harmony, where headers say what
    follows. recipients: Functionary 3.2, where a line does.
    """

    family: str = "plain"
    reasoning: tuple[Pair, ...] = (_THINK,)
    calls: tuple[CallSyntax, ...] = ()
    silent: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    calls_end_reasoning: bool = False
    channels: bool = False
    recipients: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        """Every text that a reader of this format looks for; those that are control tokens must be rendered for it."""
        found = [mark for pair in self.reasoning for mark in pair]
        found += [mark for call in self.calls for mark in (call.opening, call.closing)]
        return tuple(dict.fromkeys(mark for mark in (*found, *self.silent, *self.inner) if mark))

    def write_call(self, name: str, arguments: Any) -> str:
        """A call as the model would write it, for templates that have no place for one; arguments: object or text."""
        values = arguments if isinstance(arguments, dict) else _object(arguments)
        if self.family == "lfm2":
            named = ", ".join(f"{key}={value!r}" for key, value in values.items())
            return f"<|tool_call_start|>[{name}({named})]<|tool_call_end|>"
        call = write_json({"name": name, "arguments": values})
        return f"<|tool_call|>[{call}]" if self.family == "granite-3" else f"<tool_call>\n{call}\n</tool_call>"

    def opens_reasoning(self, prompt_tail: str, continued: str = "", thought: bool = False) -> bool:
        """Whether a prompt ends inside a reasoning block.

        prompt_tail: its end. continued: the words of the message that it continues; thought: whether that message has
        reasoning besides.
        """
        for opening, closing in self.reasoning:
            if prompt_tail.rstrip().endswith(opening.rstrip()):
                return True
            if continued.lstrip().startswith(opening) and closing not in continued:
                return True
            if thought and not continued:
                place = prompt_tail.rfind(opening.rstrip())
                if place >= 0 and closing not in prompt_tail[place:]:
                    return True
        return False


def _object(text: Any) -> dict[str, Any]:
    try:
        value = read_json(text or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"arguments": text}


def _json(opening: str, closing: str = "", *, several: bool = False) -> CallSyntax:
    return CallSyntax(opening=opening, closing=closing, several=several)


def _named(opening: str, head: str, closing: str = "") -> CallSyntax:
    return CallSyntax(opening=opening, closing=closing, head=head)


def _tagged(opening: str, closing: str, prefix: str = "", word: str = "parameter") -> CallSyntax:
    inside = (f"<{prefix}{word}", f"</{prefix}{word}>")
    return CallSyntax(opening=opening, closing=closing, read=read_tagged, inside=inside)


HERMES = CallSyntax(opening="<tool_call>", closing="</tool_call>", several=True, auto=True)
_KIMI_HEAD = r"\s*(?:functions\.)?(?P<name>[^\s:<]+)(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*"
_DEEPSEEK_HEAD = r"\s*(?:function<｜tool▁sep｜>)?(?P<name>[^\s<]+)(?:<｜tool▁sep｜>\s*|\s*```(?:json)?\s*)"
_MISTRAL_HEAD = r"\s*(?P<name>[^\s\[{]+)\s*(?:\[CALL_ID\][^\[\]{]*)?(?:\[ARGS\])?\s*"
_SOLAR_HEAD = r"\s*[^<\s]*<\|tool_call:name\|>(?P<name>[^<\s]+)<\|tool_call:args\|>\s*"
_DSML = "｜DSML｜"

GPT_OSS = ReplyFormat(
    family="gpt-oss",
    reasoning=(("<|channel|>analysis<|message|>", "<|end|>"),),
    inner=("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|call|>", "<|return|>"),
    channels=True,
)
_MISTRAL_CALLS = (CallSyntax(opening="[TOOL_CALLS]", head=_MISTRAL_HEAD, auto=True),)
_MISTRAL_INNER = ("[ARGS]", "[CALL_ID]")

_LFM2 = ReplyFormat(
    family="lfm2",
    calls=(CallSyntax(opening="<|tool_call_start|>", closing="<|tool_call_end|>", read=read_python),),
)
_LLAMA3 = ReplyFormat(family="llama-3", calls=(_json("<|python_tag|>", several=True), _json("", several=True)))
# Families by what stands in the template, the most telling first: all of the texts, and the format. What no family
# claims reads <think> and <tool_call>.
_FAMILIES: tuple[tuple[tuple[str, ...], ReplyFormat], ...] = (
    (("<|channel|>", "<|message|>"), GPT_OSS),
    ((">>>all", ">>>${recipient}"), ReplyFormat(family="functionary-3.2", recipients=True)),
    (
        ("<|tool_calls_section_begin|>",),
        ReplyFormat(
            family="kimi-k2",
            calls=(_named("<|tool_call_begin|>", _KIMI_HEAD, "<|tool_call_end|>"),),
            silent=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
            inner=("<|tool_call_argument_begin|>",),
            calls_end_reasoning=True,
        ),
    ),
    (
        ("<|START_ACTION|>",),
        ReplyFormat(
            family="command-r7b",
            reasoning=(("<|START_THINKING|>", "<|END_THINKING|>"),),
            calls=(_json("<|START_ACTION|>", "<|END_ACTION|>"),),
            silent=("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"),
            calls_end_reasoning=True,
        ),
    ),
    (
        ("Action:", "<|CHATBOT_TOKEN|>"),
        ReplyFormat(
            family="command-r", calls=(CallSyntax(opening="Action:", closing="```", head=r"\s*```(?:json)?\s*"),)
        ),
    ),
    (
        ("dsml_token", "tool_calls"),
        ReplyFormat(
            family="deepseek-dsml",
            calls=tuple(
                _tagged(f"<{_DSML}{word}>", f"</{_DSML}{word}>", _DSML) for word in ("function_calls", "tool_calls")
            ),
        ),
    ),
    (
        ("<｜tool▁calls▁begin｜>",),
        ReplyFormat(
            family="deepseek",
            calls=(_named("<｜tool▁call▁begin｜>", _DEEPSEEK_HEAD, "<｜tool▁call▁end｜>"), HERMES),
            silent=(
                "<｜tool▁calls▁begin｜>",
                "<｜tool▁calls▁end｜>",
                "<｜tool_calls_begin｜>",
                "<｜tool calls begin｜>",
            ),
            inner=("<｜tool▁sep｜>",),
        ),
    ),
    (
        ("[THINK]",),
        ReplyFormat(
            family="magistral", reasoning=(("[THINK]", "[/THINK]"),), calls=_MISTRAL_CALLS, inner=_MISTRAL_INNER
        ),
    ),
    (("[TOOL_CALLS]",), ReplyFormat(family="mistral", calls=_MISTRAL_CALLS, inner=_MISTRAL_INNER)),
    (
        ("<seed:think>",),
        ReplyFormat(
            family="seed-oss",
            reasoning=(("<seed:think>", "</seed:think>"),),
            calls=(_tagged("<seed:tool_call>", "</seed:tool_call>"),),
        ),
    ),
    (
        ("<minimax:tool_call>",),
        ReplyFormat(family="minimax-m2", calls=(_tagged("<minimax:tool_call>", "</minimax:tool_call>"),)),
    ),
    (("]<]minimax[>[",), ReplyFormat(family="minimax-m3", reasoning=(("<mm:think>", "</mm:think>"),))),
    (
        ("<|tool_call>call:",),
        ReplyFormat(
            family="gemma-4",
            reasoning=(("<|channel>thought\n", "<channel|>"),),
            calls=(
                CallSyntax(opening="<|tool_call>", closing="<tool_call|>", read=read_gemma, inside=('<|"|>', '<|"|>')),
            ),
            inner=("<|channel>", '<|"|>'),
        ),
    ),
    (
        ("<tool_sep", "<arg_key"),
        ReplyFormat(
            family="hunyuan-3",
            reasoning=(("<think:opensource>", "</think:opensource>"), _THINK),
            calls=(HERMES, CallSyntax(opening="<tool_call:opensource>", closing="</tool_call:opensource>", auto=True)),
            silent=("<tool_calls:opensource>", "</tool_calls:opensource>", "<tool_calls>", "</tool_calls>"),
        ),
    ),
    (
        ("<param name=", "<function name="),
        ReplyFormat(
            family="minicpm5",
            calls=(
                CallSyntax(
                    opening="<function name=",
                    closing="</function>",
                    read=read_tagged,
                    inside=("<param ", "</param>"),
                    whole=True,
                ),
            ),
        ),
    ),
    (
        ("<|tools_prefix|>",),
        ReplyFormat(
            family="apertus",
            reasoning=(("<|inner_prefix|>", "<|inner_suffix|>"),),
            calls=(_json("<|tools_prefix|>", "<|tools_suffix|>"),),
        ),
    ),
    (
        ("[BEGIN FINAL RESPONSE]",),
        ReplyFormat(
            family="apriel-1.6",
            reasoning=(("Here are my reasoning steps:\n", "[BEGIN FINAL RESPONSE]"),),
            calls=(_json("<tool_calls>", "</tool_calls>", several=True),),
        ),
    ),
    (
        ("<tool_calls>",),
        ReplyFormat(
            family="tool-calls-list",
            reasoning=(_THINK, ("<thinking>", "</thinking>")),
            calls=(_json("<tool_calls>", "</tool_calls>", several=True),),
        ),
    ),
    (("<TOOLCALL>",), ReplyFormat(family="nemotron-nano-2", calls=(_json("<TOOLCALL>", "</TOOLCALL>"),))),
    (
        ("<|tool_call:begin|>",),
        ReplyFormat(
            family="solar-open",
            reasoning=(("<|think|>", "<|end|>"), _THINK),
            calls=(_named("<|tool_call:begin|>", _SOLAR_HEAD, "<|tool_call:end|>"),),
            silent=("<|tool_calls|>", "<|content|>", "<|begin|>assistant"),
            inner=("<|begin|>", "<|tool_call:name|>", "<|tool_call:args|>"),
        ),
    ),
    (("functools[",), ReplyFormat(family="firefunction", calls=(_json("functools"),))),
    (
        ("<function=", "<|python_tag|>"),
        ReplyFormat(
            family="functionary-3.1",
            calls=(_named("<function=", r'"?(?P<name>[^\s>"]+)"?>\s*', "</function>"), _json("<|python_tag|>")),
        ),
    ),
    (("<|function_call|>",), ReplyFormat(family="gigachat-3.1", calls=(_json("<|function_call|>"),))),
    (
        ("<|message_sep|>", "<|role_sep|>"),
        ReplyFormat(
            family="gigachat-3",
            calls=(_json("<|message_sep|>\n\nfunction call<|role_sep|>\n"),),
            inner=("<|message_sep|>", "<|role_sep|>"),
        ),
    ),
    (
        ("<|tool_call|>",),
        ReplyFormat(
            family="granite-3",
            reasoning=(_THINK, ("Here is my thought process:", "Here is my response:")),
            calls=(_json("<|tool_call|>", several=True), HERMES),
            silent=("<response>", "</response>"),
        ),
    ),
    (("<|tool_call_start|>",), _LFM2),
    (("List of tools: [",), _LFM2),
    (("<|python_tag|>",), _LLAMA3),
    (('{"name": function name, "parameters"',), _LLAMA3),
    (
        ("Here is my thought process:",),
        ReplyFormat(
            family="granite-3.2", reasoning=(("Here is my thought process:", "Here is my response:"),), calls=(HERMES,)
        ),
    ),
)
_DEFAULT = ReplyFormat(
    family="hermes",
    calls=(HERMES, CallSyntax(opening="<function=", closing="</function>", read=read_tagged, whole=True)),
)


def find_format(source: str, special_texts: Sequence[str]) -> ReplyFormat:
    """Return the format of the model with this template; <think> and <tool_call> where nothing tells of another."""
    for texts, reply_format in _FAMILIES:
        if all(text in source for text in texts):
            return reply_format
    # Small models of this family have a template that never writes a call.
    return _LFM2 if "<|tool_call_start|>" in special_texts else _DEFAULT
