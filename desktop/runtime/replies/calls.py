"""Reads one tool call out of a stream.

Arguments in JSON are told to `parts` while they come; what is written otherwise is read when it is whole.
"""

import enum
import re

import msgspec

from desktop.runtime.replies.arguments import ArgumentFinder, JsonScan
from desktop.runtime.replies.parts import Parts
from desktop.runtime.replies.stops import held_back
from desktop.runtime.replies.values import (
    Call,
    CallSyntax,
    Reader,
    Signatures,
    calls_of,
    read_json,
    read_keyed,
    read_tagged,
)

_BLANK = r"\s*"
_HEAD_LIMIT = 256
"""Characters within which a call's JSON begins: the longest name and id that are believed."""
# How a call begins that has no mark before it: anything else is an answer in JSON, which is not held back to its end.
_BARE = re.compile(r'[\[{\s]{1,30}"(?:name|type|function|tool_name|id|parameters|arguments)"')
_BARE_BEGINNING = re.compile(r'[\[{\s]{0,30}(?:"[a-z_]{0,10})?\Z')


class Verdict(enum.Enum):
    """How far a call is: not whole, whole, or no call at all."""

    MORE = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


class JsonCall:
    """A call whose arguments, or which as a whole, is JSON."""

    def __init__(self, syntax: CallSyntax, signatures: Signatures, parts: Parts) -> None:
        self._syntax, self._signatures, self._parts = syntax, signatures, parts
        self._head_pattern = re.compile(syntax.head)
        self._named = "name" in self._head_pattern.groupindex
        self._head: str | None = ""
        self._name = ""
        # Without a mark before it only arguments make a call of JSON, and only of a tool that there is.
        may_be = signatures.may_be if not syntax.opening else bool
        finder = ArgumentFinder(parts, eager=bool(syntax.opening), may_be=may_be)
        self._tell = parts.add_arguments if self._named else finder.feed
        self._raw: list[str] = []
        self._values: list[str] = []
        self._chunks: list[str] = []
        self._scan: JsonScan | None = None
        self._believed = bool(syntax.opening)
        self._tail = ""
        self.rest = ""
        self.calls: list[Call] = []

    @property
    def raw(self) -> str:
        """What was read so far, for a call that turns out to be none."""
        return "".join(self._raw) + "".join(self._chunks) + self._tail

    def feed(self, text: str) -> Verdict:
        """Take more; after DONE or FAILED `rest` is what does not belong to it."""
        if self._head is not None:
            text = self._head + text
            if verdict := self._read_head(text):
                return verdict
            text = text[len(self._raw[0]) :]
        while True:
            if self._scan is None:
                verdict, text = self._read_tail(self._tail + text)
                if verdict:
                    return verdict
                continue
            end = self._scan.find_end(text)
            chunk = text if end < 0 else text[:end]
            self._chunks.append(chunk)
            self._tell(chunk)
            if end < 0:
                return self._doubt()
            text = text[end:]
            self._end_value()

    def finish(self) -> Verdict:
        """Nothing follows."""
        if self._head is not None:
            self._raw.append(self._head)
            return Verdict.FAILED
        if self._scan:
            return Verdict.FAILED
        return self._judge("", closed=self._tail)

    def _read_head(self, text: str) -> Verdict | None:
        begin = next((i for i, letter in enumerate(text[: _HEAD_LIMIT + 1]) if self._begins(letter)), -1)
        head = text if begin < 0 else text[:begin]
        hopeless = self._syntax.head == _BLANK and head.strip()
        if begin < 0 and len(text) <= _HEAD_LIMIT and not hopeless:
            self._head = text
            return Verdict.MORE
        match = self._head_pattern.fullmatch(head)
        if begin < 0 or match is None:
            self.rest = text
            return Verdict.FAILED
        if self._named:
            self._name = match["name"]
            self._parts.begin_call(self._name)
        self._head = None
        self._raw.append(head)
        self._scan = JsonScan()
        return None

    def _begins(self, letter: str) -> bool:
        return letter == "{" or (letter == "[" and not self._named)

    def _doubt(self) -> Verdict:
        """Without an opening mark, let go of JSON that does not begin as a call does."""
        if self._believed or self._values:
            return Verdict.MORE
        text = "".join(self._chunks)
        self._believed = _BARE.match(text) is not None
        if self._believed or _BARE_BEGINNING.match(text):
            return Verdict.MORE
        self._chunks.clear()
        self.rest = "".join(self._raw) + text
        self._raw.clear()
        return Verdict.FAILED

    def _end_value(self) -> None:
        value = "".join(self._chunks)
        self._values.append(value)
        self._raw.append(value)
        self._chunks.clear()
        self._scan = None

    def _read_tail(self, tail: str) -> tuple[Verdict | None, str]:
        """What follows a value: a verdict, or None and the text that the next value begins with."""
        closing, several = self._syntax.closing, self._syntax.several
        if not closing and not several:
            return self._judge(tail), ""
        follows = tail.lstrip()
        if not (closing and follows.startswith(closing)):  # some wrap the JSON in a block of code
            follows = follows.lstrip("` \t\r\n" + (",;" if several else ""))
        if not follows or (closing and closing != follows and closing.startswith(follows)):
            self._tail = tail
            return Verdict.MORE, ""
        blanks = tail[: len(tail) - len(follows)]
        if several and follows[0] in "{[":
            self._tail = ""
            self._raw.append(blanks)
            self._scan = JsonScan()
            return None, follows
        if closing and follows.startswith(closing):
            return self._judge(follows[len(closing) :], closed=blanks + closing), ""
        return self._judge(tail), ""

    def _judge(self, rest: str, closed: str = "") -> Verdict:
        self.rest = rest
        calls = self._read()
        if calls:
            self.calls = calls
            return Verdict.DONE
        self._raw.append(closed)
        self._tail = ""
        return Verdict.FAILED

    def _read(self) -> list[Call] | None:
        try:
            values = [read_json(value) for value in self._values]
        except ValueError:
            return None
        if self._named:
            return [Call(self._name, self._values[0])]
        return calls_of(values, self._signatures, strict=not self._syntax.opening)


class MarkedCall:
    """A call that is read as a whole once its closing mark came."""

    def __init__(
        self, closing: str, read: Reader, inside: tuple[str, str], signatures: Signatures, whole: tuple[str, str]
    ) -> None:
        self._closing, self._read, self._signatures = closing, read, signatures
        self._inside, self._whole = inside, whole
        self._is_inside = False
        marks = [mark for mark in (closing, *inside) if mark]
        self._words = tuple(marks)
        self._marks = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))))
        self._chunks: list[str] = []
        self._pending = ""
        self.rest = ""
        self.calls: list[Call] = []

    @property
    def raw(self) -> str:
        """What was read so far."""
        return "".join(self._chunks) + self._pending

    def feed(self, text: str) -> Verdict:
        """Take more; after DONE or FAILED `rest` is what does not belong to it."""
        self._pending += text
        while match := self._marks.search(self._pending):
            if match[0] == self._closing and not self._is_inside:
                return self._close(match)
            if match[0] != self._closing:
                self._is_inside = match[0] == self._inside[0] and not (match[0] == self._inside[1] and self._is_inside)
            self._move(match.end())
        self._move(len(self._pending) - held_back(self._pending, self._words))
        return Verdict.MORE

    def finish(self) -> Verdict:
        """Nothing follows: a call that only lacks its closing mark is whole."""
        return self._judge(self._whole[0] + self.raw)

    def _move(self, end: int) -> None:
        if end:
            self._chunks.append(self._pending[:end])
            self._pending = self._pending[end:]

    def _close(self, match: re.Match[str]) -> Verdict:
        body = self._whole[0] + "".join(self._chunks) + self._pending[: match.start()] + self._whole[1]
        self.rest = self._pending[match.end() :]
        verdict = self._judge(body)
        self._move(match.end())
        self._pending = ""
        return verdict

    def _judge(self, body: str) -> Verdict:
        self.calls = self._read(body, self._signatures) or []
        return Verdict.DONE if self.calls else Verdict.FAILED


class AutoCall:
    """<tool_call> of any family: JSON, Qwen3-Coder's tags or GLM's keys, as it begins."""

    def __init__(self, syntax: CallSyntax, signatures: Signatures, parts: Parts) -> None:
        self._syntax, self._signatures, self._parts = syntax, signatures, parts
        self._begun = ""
        self._body: JsonCall | MarkedCall | None = None

    @property
    def raw(self) -> str:
        """What was read so far."""
        return self._body.raw if self._body else self._begun

    @property
    def rest(self) -> str:
        """What does not belong to it."""
        return self._body.rest if self._body else ""

    @property
    def calls(self) -> list[Call]:
        """What was called."""
        return self._body.calls if self._body else []

    def feed(self, text: str) -> Verdict:
        """Take more."""
        if self._body is None:
            self._begun = text = self._begun + text
            if not text.strip():
                return Verdict.MORE
            self._body = self._choose(text.lstrip()[0])
        return self._body.feed(text)

    def finish(self) -> Verdict:
        """Nothing follows."""
        return self._body.finish() if self._body else Verdict.FAILED

    def _choose(self, first: str) -> "JsonCall | MarkedCall":
        syntax, signatures = self._syntax, self._signatures
        if first in "{[":
            return JsonCall(msgspec.structs.replace(syntax, head=_BLANK), signatures, self._parts)
        if syntax.head != _BLANK:
            return JsonCall(syntax, signatures, self._parts)
        if first == "<":
            return MarkedCall(syntax.closing, read_tagged, ("<parameter=", "</parameter>"), signatures, ("", ""))
        return MarkedCall(syntax.closing, read_keyed, ("<arg_value", "</arg_value"), signatures, ("", ""))


CallBody = JsonCall | MarkedCall | AutoCall


def begin_call(syntax: CallSyntax, signatures: Signatures, parts: Parts) -> CallBody:
    """A reader for the call that begins after the opening mark."""
    if syntax.auto:
        return AutoCall(syntax, signatures, parts)
    if syntax.read is not None:
        whole = (syntax.opening, syntax.closing) if syntax.whole else ("", "")
        return MarkedCall(syntax.closing, syntax.read, syntax.inside, signatures, whole)
    return JsonCall(syntax, signatures, parts)
