"""The way of a reply's text: tokens -> whole characters -> stop strings -> reasoning, tool calls and text."""

from collections.abc import Sequence
from typing import Protocol

from desktop.engine.protocol import Tool
from desktop.runtime.replies.channels import ChannelScanner
from desktop.runtime.replies.formats import ReplyFormat
from desktop.runtime.replies.parts import Part
from desktop.runtime.replies.recipients import RecipientScanner
from desktop.runtime.replies.scanner import Scanner
from desktop.runtime.replies.stops import StopFilter
from desktop.runtime.replies.values import Signatures
from desktop.runtime.vocabulary import TextDecoder


class Words(Protocol):
    """What a reader needs of a vocabulary."""

    def piece(self, token: int) -> bytes:
        """The bytes a token adds to the text; nothing for control tokens."""

    def tokenize(self, text: str, *, add_bos: bool = False, parse_special: bool = False) -> list[int]:
        """The tokens of a text."""


class ReplyReader:
    """Reads one reply, token by token; `stopped` once a stop string was found.

    As in llama-server, stop strings are looked for in all that the model writes, reasoning and calls included, and the
    control tokens that the format names are a part of that. tools: False reads the marks of calls as text.
    signatures: the tools, where they are known: they tell the types of values that are written without quotes.
    """

    def __init__(
        self,
        vocabulary: Words,
        reply_format: ReplyFormat,
        *,
        stops: tuple[str, ...],
        reasoning_open: bool,
        tools: bool,
        signatures: Sequence[Tool] = (),
    ) -> None:
        self._piece = vocabulary.piece
        self._marks = dict(_control_marks(vocabulary, reply_format))
        self._decoder = TextDecoder()
        self._stops = StopFilter(stops)
        self.may_stop = any(stops)
        """Whether a text can end the reply."""
        kind = ChannelScanner if reply_format.channels else RecipientScanner if reply_format.recipients else Scanner
        known = Signatures(signatures)
        self._scanner = kind(reply_format, reasoning_open=reasoning_open, tools=tools, signatures=known)

    @property
    def stopped(self) -> bool:
        """Whether a stop string ended the reply."""
        return self._stops.stopped

    def feed(self, token: int) -> list[Part]:
        """Take a token; return the parts that are certain by now."""
        text = self._decoder.feed(self._marks.get(token) or self._piece(token))
        if text and (text := self._stops.feed(text)):
            return self._scanner.feed(text)
        return []

    def finish(self) -> list[Part]:
        """Return everything that was held back. Call it once, at the end."""
        text = self._stops.feed(self._decoder.finish()) + self._stops.finish()
        return [*self._scanner.feed(text), *self._scanner.finish()]


def _control_marks(vocabulary: Words, reply_format: ReplyFormat) -> list[tuple[int, bytes]]:
    """The control tokens that must be rendered, since the format names their text."""
    found = []
    for mark in reply_format.marks:
        tokens = vocabulary.tokenize(mark, parse_special=True)
        if len(tokens) == 1 and not vocabulary.piece(tokens[0]):
            found.append((tokens[0], mark.encode()))
    return found
