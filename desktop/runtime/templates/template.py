"""Chat templates: from a conversation to the prompt, as the model's own GGUF describes it.

A template is a program that came with a file from the internet; it runs in a sandbox (sandbox.py).

What a person or a model wrote must not become a control token ("<|im_end|>" in a message would end the turn). So each
such text in a message is replaced by a placeholder before the template runs; the prompt is cut at the placeholders,
and those stretches are tokenized without recognising control tokens. Every other message is tokenized exactly as the
template wrote it, so that its tokens are those a plain renderer gives.
"""

import copy
import datetime as dt
import functools
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from desktop.engine.protocol import FailureKind, PromptMessage, Tool
from desktop.runtime.failures import EngineError
from desktop.runtime.replies.formats import ReplyFormat, find_format
from desktop.runtime.templates.sandbox import (
    OUTPUT_LIMIT,
    TIME_LIMIT,
    TemplateRefusedError,
    TemplateTooSlowError,
    compile_template,
    run_template,
)
from desktop.runtime.templates.turns import (
    CLOSE,
    COMPROMISES,
    END_MARK,
    OPEN,
    PLACEHOLDER,
    Shape,
    Shield,
    Turn,
    as_parts,
    describe_tools,
    find_shape,
    fold_system,
    make_turns,
    size_of,
    spell_answers,
    spell_calls,
    spell_tools,
    thoughts_as_parts,
)

SIZE_LIMIT = 8 * 1024 * 1024
"""Characters that a conversation may hold: several times of what the largest contexts take."""
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")


class Stretch(NamedTuple):
    """A piece of the prompt; `literal` text must not be read as control tokens."""

    text: str
    literal: bool


class ChatTemplate:
    """A compiled template. Raises EngineError(BAD_CHAT_TEMPLATE) where it cannot be compiled or rendered."""

    def __init__(self, source: str, *, bos: str, eos: str, special_texts: Sequence[str]) -> None:
        self._source, self._bos, self._eos = source, bos, eos
        self._special_texts = tuple(special_texts)
        self._template = compile_template(source)

    @functools.cached_property
    def reply_format(self) -> ReplyFormat:
        """How the model marks its reasoning and writes its tool calls."""
        return find_format(self._source, self._special_texts)

    def explore(self) -> None:
        """Find out what it takes (50 ms), so that the first conversation does not wait for that.

        Raises EngineError(BAD_CHAT_TEMPLATE) where it is too slow for any conversation.
        """
        try:
            _ = self._shape, self.reply_format
        except TemplateRefusedError as error:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"{type(error).__name__}: {error}") from error

    def render(
        self,
        messages: Sequence[PromptMessage],
        *,
        continue_last: bool = False,
        tools: Sequence[Tool] = (),
        options: Mapping[str, bool | int | str] | None = None,
        media_marker: str = "",
        max_characters: int = SIZE_LIMIT,
    ) -> list[Stretch]:
        """Return the prompt for the next reply, in stretches.

        continue_last: the last message is the beginning of the reply that is wanted, so the prompt ends inside it
        (inside its reasoning, where it has nothing else). options: what the template is told besides.
        media_marker: what stands in the prompt for each attachment; the same text written by a person is a literal
        stretch. max_characters: a larger conversation is refused at once, before anything is done with it.
        Raises EngineError(BAD_CHAT_TEMPLATE | BAD_REQUEST | BAD_MEDIA).
        """
        size = size_of(messages, tools)
        if size > max_characters:
            detail = f"the conversation has {size} characters, at most {max_characters} can be read"
            raise EngineError(FailureKind.BAD_REQUEST, detail)
        shield = Shield(_any_of([*self._special_texts, media_marker, OPEN, CLOSE, END_MARK]))
        turns = make_turns(messages, shield=shield, shape=self._shape, media_marker=media_marker)
        if continue_last and turns:
            _mark_end(turns[-1])
        values = _extras() | dict(options or {}) | self._tool_values(describe_tools(tools, shield))
        turns = self._spell(turns, values["tools"] if tools else None)
        limit = OUTPUT_LIMIT + 2 * size
        prompt = self._try_harder(turns, values | {"add_generation_prompt": not continue_last}, limit)
        if continue_last and END_MARK in prompt:
            prompt = prompt.rpartition(END_MARK)[0]
        elif continue_last:
            prompt = self._think_on(turns, values, limit)
        return list(_stretches(prompt, shield.literals))

    def reasoning_open(self, prompt: Sequence[Stretch], continued: PromptMessage | None = None) -> bool:
        """Whether a rendered prompt ends inside a reasoning block; `continued`: the message that it continues."""
        tail = "".join(stretch.text for stretch in prompt[-8:])
        return self.reply_format.opens_reasoning(
            tail, continued.content if continued else "", bool(continued and continued.reasoning)
        )

    @functools.cached_property
    def _shape(self) -> Shape:
        deadline = time.thread_time() + TIME_LIMIT  # for all attempts together

        def attempt(turns: list[Turn], values: dict[str, Any]) -> str | None:
            try:
                return self._run(turns, _extras() | values | {"add_generation_prompt": False}, OUTPUT_LIMIT, deadline)
            except (EngineError, TemplateRefusedError) as error:
                if isinstance(error.__cause__, TemplateTooSlowError) or time.thread_time() >= deadline:
                    raise
                return None  # that is the answer: it does not take this

        return find_shape(attempt)

    def _think_on(self, turns: list[Turn], values: dict[str, Any], limit: int) -> str:
        """The prompt that ends inside a reasoning that the template leaves out: it is written after the new turn."""
        reasoning = turns[-1].get("reasoning_content", "").removesuffix(END_MARK) if turns else ""
        if not reasoning or turns[-1]["content"] or not self.reply_format.reasoning:
            raise EngineError(
                FailureKind.BAD_CHAT_TEMPLATE, "it leaves the last message out, so it cannot be continued"
            )
        prompt = self._try_harder(turns[:-1], values | {"add_generation_prompt": True}, limit)
        opening = self.reply_format.reasoning[0][0]
        return prompt + ("" if prompt.rstrip().endswith(opening.rstrip()) else opening) + reasoning

    def _spell(self, turns: list[Turn], tools: list[dict[str, Any]] | None) -> list[Turn]:
        """Say in words what the template has no place for."""
        if tools and not self._shape.tools:
            turns = spell_tools(turns, tools)
        if not self._shape.calls:
            turns = spell_calls(turns, self.reply_format.write_call)
        return turns if self._shape.answers else spell_answers(turns)

    def _try_harder(self, turns: list[Turn], values: dict[str, Any], limit: int) -> str:
        """Render; where the template itself refuses, bend the conversation step by step into what it may take."""
        if not self._shape.system:
            turns = fold_system(turns, keep_first=False)
        deadline = time.thread_time() + TIME_LIMIT
        try:
            return self._run(self._wrap(turns), values, limit, deadline)
        except TemplateRefusedError as error:
            refused = error
        for bend in COMPROMISES:
            bent = bend(turns)
            if bent == turns:
                continue
            turns = bent
            try:
                return self._run(self._wrap(turns), values, limit, deadline)
            except TemplateRefusedError:
                continue
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"{type(refused).__name__}: {refused}") from refused

    def _tool_values(self, tools: list[dict[str, Any]] | None) -> dict[str, Any]:
        if tools is None:
            # Some templates walk over what is None, others ask for None: as transformers does, where it works.
            return {"functions": ""} | ({"tools": None} if self._shape.none else {})
        return {"tools": tools, "functions": json.dumps(tools, ensure_ascii=False, indent=4)}

    def _wrap(self, turns: list[Turn]) -> list[Turn]:
        if self._shape.thoughts:
            turns = thoughts_as_parts(turns)
        return as_parts(turns) if self._shape.parts else turns

    def _run(self, turns: list[Turn], values: dict[str, Any], limit: int, deadline: float) -> str:
        # A copy, since a template may change the lists that it gets.
        own = {"bos_token": self._bos, "eos_token": self._eos, "messages": copy.deepcopy(turns)}
        return run_template(self._template, values | own, limit=limit, deadline=deadline)


def fallback_source(special_texts: Sequence[str]) -> str | None:
    """ChatML for a model that has its tokens but no template of its own; None where it would be a guess."""
    return CHATML if all(token in special_texts for token in _CHATML_TOKENS) else None


def _any_of(texts: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in texts if text))


def _extras() -> dict[str, Any]:
    """What llama.cpp tells every template besides (common_chat_extra_context)."""
    now = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).astimezone()
    return {
        "datetime": now.strftime("%b %d %Y"),
        "date_string": now.strftime("%d %b %Y"),
        "enable_thinking": True,
        "functions": "",
    }


def _mark_end(turn: Turn) -> None:
    """Mark where a turn that is continued ends: in its words, or in its reasoning where it came no further."""
    if turn.get("reasoning_content") and not turn["content"]:
        turn["reasoning_content"] = turn["thinking"] = turn["reasoning_content"] + END_MARK
    else:
        turn["content"] += END_MARK


def _stretches(prompt: str, literals: Sequence[str]) -> Iterator[Stretch]:
    for index, text in enumerate(PLACEHOLDER.split(prompt)):
        if index % 2:
            yield Stretch(literals[int(text)], literal=True)
        elif text:
            yield Stretch(text, literal=False)
