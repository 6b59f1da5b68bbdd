"""Harmony, as gpt-oss writes it: every stretch has a header that says what it is and whom it is for.

<|channel|>analysis<|message|>reasoning<|end|>
<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>
<|start|>assistant<|channel|>final<|message|>text
"""

import re
from typing import Literal

from desktop.runtime.replies.arguments import BodyArguments
from desktop.runtime.replies.formats import ReplyFormat
from desktop.runtime.replies.parts import Part, Parts
from desktop.runtime.replies.scanner import Marks
from desktop.runtime.replies.values import Signatures

_MESSAGE = "<|message|>"
_HEADER_LIMIT = 300
"""Characters of the longest header that is believed."""
_BEGINNINGS = ("<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", " to=", "to=", "assistant")
_ENDS = ("<|end|>", "<|call|>", "<|return|>", "<|start|>")
_HEADER = re.compile(
    r"(?:<\|start\|>)?(?:assistant)?(?:\s*to=[A-Za-z0-9_.:-]+)?"
    r"(?:<\|channel\|>(?:analysis|commentary|final)(?:\s*to=[A-Za-z0-9_.:-]+)?\s*(?:<\|constrain\|>)?[a-z]*)*\s*"
)
_RECIPIENT = re.compile(r"to=(?:functions\.)?([^\s<]+)")


class ChannelScanner:
    """For harmony."""

    def __init__(
        self, _format: ReplyFormat, *, reasoning_open: bool, tools: bool, signatures: Signatures | None = None
    ) -> None:
        self._tools = tools
        self._marks = Marks(_ENDS, breaks=False)
        self._mode: Literal["header", "text", "reasoning", "call"] = "reasoning" if reasoning_open else "header"
        self._pending = ""
        self._parts = Parts()
        self._arguments = BodyArguments(self._parts)

    def feed(self, text: str) -> list[Part]:
        """Return the parts that are certain by now."""
        if not self._pending and self._mode in ("text", "reasoning") and self._marks.is_plain(text):
            return [Part("reasoning" if self._mode == "reasoning" else "text", text)] if text else []
        self._pending += text
        while self._pending and (self._read_header() if self._mode == "header" else self._read_body()):
            pass
        return self._parts.take()

    def finish(self) -> list[Part]:
        """Return what was held back."""
        if self._mode == "header":
            self._parts.add("text", self._pending)
        else:
            self._give(self._pending)
            self._end_body()
        self._pending = ""
        return self._parts.take()

    def _read_header(self) -> bool:
        place = self._pending.find(_MESSAGE, 0, _HEADER_LIMIT)
        if self._is_header():
            if place < 0 and len(self._pending) < _HEADER_LIMIT:
                return False
            if place >= 0 and _HEADER.fullmatch(self._pending, 0, place):
                self._begin_body(self._pending[:place])
                self._pending = self._pending[place + len(_MESSAGE) :]
                return True
        elif any(word.startswith(self._pending) for word in _BEGINNINGS):
            return False
        # It goes on with words: the prompt ended inside a message, or the model forgot a header. One character is given
        # out here, so that a mark that begins no header is not found again.
        self._mode = "text"
        self._give(self._pending[0])
        self._pending = self._pending[1:]
        return True

    def _is_header(self) -> bool:
        return self._pending.startswith(_BEGINNINGS)

    def _begin_body(self, header: str) -> None:
        recipient = next((name for name in _RECIPIENT.findall(header) if name != "assistant"), "")
        channel = header.rpartition("<|channel|>")[2]
        if recipient and self._tools:
            self._mode = "call"
            self._arguments.begin(recipient)
        else:
            self._mode = "reasoning" if channel.startswith("analysis") and not recipient else "text"

    def _read_body(self) -> bool:
        match = self._marks.find(self._pending)
        end = match.start() if match else self._marks.certain(self._pending)
        self._give(self._pending[:end])
        if match is None:
            self._pending = self._pending[end:]
            return False
        self._end_body()
        self._pending = self._pending[match.start() if match[0] == "<|start|>" else match.end() :]
        return True

    def _give(self, text: str) -> None:
        if self._mode == "call":
            self._arguments.add(text)
        elif self._mode != "header":
            self._parts.add(self._mode, text)

    def _end_body(self) -> None:
        if self._mode == "call" and (text := self._arguments.end()) is not None:
            self._parts.add("text", text)
        self._mode = "header"
