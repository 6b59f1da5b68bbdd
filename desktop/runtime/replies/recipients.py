"""Functionary 3.2: a line says whom the following is for: ">>>all" a person, ">>>f" the tool f.

The prompt ends with the first ">>>".
"""

import re
from typing import Literal

from desktop.runtime.replies.arguments import BodyArguments
from desktop.runtime.replies.formats import ReplyFormat
from desktop.runtime.replies.parts import Part, Parts
from desktop.runtime.replies.scanner import Marks
from desktop.runtime.replies.values import Signatures

_LINE = re.compile(r"[ \t]*([\w.-]{1,128})[ \t]*\n")
_BEGINNING = re.compile(r"[ \t]{0,8}[\w.-]{0,128}[ \t]{0,8}\Z")


class RecipientScanner:
    """For Functionary 3.2."""

    def __init__(
        self, _format: ReplyFormat, *, reasoning_open: bool, tools: bool, signatures: Signatures | None = None
    ) -> None:
        self._tools, self._signatures = tools, signatures or Signatures()
        self._marks = Marks((">>>",) if tools else (), breaks=False)
        self._mode: Literal["line", "text", "call"] = "line"
        self._pending = self._before = ""
        self._parts = Parts()
        self._arguments = BodyArguments(self._parts)

    def feed(self, text: str) -> list[Part]:
        """Return the parts that are certain by now."""
        self._pending += text
        while self._pending and (self._read_line() if self._mode == "line" else self._read_body()):
            pass
        return self._parts.take()

    def finish(self) -> list[Part]:
        """Return what was held back."""
        if self._mode == "line":
            self._parts.add("text", self._before + self._pending)
        else:
            self._give(self._pending)
            self._end_body()
        self._pending = ""
        return self._parts.take()

    def _read_line(self) -> bool:
        if match := _LINE.match(self._pending):
            name = match[1]
            if name == "all" or (self._tools and self._signatures.may_be(name)):
                self._mode = "text" if name == "all" else "call"
                self._arguments.begin(name)
                self._before += match[0]
                self._pending = self._pending[match.end() :]
                return True
        elif _BEGINNING.match(self._pending):
            return False
        self._mode = "text"
        self._parts.add("text", self._before)
        return True

    def _read_body(self) -> bool:
        match = self._marks.find(self._pending)
        end = match.start() if match else self._marks.certain(self._pending)
        self._give(self._pending[:end])
        self._pending = self._pending[match.end() if match else end :]
        if match is None:
            return False
        self._end_body()
        self._before = match[0]
        return True

    def _give(self, text: str) -> None:
        if self._mode == "call":
            self._arguments.add(text)
        else:
            self._parts.add("text", text)

    def _end_body(self) -> None:
        if self._mode == "call" and (text := self._arguments.end()) is not None:
            self._parts.add("text", self._before + text)
        self._mode, self._before = "line", ""
