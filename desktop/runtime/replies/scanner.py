"""Tells a reply's reasoning, its tool calls and its text apart by the marks between them, as they come.

Nothing is read twice: what is certain is given out, what may be the beginning of a mark is held back. A tool call is
told while it is written, though it is known to be one only when it is whole; where it is none, what was told of it is
withdrawn. What turns out to be no mark and no call is text. Only the marks themselves and the line breaks next to them
belong to nothing.
"""

import re
from typing import Literal

from desktop.runtime.replies.calls import AutoCall, CallBody, Verdict, begin_call
from desktop.runtime.replies.formats import HERMES, ReplyFormat
from desktop.runtime.replies.parts import Part, Parts
from desktop.runtime.replies.stops import held_back
from desktop.runtime.replies.values import CallSyntax, Signatures

_BREAKS = "\r\n"


class Marks:
    """Texts to look for."""

    def __init__(self, words: tuple[str, ...], *, breaks: bool) -> None:
        self.words = tuple(dict.fromkeys(sorted(filter(None, words), key=len, reverse=True)))
        self._pattern = re.compile("|".join(map(re.escape, self.words)) or r"\Z.")
        breaks = breaks and bool(self.words)
        firsts = {word[0] for word in self.words} | (set(_BREAKS) if breaks else set())
        self._hot = re.compile(f"[{re.escape(''.join(sorted(firsts)))}]") if firsts else None
        self._breaks = breaks

    def is_plain(self, text: str) -> bool:
        """Whether nothing in `text` can be of interest."""
        return self._hot is None or self._hot.search(text) is None

    def find(self, text: str) -> re.Match[str] | None:
        """The first mark."""
        return self._pattern.search(text)

    def certain(self, text: str) -> int:
        """How many characters do not belong to a mark that may come, nor to line breaks right before one."""
        end = len(text) - held_back(text, self.words)
        return len(text[:end].rstrip(_BREAKS)) if self._breaks else end


class Scanner:
    """For formats with marks; `feed` takes whole characters."""

    def __init__(
        self, reply_format: ReplyFormat, *, reasoning_open: bool, tools: bool, signatures: Signatures | None = None
    ) -> None:
        self._format, self._signatures = reply_format, signatures or Signatures()
        calls = reply_format.calls if tools else ()
        self._calls = {call.opening: call for call in calls if call.opening}
        self._bare = next((call for call in calls if not call.opening), None)
        self._in_text = Marks((*self._calls, *reply_format.silent), breaks=True)
        self._mode: Literal["text", "reasoning", "call"] = "text"
        self._fresh = True  # nothing but blanks since the reply or its next part began: reasoning may begin
        self._swallow = ""  # what is left out at the beginning of what follows
        self._closing = ""
        self._in_reasoning = self._in_text
        self._pending = ""
        self._opening = ""
        self._parts = Parts()
        self._body: CallBody = AutoCall(HERMES, self._signatures, self._parts)  # of the mode "call" only
        if reasoning_open and reply_format.reasoning:
            self._begin_reasoning(reply_format.reasoning[0][1])

    def feed(self, text: str) -> list[Part]:
        """Return the parts that are certain by now."""
        if not self._pending and not self._swallow:
            if self._mode == "text" and not self._fresh and self._in_text.is_plain(text):
                return [Part("text", text)] if text else []
            if self._mode == "reasoning" and self._in_reasoning.is_plain(text):
                return [Part("reasoning", text)] if text else []
        self._pending += text
        self._advance()
        return self._parts.take()

    def finish(self) -> list[Part]:
        """Return what was held back."""
        while self._mode == "call":
            self._end_call(self._body.finish())
            self._advance()
        self._emit(self._pending)
        self._pending = ""
        return self._parts.take()

    def _advance(self) -> None:
        steps = {"text": self._step_text, "reasoning": self._step_reasoning, "call": self._step_call}
        while self._pending and steps[self._mode]():
            pass

    # Each step returns whether there may be more to do with what is pending.

    def _step_text(self) -> bool:
        if self._fresh and self._step_fresh():
            return True
        if self._fresh:
            return False
        match = self._in_text.find(self._pending)
        if match is None:
            return self._hold(self._in_text)
        before = self._pending[: match.start()]
        self._emit(before.rstrip(_BREAKS))
        self._pending = self._pending[match.end() :]
        if match[0] in self._calls:
            self._begin_call(self._calls[match[0]])
        else:
            self._part_begins(_BREAKS)
        return True

    def _step_fresh(self) -> bool:
        """At the beginning of a part; return False while it is not clear what it is."""
        body = self._pending.lstrip()
        if not body:
            return False
        for opening, closing in self._format.reasoning:
            if body.startswith(opening):
                self._pending = body[len(opening) :]
                self._begin_reasoning(closing)
                return True
        if self._bare and body[0] == "{":
            self._pending = body
            self._begin_call(self._bare)
            return True
        if any(opening.startswith(body) for opening, _ in self._format.reasoning):
            return False
        match = self._in_text.find(body)
        if match is not None and match.start() == 0:
            self._pending = body  # blanks before a mark belong to nothing
        elif held_back(body, self._in_text.words) == len(body):
            return False
        self._fresh = False
        return True

    def _step_reasoning(self) -> bool:
        match = self._in_reasoning.find(self._pending)
        if match is None:
            return self._hold(self._in_reasoning)
        self._emit(self._pending[: match.start()].rstrip(_BREAKS))
        # A mark of a call ends the reasoning, and is a mark of the text then.
        self._pending = self._pending[match.end() if match[0] == self._closing else match.start() :]
        self._mode = "text"
        self._part_begins(_BREAKS)
        return True

    def _step_call(self) -> bool:
        text, self._pending = self._pending, ""
        verdict = self._body.feed(text)
        if verdict is not Verdict.MORE:
            self._end_call(verdict)
        return verdict is not Verdict.MORE

    def _hold(self, marks: Marks) -> bool:
        end = marks.certain(self._pending)
        self._emit(self._pending[:end])
        self._pending = self._pending[end:]
        return False

    def _emit(self, text: str) -> None:
        if self._swallow:
            text = text.lstrip(self._swallow)
        if text:
            self._swallow = ""
            self._parts.add("reasoning" if self._mode == "reasoning" else "text", text)

    def _part_begins(self, swallow: str) -> None:
        self._fresh, self._swallow = True, swallow

    def _begin_reasoning(self, closing: str) -> None:
        marks = (*self._calls, *self._format.silent) if self._format.calls_end_reasoning else ()
        self._closing, self._in_reasoning = closing, Marks((closing, *marks), breaks=True)
        self._mode, self._swallow = "reasoning", _BREAKS

    def _begin_call(self, syntax: CallSyntax) -> None:
        self._mode, self._opening = "call", syntax.opening
        self._body = begin_call(syntax, self._signatures, self._parts)

    def _end_call(self, verdict: Verdict) -> None:
        body, self._mode = self._body, "text"
        self._pending = body.rest
        if verdict is Verdict.DONE:
            self._parts.settle(body.calls)
            self._part_begins(" \t\r\n")
        else:
            self._parts.settle(())
            self._fresh = False
            self._emit(self._opening + body.raw)
