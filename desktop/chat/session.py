"""A conversation that is being held: the store and the engine together.

The person's message is on the disk before the engine hears of it, the reply at least once a second while it comes.
However a reply ends - done, stopped, crashed, the listener gone - its text is kept and its state says how it ended.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial
from typing import Protocol, Self

import msgspec

from desktop.chat.messages import Failure, Message, MessageState, prompt_of
from desktop.chat.store import ChatStore
from desktop.database import DatabaseBusy
from desktop.engine.failure import EngineError
from desktop.engine.protocol import (
    Done,
    EngineFailure,
    FailureKind,
    LoadedModel,
    Priority,
    PromptMessage,
    ReasoningDelta,
    ReplyPart,
    Sampling,
    TextDelta,
)
from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, Phrase

_log = logging.getLogger(__name__)

SAVE_INTERVAL = 0.5
"""Seconds between two saves of a reply that is coming."""

_CRASHES = {
    FailureKind.ILLEGAL_INSTRUCTION,
    FailureKind.SEGMENTATION_FAULT,
    FailureKind.ABORTED,
    FailureKind.KILLED,
    FailureKind.KILLED_FOR_MEMORY,
    FailureKind.DRIVER_RESET,
    FailureKind.UNRESPONSIVE,
    FailureKind.EXITED,
}


class ReplyEngine(Protocol):
    """What a session needs of desktop.engine.client.EngineClient."""

    @property
    def loaded(self) -> LoadedModel | None:
        """The model that answers."""

    def generate(
        self,
        *,
        messages: Sequence[PromptMessage] = (),
        sampling: Sampling,
        continue_last: bool = False,
        priority: Priority = "interactive",
        conversation: str = "",
    ) -> AsyncIterator[ReplyPart]:
        """Answer; closing the iterator cancels the request. Raises AppError."""


class ReplyStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The first event: the messages as they are on the disk. asked is None when an old message is answered again."""

    asked: Message | None = None
    reply: Message


ReplyEvent = ReplyStarted | ReplyPart
"""What a session tells of a reply: that both messages are kept, then what the engine says."""


class ReplyUnderWay(AppError):
    """A conversation answers one message at a time."""

    message = QT_TRANSLATE_NOOP("core", "This conversation is still being answered.")
    hint = QT_TRANSLATE_NOOP("core", "Wait for the reply, or stop it.")


class ReplyCutShort(AppError):
    """The context was full in the middle of a reply; kept with the message, not raised."""

    message = QT_TRANSLATE_NOOP("core", "The context is full, so the reply ends here.")
    hint = QT_TRANSLATE_NOOP("core", "Load the model with a longer context, or begin a new conversation.")


class ReplyIncomplete(AppError):
    """The engine ended a reply without saying why."""

    message = QT_TRANSLATE_NOOP("core", "The reply ended without a reason.")
    hint = QT_TRANSLATE_NOOP("core", "What came so far is kept. Continue the reply, or ask again.")


class _Recorder:
    """Gathers one reply, keeps it on the disk while it comes, and marks it by how the block ended."""

    def __init__(self, store: ChatStore, reply: Message) -> None:
        self._store = store
        self._id = reply.id
        self._text, self._reasoning = [reply.text], [reply.reasoning]
        self._changed = False
        self.done: Done | None = None

    async def __aenter__(self) -> Self:
        self._saver = asyncio.create_task(self._keep_saving(), name="reply saver")
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # A second cancellation (the window closes while a stopped reply is being saved) must not cost the save.
        await asyncio.shield(asyncio.ensure_future(self._end(error)))

    async def _end(self, error: BaseException | None) -> None:
        self._saver.cancel()
        # What it failed with, the last save below meets as well, and raises.
        await asyncio.gather(self._saver, return_exceptions=True)
        state, reason = _outcome(error, self.done)
        text, reasoning = self._texts()
        finish = partial(
            self._store.finish,
            self._id,
            state=state,
            text=text,
            reasoning=reasoning,
            stats=self.done.stats if self.done else None,
            finish_reason=self.done.finish_reason if self.done else None,
            failure=_failure(reason) if reason else None,
        )
        try:
            await asyncio.to_thread(finish)
        except DiskFull:
            # The mark alone needs less room. Without it the next start sets it.
            await asyncio.to_thread(self._store.interrupt, self._id)
            raise

    def take(self, event: ReplyPart) -> None:
        """Note what came. Raises what the last save failed with: noted first, so that no word is lost to it."""
        if isinstance(event, TextDelta):
            self._text.append(event.text)
            self._changed = True
        elif isinstance(event, ReasoningDelta):
            self._reasoning.append(event.text)
            self._changed = True
        elif isinstance(event, Done):
            self.done = event
        if self._saver.done():
            self._saver.result()

    async def _keep_saving(self) -> None:
        """Runs beside the stream, so that an engine that pauses does not delay a save."""
        while True:
            await asyncio.sleep(SAVE_INTERVAL)
            if self._changed:
                self._changed = False
                try:
                    await asyncio.to_thread(self._store.save_text, self._id, *self._texts())
                except DatabaseBusy as error:
                    _log.warning("a reply could not be saved yet: %s", error)
                    self._changed = True

    def _texts(self) -> tuple[str, str]:
        return "".join(self._text), "".join(self._reasoning)


class ChatSession:
    """One conversation with the engine. Use it from one event loop."""

    def __init__(self, store: ChatStore, engine: ReplyEngine, conversation_id: str) -> None:
        """Nothing is read yet."""
        self._store = store
        self._engine = engine
        self._busy = False
        self.conversation_id = conversation_id

    def send(self, *, text: str, sampling: Sampling) -> AsyncGenerator[ReplyEvent, None]:
        """Say `text` and stream the reply: ReplyStarted, the engine's deltas, and Done when all is on the disk.

        Closing the generator, or cancelling the task that reads it, stops the reply and keeps its text. Raises
        ReplyUnderWay, ConversationMissing, DiskFull and the like before the engine is asked; the engine's errors
        (ContextFull, NoModel, a crash) after the partial reply was kept.
        """
        return self._reply(partial(self._add_turn, text), sampling)

    def regenerate(self, *, message_id: str, sampling: Sampling) -> AsyncGenerator[ReplyEvent, None]:
        """Answer the same message again, as a new version beside the reply `message_id`; nothing is replaced.

        Streams and raises as `send` does, and MessageMissing.
        """
        return self._reply(partial(self._add_version, message_id), sampling)

    def continue_reply(self, *, message_id: str, sampling: Sampling) -> AsyncGenerator[ReplyEvent, None]:
        """Go on with a reply that was stopped, cut or interrupted, after the text that it has.

        Streams and raises as `send` does, and MessageMissing.
        """
        return self._reply(partial(self._reopen, message_id), sampling)

    async def _reply(self, begin: Callable[[], ReplyStarted], sampling: Sampling) -> AsyncGenerator[ReplyEvent, None]:
        if self._busy:
            raise ReplyUnderWay
        self._busy = True
        try:
            turn = await self._begun(begin)
            async with _Recorder(self._store, turn.reply) as recorder:
                yield turn
                async with _closing(await self._ask(turn.reply, sampling)) as events:
                    async for event in events:
                        recorder.take(event)
                        if not isinstance(event, Done):
                            yield event
                if recorder.done is None:
                    raise ReplyIncomplete
            yield recorder.done
        finally:
            self._busy = False

    async def _begun(self, begin: Callable[[], ReplyStarted]) -> ReplyStarted:
        """Write the first rows. A cancellation meanwhile must not leave a reply that streams for ever."""
        beginning = asyncio.ensure_future(asyncio.to_thread(begin))
        try:
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            turn = await beginning
            finish = partial(self._store.finish, turn.reply.id, state=MessageState.STOPPED, text=turn.reply.text)
            await asyncio.to_thread(finish)
            raise

    async def _ask(self, reply: Message, sampling: Sampling) -> AsyncIterator[ReplyPart]:
        """Send the engine the whole conversation; what does not fit is the engine's error, never left out here."""
        conversation = await asyncio.to_thread(self._store.conversation, self.conversation_id)
        path = await asyncio.to_thread(self._store.path, reply.id)
        messages = prompt_of(conversation.system_prompt, path)
        return self._engine.generate(
            messages=messages,
            sampling=sampling,
            continue_last=bool(reply.text),
            conversation=self.conversation_id,  # what the engine keeps of it can be forgotten by this name
        )

    def _add_turn(self, text: str) -> ReplyStarted:
        asked, reply = self._store.add_turn(self.conversation_id, text=text, model=self._model())
        return ReplyStarted(asked=asked, reply=reply)

    def _add_version(self, message_id: str) -> ReplyStarted:
        reply = self._store.add_message(
            self.conversation_id,
            role="assistant",
            text="",
            state=MessageState.STREAMING,
            parent=self._store.message(message_id).parent,
            after_leaf=False,
            model=self._model(),
        )
        return ReplyStarted(reply=reply)

    def _reopen(self, message_id: str) -> ReplyStarted:
        return ReplyStarted(reply=self._store.reopen(message_id))

    def _model(self) -> str:
        return self._engine.loaded.name if self._engine.loaded else ""


@contextlib.asynccontextmanager
async def _closing(events: AsyncIterator[ReplyPart]) -> AsyncIterator[AsyncIterator[ReplyPart]]:
    """Close the engine's stream at the end, which cancels the request where it still runs."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()


def _outcome(error: BaseException | None, done: Done | None) -> tuple[MessageState, AppError | None]:
    """How a reply ended, and why, where there is something to explain."""
    if error is None:
        reason = done.finish_reason if done else "cancelled"
        if reason == "context_full":
            return MessageState.STOPPED, ReplyCutShort()
        return (MessageState.STOPPED if reason == "cancelled" else MessageState.COMPLETE), None
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return MessageState.STOPPED, None
    if isinstance(error, EngineError) and error.failure and _is_crash(error.failure):
        return MessageState.INTERRUPTED, error
    if isinstance(error, AppError):
        return MessageState.FAILED, error
    return MessageState.FAILED, AppError(reason=f"{type(error).__name__}: {error}")


def _is_crash(failure: EngineFailure) -> bool:
    return failure.exit_code is not None or failure.kind in _CRASHES


def _failure(error: AppError) -> Failure:
    return Failure(message=Phrase(error.message, error.arguments), hint=Phrase(error.hint, error.arguments))
