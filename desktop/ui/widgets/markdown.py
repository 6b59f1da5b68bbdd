"""Markdown as blocks, read while it is still being written. Knows no Qt.

Raw HTML is text. Nothing here or in what draws it ever fetches an address.
"""

from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Block(NamedTuple):
    """One top-level block of a text: prose (its tokens), or a fenced or indented piece of code."""

    kind: Literal["prose", "code"]
    tokens: tuple[Token, ...]
    code: str = ""
    language: str = ""


class Update(NamedTuple):
    """What a longer text means: blocks that are final now, and the last block, which may still change."""

    final: tuple[Block, ...]
    tail: Block | None


def _make_parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "typographer": False}).enable(["table", "strikethrough"])


_PARSER = _make_parser()


class MarkdownStream:
    """Parses a growing text; what lies before the last block is never parsed again.

    A top-level block is final as soon as another one has begun after it: markdown only ever changes the last one.
    """

    def __init__(self) -> None:
        self._done = 0
        self._text = ""

    def update(self, text: str) -> Update:
        """Take the whole text so far, which begins with all of the last one. Raises ValueError when it does not."""
        if not text.startswith(self._text):
            raise ValueError("the text does not continue the one before")
        self._text = text
        rest = text[self._done :]
        tokens = _PARSER.parse(rest)
        blocks = _top_level(tokens)
        if not blocks:
            return Update((), None)
        last_line = blocks[-1][0]
        self._done += _offset_of_line(rest, last_line)
        return Update(tuple(block for _, block in blocks[:-1]), blocks[-1][1])


def parse(text: str) -> tuple[Block, ...]:
    """All blocks of a finished text."""
    return tuple(block for _, block in _top_level(_PARSER.parse(text)))


def _top_level(tokens: list[Token]) -> list[tuple[int, Block]]:
    """Group tokens into top-level blocks, each with the line it begins on."""
    blocks: list[tuple[int, Block]] = []
    start = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting >= 0:
            start = index
        if token.level == 0 and token.nesting <= 0:
            first = tokens[start]
            line = first.map[0] if first.map else 0
            blocks.append((line, _block(tuple(tokens[start : index + 1]))))
    return blocks


def _block(tokens: tuple[Token, ...]) -> Block:
    first = tokens[0]
    if first.type in ("fence", "code_block"):
        words = first.info.split()
        return Block("code", tokens, first.content.rstrip("\n"), words[0] if words else "")
    return Block("prose", tokens)


def _offset_of_line(text: str, line: int) -> int:
    """Where `line` begins. markdown-it counts only line feeds after it made every line end one."""
    offset = 0
    for _ in range(line):
        offset = _next_line(text, offset)
    return offset


def _next_line(text: str, offset: int) -> int:
    ends = [end for end in (text.find("\n", offset), text.find("\r", offset)) if end >= 0]
    if not ends:
        return len(text)
    end = min(ends)
    return end + 2 if text[end : end + 2] == "\r\n" else end + 1
