"""The replies that are being written, one per conversation at most; each goes on while another chat is looked at."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.chat.messages import Message
from desktop.chat.session import ChatSession, ReplyEvent, ReplyStarted
from desktop.engine.protocol import Done, PromptProgress, ReasoningDelta, TextDelta
from desktop.errors import AppError
from desktop.ui.bridge import Coalescer

if TYPE_CHECKING:
    from desktop.chat.store import ChatStore
    from desktop.services import Services
    from desktop.ui.tasks import Tasks

Begin = Callable[[ChatSession], AsyncGenerator[ReplyEvent, None]]
"""Asks a session for a reply, with the sliders as they are when the model is ready."""


@dataclass
class LiveReply:
    """A reply as far as it came. `message` is None until it is on the disk: while the model is still being loaded."""

    conversation_id: str
    message: Message | None = None
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    first_word: float = 0.0
    prefill: tuple[int, int] = (0, 0)
    task: "asyncio.Task[None] | None" = None

    def take(self, event: ReplyEvent) -> None:
        """Add what came."""
        if isinstance(event, TextDelta):
            self.first_word = self.first_word or time.monotonic()
            self.text.append(event.text)
        elif isinstance(event, ReasoningDelta):
            self.reasoning.append(event.text)
        elif isinstance(event, PromptProgress):
            self.prefill = (event.done, event.total)

    def thought_seconds(self) -> float:
        """Seconds from the question to the first word, where the model thought; 0 where it did not."""
        if not self.reasoning:
            return 0.0
        return (self.first_word or time.monotonic()) - self.began


class Replies(QObject):
    """Runs replies; signals carry the conversation's id."""

    started = Signal(str, object)
    """ReplyStarted: both messages are on the disk."""
    streamed = Signal(str)
    """More is there, at most once a frame."""
    ended = Signal(str, object)
    """Message as it was saved, however it ended."""
    refused = Signal(str, object)
    """The error for which nothing was begun, or with which the end could not be saved."""

    def __init__(self, *, services: "Services", tasks: "Tasks", parent: QObject) -> None:
        super().__init__(parent)
        self._services = services
        self._tasks = tasks
        self._live: dict[str, LiveReply] = {}
        self._changed: set[str] = set()
        self._frame = Coalescer(self._on_frame, self)

    def live(self, conversation_id: str) -> LiveReply | None:
        """The reply that this conversation is waiting for."""
        return self._live.get(conversation_id)

    def begin(self, conversation_id: str, *, ready: "Callable[[], Awaitable[ChatStore]]", begin: Begin) -> None:
        """Wait for `ready`, then start what `begin` asks of a session; a conversation that is being answered is left.

        Stopped while it waits, nothing is begun: `refused` says so.
        """
        if conversation_id in self._live:
            return
        reply = LiveReply(conversation_id)
        self._live[conversation_id] = reply
        reply.task = self._tasks.start(self._run(reply, ready, begin), name="reply")

    def stop(self, conversation_id: str) -> None:
        """Stop the reply of this conversation; what was said is kept."""
        reply = self._live.get(conversation_id)
        if reply is not None and reply.task is not None:
            reply.task.cancel()

    async def close(self) -> None:
        """Stop all, and wait until they are saved."""
        for reply in tuple(self._live.values()):
            if reply.task is not None:
                reply.task.cancel()
                await asyncio.wait([reply.task])

    async def _run(self, reply: LiveReply, ready: "Callable[[], Awaitable[ChatStore]]", begin: Begin) -> None:
        error: BaseException | None = None
        try:
            store = await ready()
            reply.began = time.monotonic()
            async with contextlib.aclosing(
                begin(ChatSession(store, self._services.engine, reply.conversation_id))
            ) as events:
                async for event in events:
                    self._take(reply, event)
        except (Exception, asyncio.CancelledError) as caught:  # noqa: BLE001 - told below, whatever it is
            error = caught
        finally:
            del self._live[reply.conversation_id]
        await self._tell_the_end(reply, error)

    async def _tell_the_end(self, reply: LiveReply, error: BaseException | None) -> None:
        message: Message | None = None
        if reply.message is not None:
            try:
                message = await asyncio.to_thread(self._services.store.message, reply.message.id)
            except AppError as unreadable:
                error = unreadable
        if message is not None:
            self.ended.emit(reply.conversation_id, message)
        if error is not None and (message is None or message.failure is None):
            self.refused.emit(reply.conversation_id, error)

    def _take(self, reply: LiveReply, event: ReplyEvent) -> None:
        if isinstance(event, ReplyStarted):
            reply.message = event.reply
            reply.text = [event.reply.text] if event.reply.text else []
            reply.reasoning = [event.reply.reasoning] if event.reply.reasoning else []
            self.started.emit(reply.conversation_id, event)
        elif not isinstance(event, Done):
            reply.take(event)
            self._changed.add(reply.conversation_id)
            self._frame.request()

    def _on_frame(self) -> None:
        changed, self._changed = self._changed, set()
        for conversation_id in changed:
            if conversation_id in self._live:
                self.streamed.emit(conversation_id)
