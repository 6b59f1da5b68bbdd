"""What a reply consists of."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from desktop.runtime.replies.values import Call, same_arguments

PartKind = Literal["text", "reasoning", "tool_call"]


class Part(msgspec.Struct, frozen=True):
    """A stretch of a reply: its answer, its reasoning, or a tool call.

    Of a tool call the name comes first (its text is empty), then its arguments as pieces of JSON text; `index` counts
    the calls of the reply. withdrawn: what was said of this call is void, and the number is not used again.
    """

    kind: PartKind
    text: str
    index: int = 0
    name: str = ""
    withdrawn: bool = False


class _Told:
    """A call that was begun, and is not known to be one until it is whole."""

    __slots__ = ("arguments", "index", "name")

    def __init__(self, index: int, name: str) -> None:
        self.index, self.name, self.arguments = index, name, list[str]()


class Parts:
    """Gathers the parts of one step; neighbours of one kind become one.

    A call is told while it is written: `begin_call`, `add_arguments`, ... `settle` with what it was in the end.
    """

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._calls = 0
        self._told: list[_Told] = []

    def add(self, kind: Literal["text", "reasoning"], text: str) -> None:
        """Add words."""
        if not text:
            return
        if self._parts and self._parts[-1].kind == kind:
            self._parts[-1] = Part(kind, self._parts[-1].text + text)
        else:
            self._parts.append(Part(kind, text))

    def begin_call(self, name: str) -> None:
        """Tell the name of a call that is being written."""
        self._told.append(_Told(self._calls, name))
        self._parts.append(Part("tool_call", "", self._calls, name))
        self._calls += 1

    def add_arguments(self, text: str) -> None:
        """Tell more of the arguments of the call that was begun last."""
        if not text:
            return
        told = self._told[-1]
        told.arguments.append(text)
        last = self._parts[-1] if self._parts else None
        if last is not None and last.kind == "tool_call" and not last.name:
            self._parts[-1] = Part("tool_call", last.text + text, told.index)
        else:
            self._parts.append(Part("tool_call", text, told.index))

    def settle(self, calls: Sequence[Call]) -> None:
        """What was begun turned out to be `calls`: complete what was told of them, withdraw what was told wrongly."""
        told, self._told = self._told, []
        right = 0
        while right < min(len(told), len(calls)) and self._complete(told[right], calls[right]):
            right += 1
        for call in reversed(told[right:]):
            self._withdraw(call)
        for whole in calls[right:]:
            self.begin_call(whole.name)
            self.add_arguments(whole.arguments)
        self._told.clear()

    def take(self) -> list[Part]:
        """Return what was gathered since the last time."""
        parts, self._parts = self._parts, []
        return parts

    def _complete(self, told: _Told, call: Call) -> bool:
        """Whether a call was told as it is, but for arguments of which nothing was told yet: those are added."""
        if told.name == call.name and not told.arguments:
            self._parts.append(Part("tool_call", call.arguments, told.index))
            return True
        return told.name == call.name and same_arguments("".join(told.arguments), call.arguments)

    def _withdraw(self, told: _Told) -> None:
        heard = [part for part in self._parts if part.kind != "tool_call" or part.index != told.index]
        if any(part.name and part.index == told.index for part in self._parts):
            self._parts, self._calls = heard, told.index  # nobody has heard of it
        else:
            self._parts = [*heard, Part("tool_call", "", told.index, withdrawn=True)]
