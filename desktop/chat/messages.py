"""Conversations and messages as pure values. Times are seconds since 1970 (UTC); ids are given by the store."""

import unicodedata
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from desktop.engine.protocol import FinishReason, GenerationStats, PromptMessage, Role
from desktop.errors import Phrase

TITLE_WIDTH = 60
"""Columns of a title made from a message; a Chinese character takes two."""


class MessageState(StrEnum):
    """What became of a message.

    INTERRUPTED: the engine or the program ended in the middle. STOPPED: the person did, or the context was full.
    FAILED: an error that `failure` explains. In each case the text that was there is kept.
    """

    COMPLETE = "complete"
    STREAMING = "streaming"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"
    FAILED = "failed"


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation. `draft` is what was typed and not sent; `trashed` the time it was deleted, if it was."""

    id: str
    title: str
    created: float
    updated: float
    model: str = ""
    system_prompt: str = ""
    draft: str = ""
    trashed: float | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a reply failed, to be translated at the edge: what happened, and what to do."""

    message: Phrase
    hint: Phrase


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation.

    parent: the message it answers or follows; messages with the same parent are versions of each other, counted from 1.
    reasoning: what a reasoning model thought before it spoke; it is not sent back to the model.
    model: the name of the model that wrote it; "" for the person's own.
    """

    id: str
    conversation_id: str
    role: Role
    text: str
    created: float
    state: MessageState = MessageState.COMPLETE
    parent: str | None = None
    version: int = 1
    reasoning: str = ""
    model: str = ""
    stats: GenerationStats | None = None
    finish_reason: FinishReason | None = None
    failure: Failure | None = None


def prompt_of(system_prompt: str, messages: Iterable[Message]) -> tuple[PromptMessage, ...]:
    """Return what the model is shown: the system prompt first, then every message that says something.

    Neighbours of one role become one message (a reply without a word leaves two of the person's in a row, which many
    chat templates refuse); no text is left out.
    """
    prompt = [PromptMessage(role="system", content=system_prompt)] if system_prompt.strip() else []
    for message in messages:
        if not message.text:
            continue
        if prompt and prompt[-1].role == message.role != "system":
            joined = f"{prompt[-1].content}\n\n{message.text}"
            prompt[-1] = PromptMessage(role=message.role, content=joined)
        else:
            prompt.append(PromptMessage(role=message.role, content=message.text))
    return tuple(prompt)


def make_title(text: str) -> str:
    """Return a title from the first line that says something, cut at a word where words have borders."""
    line = next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "")
    end = _fitting(line, TITLE_WIDTH)
    if end == len(line):
        return line
    end = _fitting(line, TITLE_WIDTH - 1)
    space = line.rfind(" ", 0, end + 1)
    # Chinese and Japanese have no spaces: there a far-off space is not where a word ends.
    if space > end // 2:
        end = space
    return line[:end].rstrip(" ,;:.，。、；：") + "…"


def _fitting(line: str, columns: int) -> int:
    """How many characters of `line` fit into `columns`, without cutting an accent or a joined emoji off its base."""
    width = 0
    for index, character in enumerate(line):
        width += _width(character)
        if width > columns:
            while index > 0 and (_joins(line[index]) or line[index - 1] == "\u200d"):
                index -= 1  # noqa: PLW2901 - the search ends here
            return index
    return len(line)


def _width(character: str) -> int:
    if _joins(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _joins(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Mc", "Cf"} or "\U0001f3fb" <= character <= "\U0001f3ff"
