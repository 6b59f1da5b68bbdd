"""Tells the arguments of a call while they are being written.

Nothing is judged here: whether it was a call is known when it is whole, and `Parts.settle` puts right what was told.
"""

import re
from collections.abc import Callable

from desktop.runtime.replies.parts import Parts
from desktop.runtime.replies.values import ARGUMENTS, NAMES, Call, is_object, read_name

_PUNCTUATION = re.compile(r'["{}\[\]]')
_STRUCTURE = re.compile(r'["{}\[\]:,]')
_IN_STRING = re.compile(r'["\\]')


class JsonScan:
    """Finds the end of a JSON object or list."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = False

    def find_end(self, text: str, place: int = 0) -> int:
        """Return where the value ends in `text`, which goes on from the last one at `place`; -1: not yet."""
        while place < len(text):
            if self._escaped:
                self._escaped, place = False, place + 1
                continue
            match = (_IN_STRING if self._in_string else _PUNCTUATION).search(text, place)
            if match is None:
                return -1
            place = match.end()
            if self._step(match[0]):
                return place
        return -1

    def _step(self, character: str) -> bool:
        if character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = not self._in_string
        else:
            self._depth += 1 if character in "{[" else -1
        return self._depth == 0 and not self._in_string


class ArgumentFinder:
    """Finds names and arguments inside JSON: an object, alone or in a list, the call in it or in its "function".

    Found is the usual order, the name and then an object of arguments; a call that is written otherwise, and those
    behind it, come when they are whole. eager: a name is told before its arguments begin. may_be: which names are
    believed.
    """

    def __init__(self, parts: Parts, *, eager: bool, may_be: Callable[[str], bool]) -> None:
        self._parts, self._eager, self._may_be = parts, eager, may_be
        self._stack: list[str] = []  # what is open, outside of arguments
        self._item = -1  # how much is open where the keys of a call stand
        self._key = self._name = ""
        self._is_value = self._begun = self._told = self._given_up = False
        self._string: list[str] | None = None  # of the string that is being read
        self._escaped = False
        self._arguments: JsonScan | None = None

    def feed(self, text: str) -> None:
        """Take more of the JSON."""
        place = 0
        while 0 <= place < len(text) and not self._given_up:
            if self._arguments is not None:
                place = self._tell(self._arguments, text, place)
            elif self._string is not None:
                place = self._read_string(self._string, text, place)
            elif match := _STRUCTURE.search(text, place):
                place = match.end()
                self._step(match[0])
            else:
                return

    def _tell(self, scan: JsonScan, text: str, place: int) -> int:
        end = scan.find_end(text, place)
        self._parts.add_arguments(text[place:] if end < 0 else text[place:end])
        if end >= 0:
            self._arguments, self._told = None, True
        return end

    def _read_string(self, pieces: list[str], text: str, place: int) -> int:
        if self._escaped:
            self._escaped = False
            pieces.append(text[place])
            return place + 1
        match = _IN_STRING.search(text, place)
        pieces.append(text[place : match.end() if match else len(text)])
        if match is None:
            return -1
        self._escaped = match[0] == "\\"
        if match[0] == '"':
            self._string = None
            self._end_string("".join(pieces)[:-1])
        return match.end()

    def _end_string(self, raw: str) -> None:
        if len(self._stack) != self._item:
            return
        if not self._is_value:
            self._key = raw
        elif self._key in NAMES and not self._name:
            self._name = read_name(raw)
            self._given_up = not (self._name and self._may_be(self._name))
            if self._eager and not self._given_up:
                self._begin()

    def _step(self, mark: str) -> None:
        if mark == '"':
            self._string = []
        elif mark in "{[":
            self._open(mark)
        elif mark in "}]":
            self._close()
        elif len(self._stack) == self._item:
            self._is_value = mark == ":"

    def _open(self, mark: str) -> None:
        outermost = self._stack in ([], ["["])
        of_item = len(self._stack) == self._item and self._is_value and mark == "{" and not self._told
        if of_item and self._key in ARGUMENTS:
            self._begin_arguments()
            return
        self._stack.append(mark)
        if mark == "{" and outermost:
            self._name, self._begun, self._told = "", False, False
        if (mark == "{" and outermost) or (of_item and self._key == "function"):
            self._item, self._key, self._is_value = len(self._stack), "", False

    def _close(self) -> None:
        if len(self._stack) == self._item:
            self._item = -1
            self._given_up = not self._told
        if self._stack:
            self._stack.pop()

    def _begin_arguments(self) -> None:
        if not self._name:
            self._given_up = True
            return
        if not self._begun:
            self._begin()
        self._arguments = JsonScan()
        self._tell(self._arguments, "{", 0)

    def _begin(self) -> None:
        self._begun = True
        self._parts.begin_call(self._name)


class BodyArguments:
    """Arguments that are all of a stretch of text, in formats where a line or a header before it has the name."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._name = ""
        self._text: list[str] = []
        self._blanks: list[str] = []
        self._begun = self._hopeless = False

    def begin(self, name: str) -> None:
        """What follows is for the tool `name`."""
        self._name, self._begun, self._hopeless = name, False, False
        self._text.clear()
        self._blanks.clear()

    def add(self, text: str) -> None:
        """Take more; blanks around the arguments are not a part of them."""
        self._text.append(text)
        if not self._begun:
            text = text.lstrip()
            if not text or self._hopeless:
                return
            self._hopeless = text[0] != "{"
            if self._hopeless:
                return
            self._begun = True
            self._parts.begin_call(self._name)
        told = text.rstrip()
        if told:
            self._parts.add_arguments("".join(self._blanks) + told)
            self._blanks.clear()
        self._blanks.append(text[len(told) :])

    def end(self) -> str | None:
        """Nothing follows; return the text where it was no call, None where it was one."""
        text = "".join(self._text)
        self._text.clear()
        if is_object(text):
            self._parts.settle([Call(self._name, text.strip())])
            return None
        self._parts.settle(())
        return text
