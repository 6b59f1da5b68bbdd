"""Chat templates: from a conversation to the prompt, as the model's own GGUF describes it.

A template is a program that came with a file from the internet. It runs in jinja2's immutable sandbox, in the child,
with a bound on its time and on its output.

What a person or a model wrote must not become a control token ("<|im_end|>" in a message would end the turn). So each
such text in a message is replaced by a placeholder before the template runs; the prompt is cut at the placeholders,
and those stretches are tokenized without recognising control tokens. Every other message is tokenized exactly as the
template wrote it, so that its tokens are those a plain renderer gives.
"""

import ctypes
import datetime as dt
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import jinja2
import jinja2.exceptions
import jinja2.ext
import jinja2.sandbox

from desktop.engine.protocol import FailureKind, PromptMessage
from desktop.runtime.failures import EngineError

TIME_LIMIT = 2.0
"""Seconds that a template may take."""
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Characters that a template may write, beyond what the messages hold."""
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
# Noncharacters of Unicode: they never occur in text that is meant to be read.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_PLACEHOLDER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_END_MARK = "\ufdd2"


class Stretch(NamedTuple):
    """A piece of the prompt; `literal` text must not be read as control tokens."""

    text: str
    literal: bool


class TemplateTooSlowError(Exception):
    """Raised into a template that exceeds its time."""


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, with a bound on what multiplication and powers can build."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and not (abs(left) < 1_000_000 and abs(right) < 64):
            raise jinja2.exceptions.SecurityError("a power this large is not allowed")
        if operator == "*" and _product_size(left, right) > OUTPUT_LIMIT:
            raise jinja2.exceptions.SecurityError("a repetition this long is not allowed")
        return super().call_binop(context, operator, left, right)


def _product_size(left: Any, right: Any) -> int:
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(count, int):
            return len(sequence) * count
    return 0


class ChatTemplate:
    """A compiled template. Raises EngineError(BAD_CHAT_TEMPLATE) where it cannot be compiled or rendered."""

    def __init__(self, source: str, *, bos: str, eos: str, special_texts: Sequence[str]) -> None:
        self._bos, self._eos = bos, eos
        forbidden = "|".join(map(re.escape, [*special_texts, _OPEN, _CLOSE, _END_MARK]))
        self._forbidden = re.compile(forbidden)
        environment = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
        environment.filters["tojson"] = _to_json
        environment.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
        try:
            self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, str(error)) from error

    def render(self, messages: Sequence[PromptMessage], *, continue_last: bool = False) -> list[Stretch]:
        """Return the prompt for the next reply, in stretches.

        continue_last: the last message is the beginning of the reply that is wanted, so the prompt ends inside it.
        """
        literals: list[str] = []
        turns = [{"role": message.role, "content": self._shield(message.content, literals)} for message in messages]
        if continue_last and turns:
            turns[-1]["content"] += _END_MARK
        prompt = self._run(turns, add_generation_prompt=not continue_last)
        if continue_last:
            prompt = _cut_at_mark(prompt)
        return list(_stretches(prompt, literals))

    def _shield(self, content: str, literals: list[str]) -> str:
        def replace(match: re.Match[str]) -> str:
            literals.append(match[0])
            return f"{_OPEN}{len(literals) - 1}{_CLOSE}"

        return self._forbidden.sub(replace, content)

    def _run(self, turns: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        limit = OUTPUT_LIMIT + sum(len(turn["content"]) for turn in turns) * 2
        values = {"messages": turns, "add_generation_prompt": add_generation_prompt, "tools": None}
        try:
            with time_limit(TIME_LIMIT):
                return _bounded(self._template.generate(bos_token=self._bos, eos_token=self._eos, **values), limit)
        except EngineError:
            raise
        except TemplateTooSlowError as error:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"it takes longer than {TIME_LIMIT:g} s") from error
        # A template can raise whatever Python can: TypeError, KeyError, OverflowError, RecursionError ...
        except Exception as error:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"{type(error).__name__}: {error}") from error


def fallback_source(special_texts: Sequence[str]) -> str | None:
    """ChatML for a model that has its tokens but no template of its own; None where it would be a guess."""
    return CHATML if all(token in special_texts for token in _CHATML_TOKENS) else None


def _bounded(pieces: Iterator[str], limit: int) -> str:
    out, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > limit:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"it writes more than {limit} characters")
        out.append(piece)
    return "".join(out)


def _cut_at_mark(prompt: str) -> str:
    before, mark, _after = prompt.rpartition(_END_MARK)
    if not mark:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, "it leaves the last message out, so it cannot be continued")
    return before


def _stretches(prompt: str, literals: Sequence[str]) -> Iterator[Stretch]:
    for index, text in enumerate(_PLACEHOLDER.split(prompt)):
        if index % 2:
            yield Stretch(literals[int(text)], literal=True)
        elif text:
            yield Stretch(text, literal=False)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TemplateTooSlowError in this thread, between two bytecodes, when the block takes longer; on every system.

    One call into native code cannot be interrupted; the heartbeat ends a child that hangs there.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), False

    def interrupt() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(TemplateTooSlowError)
                )

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()
        # Takes back an exception that was sent but has not arrived.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)


def _to_json(value: Any, indent: int | None = None, **_options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).astimezone().strftime(pattern)
