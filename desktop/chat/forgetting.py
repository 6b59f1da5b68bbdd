"""What was deleted is not kept by the engine either: the trash holds words, not the states that were made of them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from desktop.chat.store import ChatStore
from desktop.engine.failure import EngineError
from desktop.engine.protocol import ConversationsForgotten, LoadedModel

_log = logging.getLogger(__name__)


class ForgetfulEngine(Protocol):
    """What is needed of desktop.engine.client.EngineClient."""

    @property
    def loaded(self) -> LoadedModel | None:
        """The model that answers."""

    async def forget_conversations(self, conversations: Sequence[str] | None) -> ConversationsForgotten:
        """Drop what is kept of these. Raises EngineError."""


async def forget_deleted(store: ChatStore, engine: ForgetfulEngine) -> None:
    """Let the engine drop, in memory and on the disk, what it keeps of conversations in the trash.

    To be called when one was deleted and when a model was loaded: without a model nobody can be asked, and what an
    engine did not do because it crashed, the next load does. Brought back, a conversation is read once more, no worse.
    Raises what the store raises.
    """
    if engine.loaded is None:
        return
    names = [conversation.id for conversation in await asyncio.to_thread(store.conversations, trashed=True)]
    if not names:
        return
    try:
        forgotten = await engine.forget_conversations(names)
    except EngineError as error:
        _log.warning("deleted conversations are forgotten when a model is loaded next: %s", error)
    else:
        _log.info("%d kept states of deleted conversations were dropped", forgotten.entries)
        if forgotten.left:
            _log.warning("%d files with words of deleted conversations could not be removed", forgotten.left)
