"""docs/protocol.md, made from the declarations: `python -m tests.support.protocol_document` writes it."""

import enum
import inspect
import types
import typing
from collections.abc import Iterable
from pathlib import Path

import msgspec

from desktop.engine import protocol
from desktop.engine.failure import explain_failure
from desktop.engine.protocol import AppMessage, EngineFailure, EngineMessage, FailureKind

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "protocol.md"

MARK = "<!-- Made from the declarations from here on. -->\n"


def introduction() -> str:
    """What a person wrote: everything before the mark."""
    return DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]


def protocol_document() -> str:
    """The whole document, as Markdown: the introduction as it is, and every declaration."""
    commands, events = typing.get_args(AppMessage), typing.get_args(EngineMessage)
    parts = [
        introduction() + MARK,
        "## Commands: what the app says\n",
        *map(_struct_section, commands),
        "## Events: what the child says\n",
        *map(_struct_section, events),
        "## Values\n",
        *map(_struct_section, _values()),
        *map(_enum_section, _enums()),
    ]
    return "\n".join(parts)


def _declared() -> Iterable[typing.Any]:
    return (getattr(protocol, name) for name in sorted(protocol.__all__))


def _values() -> list[type[msgspec.Struct]]:
    """Structs that are no messages."""
    structs = [kind for kind in _declared() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    return [kind for kind in structs if not issubclass(kind, protocol.Command | protocol.Event)]


def _enums() -> list[type[enum.Enum]]:
    return [kind for kind in _declared() if isinstance(kind, type) and issubclass(kind, enum.Enum)]


def _struct_section(kind: type[msgspec.Struct]) -> str:
    fields = msgspec.structs.fields(kind)
    text = f"### {kind.__name__}\n\n{_words(kind)}\n"
    if not fields:
        return text
    rows = [f"| `{field.encode_name}` | {_type_name(field.type)} | {_default(field)} |" for field in fields]
    return text + "\n| field | type | default |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _enum_section(kind: type[enum.Enum]) -> str:
    text = f"### {kind.__name__}\n\n{_words(kind)}\n\n"
    if kind is not FailureKind:
        return text + ", ".join(f"`{_json(member.value)}`" for member in kind) + "\n"
    rows = [f"| `{_json(member.value)}` | {_failure_words(member)} |" for member in FailureKind]
    return text + "| value | what a person is told |\n|---|---|\n" + "\n".join(rows) + "\n"


def _failure_words(kind: FailureKind) -> str:
    return _escaped(type(explain_failure(EngineFailure(kind=kind))).message)


def _words(kind: type) -> str:
    """The docstring: paragraphs stay, lines within one are joined."""
    paragraphs = (inspect.getdoc(kind) or "").split("\n\n")
    return "\n\n".join(_escaped(" ".join(paragraph.split())) for paragraph in paragraphs)


def _escaped(text: str) -> str:
    return text.replace("*", r"\*").replace("<", r"\<").replace("|", r"\|")


def _type_name(kind: typing.Any) -> str:
    """A type as it looks on the wire."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return ", ".join(f"`{_json(value)}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_type_name, arguments))
    if origin in _CONTAINERS:
        return f"{_CONTAINERS[origin]} of {_type_name(arguments[-1 if origin is dict else 0])}"
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind.__module__.startswith(protocol.__name__):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return str(kind.__name__)


_SCALARS: dict[typing.Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    bytes: "bytes",
    type(None): "null",
}
_CONTAINERS: dict[typing.Any, str] = {tuple: "list", dict: "object"}


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{_json(field.default_factory())}`"
    if field.default is msgspec.NODEFAULT:
        return "-"
    if isinstance(field.default, msgspec.Struct):
        return "its defaults"
    return f"`{_json(field.default)}`"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    DOCUMENT.write_text(protocol_document(), encoding="utf-8")
