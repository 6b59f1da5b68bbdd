"""What a reply consists of."""

from typing import Literal

import msgspec

PartKind = Literal["text", "reasoning", "tool_call"]


class Part(msgspec.Struct, frozen=True):
    """A stretch of a reply: its answer, its reasoning, or a tool call.

    Of a tool call the name comes first (its text is empty), then its arguments as pieces of JSON text; `index` counts
    the calls of the reply.
    """

    kind: PartKind
    text: str
    index: int = 0
    name: str = ""


class Parts:
    """Gathers the parts of one step; neighbours of one kind become one."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._calls = 0

    def add(self, kind: Literal["text", "reasoning"], text: str) -> None:
        """Add words."""
        if not text:
            return
        if self._parts and self._parts[-1].kind == kind:
            self._parts[-1] = Part(kind, self._parts[-1].text + text)
        else:
            self._parts.append(Part(kind, text))

    def add_call(self, name: str, arguments: str) -> None:
        """Add a whole call."""
        self._parts.append(Part("tool_call", "", self._calls, name))
        self._parts.append(Part("tool_call", arguments, self._calls))
        self._calls += 1

    def take(self) -> list[Part]:
        """Return what was gathered since the last time."""
        parts, self._parts = self._parts, []
        return parts
