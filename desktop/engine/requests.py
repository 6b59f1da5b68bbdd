"""What the engine was asked and has not answered yet; after a crash it is asked again, where that is safe.

A request that nothing was heard of yet is sent again to the child that comes back, and its caller notices nothing but
time. Those that ran when the child died are sent one by one, each when the one before has shown that it does no harm:
a request that kills the engine takes no other with it, and is given up after its second crash.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from desktop.engine.protocol import (
    Answer,
    AppMessage,
    Beams,
    Cancel,
    ConversationsForgotten,
    CountTokens,
    Detokenize,
    Detokenized,
    Done,
    Embed,
    Embedded,
    EngineFailure,
    FailureKind,
    ForgetConversations,
    Generate,
    GenerationStats,
    Queued,
    ReasoningDelta,
    ReplyPart,
    RequestFailed,
    Rerank,
    Reranked,
    TextDelta,
    Tokenize,
    Tokenized,
    TokensCounted,
    ToolCallDelta,
)

MOST_REPLAYS = 2
"""How often one request is sent again."""
CANCEL_TIMEOUT = 30.0
"""Seconds until a request that was cancelled must have ended; then the child is ended instead. A chunk of prefill
that runs is finished first, and on a slow machine that takes seconds."""

Request = Generate | Embed | Rerank | CountTokens | Tokenize | Detokenize | ForgetConversations
Heard = ReplyPart | Answer | EngineFailure
_VISIBLE = TextDelta | ReasoningDelta | ToolCallDelta | Beams
_ANSWERS: dict[type[Request], type[Answer]] = {
    Embed: Embedded,
    Rerank: Reranked,
    CountTokens: TokensCounted,
    Tokenize: Tokenized,
    Detokenize: Detokenized,
    ForgetConversations: ConversationsForgotten,
}
_COMPUTES = Generate | Embed | Rerank
_UNSENDABLE = (msgspec.MsgspecError, UnicodeEncodeError, TypeError, OverflowError)

log = logging.getLogger(__name__)


class Ticket:
    """One request and what its caller is to hear.

    model: file of the model that it was sent to first. sent: the child has it. waits: the child said so, and that its
    turn has not come. visible: its caller has seen words of the reply. losses: ends of the child that had it; crashes:
    those of them at which it ran. alone: nothing else was computed since it was asked for.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.heard: asyncio.Queue[Heard] = asyncio.Queue()
        self.model = ""
        self.sent = self.waits = self.visible = self.cancelled = False
        self.losses = self.crashes = 0
        self.failure: EngineFailure | None = None
        self.alone = True

    @property
    def on_trial(self) -> bool:
        """Whether it ran when a child died, and has not shown yet that it was not the reason."""
        return self.crashes > 0 and not self.visible

    def crashed(self, failure: EngineFailure, *, alone: bool) -> bool:
        """Note a crash; whether to send it again."""
        self.failure = failure
        self.losses += 1
        self.crashes += not self.waits
        self.sent = self.waits = False
        guilty = alone and self.crashes > 1
        return not (self.visible or guilty or self.losses > MOST_REPLAYS)


class OpenRequests:
    """All requests without an end, in the order in which they came.

    send: to the child. on_stuck: a request did not end after it was cancelled.
    """

    def __init__(self, *, send: Callable[[AppMessage], None], on_stuck: Callable[[], None]) -> None:
        self._send, self._on_stuck = send, on_stuck
        self._tickets: dict[str, Ticket] = {}
        self._cancelled: dict[str, asyncio.TimerHandle] = {}

    @property
    def any_open(self) -> bool:
        """Whether a request has not ended yet, or its end is not known yet."""
        return bool(self._tickets or self._cancelled)

    def add(self, request: Request) -> Ticket:
        """Take a request; `release` sends it."""
        ticket = Ticket(request)
        if isinstance(request, _COMPUTES):
            others = [other for other in self._tickets.values() if isinstance(other.request, _COMPUTES)]
            ticket.alone = not others and not self._cancelled
            for other in others:
                other.alone = False
        self._tickets[request.request_id] = ticket
        return ticket

    def find(self, request_id: str) -> Ticket | None:
        """The request without an end that has this id."""
        return self._tickets.get(request_id)

    def release(self, model: str) -> None:
        """Send what waits to the child, which has the model of the file `model` loaded."""
        for ticket in sorted(self._tickets.values(), key=lambda ticket: ticket.crashes == 0):
            if not ticket.sent:
                self._dispatch(ticket, model)
            if ticket.sent and ticket.on_trial:
                return  # the others come when it has shown that it does no harm

    def refuse(self, failure: EngineFailure) -> None:
        """There is no child to wait for: end what was not sent."""
        for ticket in self._unsent():
            self._end(ticket, ticket.failure or failure)

    def hear(self, event: ReplyPart | Answer | RequestFailed) -> bool:
        """Pass on what the child said of a request; whether others may go on because of it."""
        ended = isinstance(event, Done | RequestFailed | Answer)
        if ended and (timer := self._cancelled.pop(event.request_id, None)):
            timer.cancel()
        ticket = self._tickets.get(event.request_id)
        if ticket is None:
            if isinstance(event, RequestFailed) and not event.request_id:
                log.warning("the engine did not understand a message: %s", event.failure.detail)
            return False
        held_others = ticket.on_trial
        ticket.waits = isinstance(event, Queued)
        ticket.visible = ticket.visible or isinstance(event, _VISIBLE)
        if ended:
            del self._tickets[event.request_id]
        ticket.heard.put_nowait(_heard(ticket.request, event))
        return held_others and (ended or ticket.visible)

    def lost(self, failure: EngineFailure | None) -> None:
        """The child is gone: end what its caller has seen words of, keep the rest for the next child.

        failure: None when the child was stopped; then everything that it had ends.
        """
        for timer in self._cancelled.values():
            timer.cancel()
        running = sum(ticket.sent and not ticket.waits for ticket in self._tickets.values())
        running += len(self._cancelled.keys() - self._tickets.keys())
        self._cancelled.clear()
        for ticket in [ticket for ticket in self._tickets.values() if ticket.sent or failure is None]:
            if failure is None or ticket.cancelled:
                self._end(ticket, None)
            elif not ticket.crashed(failure, alone=running == 1):
                self._end(ticket, failure)

    def cancel_all(self) -> None:
        """Stop every request; each ends as cancelled."""
        for ticket in list(self._tickets.values()):
            ticket.cancelled = True
            if ticket.sent:
                self._cancel(ticket)
            else:
                self._end(ticket, None)

    def close(self, ticket: Ticket) -> bool:
        """Its caller listens no more: stop it where it still runs. Whether others may go on because of it."""
        if self._tickets.pop(ticket.request.request_id, None) is None:
            return False
        if ticket.sent:
            self._cancel(ticket)
        return ticket.on_trial

    def _unsent(self) -> list[Ticket]:
        return [ticket for ticket in self._tickets.values() if not ticket.sent]

    def _dispatch(self, ticket: Ticket, model: str) -> None:
        if ticket.failure is not None and ticket.model != model:
            self._end(ticket, ticket.failure)  # another model must not answer what was asked of this one
            return
        ticket.model = model
        try:
            self._send(ticket.request)
        except _UNSENDABLE as error:
            self._end(ticket, EngineFailure(kind=FailureKind.BAD_REQUEST, detail=str(error)))
        else:
            ticket.sent = True

    def _cancel(self, ticket: Ticket) -> None:
        request_id = ticket.request.request_id
        if request_id not in self._cancelled:
            self._send(Cancel(request_id=request_id))
            self._cancelled[request_id] = asyncio.get_running_loop().call_later(CANCEL_TIMEOUT, self._on_stuck)

    def _end(self, ticket: Ticket, failure: EngineFailure | None) -> None:
        """End a request without the child; no failure means that it was cancelled."""
        request_id = ticket.request.request_id
        self._tickets.pop(request_id, None)
        cancelled = Done(request_id=request_id, finish_reason="cancelled", stats=GenerationStats())
        ticket.heard.put_nowait(failure or cancelled)


def _heard(request: Request, event: ReplyPart | Answer | RequestFailed) -> Heard:
    """What the caller is to hear: an answer to something else would leave it waiting for ever."""
    if isinstance(event, RequestFailed):
        return event.failure
    if isinstance(event, Answer) and not isinstance(event, _ANSWERS.get(type(request), ())):
        detail = f"it answered {type(request).__name__} with {type(event).__name__}"
        return EngineFailure(kind=FailureKind.INTERNAL, detail=detail)
    return event
