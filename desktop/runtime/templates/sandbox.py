"""Where a chat template runs: jinja2's immutable sandbox, with bounds on time, output and products."""

import contextlib
import ctypes
import datetime as dt
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import jinja2
import jinja2.exceptions
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError

TIME_LIMIT = 2.0
"""Seconds that a template may compute."""
_WALL_FACTOR = 2 if sys.platform in ("win32", "darwin") else 8
"""How many times as long it may take by the clock on the wall, which is all there is where another thread cannot ask
how long this one has computed: beside running replies a template waits for the interpreter, and beside other programs
for a core."""
OUTPUT_LIMIT = 16 * 1024 * 1024
"""Characters that a template may write, beyond what the messages hold."""
_LOOK_AGAIN = 0.005
"""Seconds between two looks at a thread whose time is nearly over."""
# An even number of backslashes before it means that the text itself had "\ufdd0" in it.
_ESCAPED_MARK = re.compile(r"\\(?:\\|u(fdd[0-2]))")


class TemplateTooSlowError(Exception):
    """Raised into a template that exceeds its time."""


class TemplateRefusedError(jinja2.TemplateError):
    """What a template says with raise_exception(): it does not take such a conversation."""


class _Missing(jinja2.ChainableUndefined):
    """What is not there is empty, as in llama.cpp: templates rely on members that a tool need not have."""

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, with a bound on what multiplication and powers can build."""

    intercepted_binops = frozenset({"*", "**"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Lists may change by one item: Kimi K2 gathers tool results so. All lists here belong to this rendering."""
        return (attr in ("append", "pop") and isinstance(obj, list)) or super().is_safe_attribute(obj, attr, value)

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


class _Generation(jinja2.ext.Extension):
    """{% generation %} ... {% endgeneration %}: marks the assistant's words for training; here it writes its body."""

    tags = {"generation"}  # noqa: RUF012 - as the base class declares it

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def compile_template(source: str) -> jinja2.Template:
    """Read a template. Raises EngineError(BAD_CHAT_TEMPLATE)."""
    environment = _Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[jinja2.ext.loopcontrols, _Generation],
        undefined=_Missing,
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    try:
        return environment.from_string(source)
    except (jinja2.TemplateError, RecursionError) as error:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, str(error)) from error


def run_template(template: jinja2.Template, values: Mapping[str, Any], *, limit: int, deadline: float) -> str:
    """Return what the template writes; `limit` is in characters, `deadline` a time of this thread's CPU clock.

    Raises TemplateRefusedError where it says no itself, MemoryError where the machine has no memory for it,
    EngineError(BAD_CHAT_TEMPLATE) for everything else.
    """
    try:
        with time_limit(max(deadline - time.thread_time(), 0.001)):
            return _bounded(template.generate(**values), limit)
    except (EngineError, TemplateRefusedError, MemoryError):
        raise  # a template is bounded in what it can build: memory that is missing is no fault of its own
    except TemplateTooSlowError as error:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"it computes longer than {TIME_LIMIT:g} s") from error
    # A template can raise whatever Python can: TypeError, KeyError, OverflowError, RecursionError ...
    except Exception as error:
        raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"{type(error).__name__}: {error}") from error


def _bounded(pieces: Iterator[str], limit: int) -> str:
    out, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > limit:
            raise EngineError(FailureKind.BAD_CHAT_TEMPLATE, f"it writes more than {limit} characters")
        out.append(piece)
    return "".join(out)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TemplateTooSlowError in this thread, between two bytecodes, when the block computes for longer.

    The clock on the wall ends it too, after _WALL_FACTOR times as long. One call into native code cannot be
    interrupted; the heartbeat ends a child that hangs there. Raises MemoryError where the system has no room for the
    watching thread.
    """
    thread, lock, over = threading.get_ident(), threading.Lock(), threading.Event()
    left = _time_left(thread, seconds)

    def watch() -> None:
        with contextlib.suppress(OSError):  # the clock of a thread that has just ended: the block is over, then
            while (wait := left()) > 0:
                if over.wait(max(wait, _LOOK_AGAIN)):
                    return
        with lock:
            if not over.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(TemplateTooSlowError)
                )

    watcher = threading.Thread(target=watch, name="template clock", daemon=True)
    try:
        watcher.start()
    except RuntimeError as error:  # "can't start new thread", as Python words it
        raise MemoryError(str(error)) from error
    try:
        yield
    finally:
        with lock:
            over.set()
        # Takes back an exception that was sent but has not arrived.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)


def _time_left(thread: int, seconds: float) -> Callable[[], float]:
    """What tells the seconds after which a thread may be over its time; 0 or less once it is."""
    began = time.monotonic()
    if sys.platform in ("win32", "darwin"):
        return lambda: seconds * _WALL_FACTOR - (time.monotonic() - began)
    clock = time.pthread_getcpuclockid(thread)
    computed = time.clock_gettime(clock)

    def left() -> float:
        return min(
            seconds - (time.clock_gettime(clock) - computed), seconds * _WALL_FACTOR - (time.monotonic() - began)
        )

    return left


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """The filter as transformers has it (its order of parameters, too)."""
    text = json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_list_of,
    )
    # The marks that stand for literal text must stay marks.
    return _ESCAPED_MARK.sub(_unescape_mark, text) if ensure_ascii else text


def _list_of(value: Any) -> list[Any]:
    """A filter's result ("tools | map(...) | tojson") is a generator."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def _unescape_mark(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else match[0]


def _raise_exception(message: str) -> NoReturn:
    raise TemplateRefusedError(message)


def _strftime_now(pattern: str) -> str:
    return dt.datetime.fromtimestamp(time.time(), tz=dt.UTC).astimezone().strftime(pattern)
