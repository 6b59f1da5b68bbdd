"""The app's way to the engine: load a model, ask for replies, embeddings and rankings."""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from desktop.engine.failure import RequestCancelled, explain_failure
from desktop.engine.known_good import KnownGood
from desktop.engine.protocol import (
    Answer,
    AskStatus,
    ConversationsForgotten,
    CountTokens,
    Detokenize,
    Detokenized,
    Done,
    Embed,
    Embedded,
    EngineDevice,
    EngineFailure,
    EngineInfo,
    FailureKind,
    ForgetConversations,
    Generate,
    GenerationStats,
    LoadedModel,
    LoadPlan,
    Priority,
    PromptMessage,
    ReplyPart,
    RequestFailed,
    Rerank,
    Reranked,
    Sampling,
    Status,
    Tokenize,
    Tokenized,
    TokensCounted,
    Tool,
)
from desktop.engine.requests import CANCEL_TIMEOUT, Heard, OpenRequests, Request
from desktop.engine.state import EnginePhase, EngineState
from desktop.engine.supervisor import EngineSupervisor

DEVICES_TIMEOUT = 3.0
"""Seconds for the drivers to say what is free; between two steps of replies."""
TemplateOptions = Mapping[str, bool | int | str]
_Answer = TypeVar("_Answer", bound=Answer)
log = logging.getLogger(__name__)


class EndedReply(NamedTuple):
    """A reply that came to its end. alone: nothing else was computed meanwhile."""

    request: Generate
    stats: GenerationStats
    alone: bool


class EngineClient:
    """One engine for one model at a time. Everything runs on the event loop that calls it.

    known_good: where plans that led to a reply are remembered, so that one can be offered after crashes.
    Requests wait for an engine that is starting, loading or coming back. They raise AppError from engine/failure.py.
    """

    def __init__(self, *, known_good: KnownGood | None = None) -> None:
        self._known_good = known_good
        self._supervisor = EngineSupervisor(
            on_reply=self._on_reply, on_lost=self._on_lost, offer=known_good.offer if known_good else None
        )
        self._requests = OpenRequests(send=self._supervisor.send, on_stuck=self._on_stuck)
        self._supervisor.subscribe(self._go_on)
        self._statuses: dict[int, asyncio.Future[Status]] = {}
        self._numbers = itertools.count(1)
        self._on_stats: list[Callable[[EndedReply], None]] = []

    @property
    def state(self) -> EngineState:
        """What the engine is doing."""
        return self._supervisor.state

    @property
    def pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._supervisor.pid

    @property
    def loaded(self) -> LoadedModel | None:
        """The model that is loaded now."""
        return self._supervisor.state.loaded

    @property
    def plan(self) -> LoadPlan | None:
        """The plan that is loaded, or that is loaded again after a crash."""
        return self._supervisor.plan

    @property
    def info(self) -> EngineInfo | None:
        """Which engine the child runs; None while there is no child."""
        return self._supervisor.info

    @property
    def busy(self) -> bool:
        """Whether a request has not ended yet."""
        return self._requests.any_open

    @property
    def comes_back(self) -> bool:
        """Whether the child is starting, loading or coming back after a crash."""
        return self._supervisor.on_the_way

    def subscribe(self, callback: Callable[[EngineState], None]) -> Callable[[], None]:
        """Call `callback` with every new state, on the event loop; returns what ends that."""
        return self._supervisor.subscribe(callback)

    def subscribe_stats(self, callback: Callable[[EndedReply], None]) -> Callable[[], None]:
        """Call `callback` with every reply that ended and was not cancelled; returns what ends that."""
        self._on_stats.append(callback)
        return lambda: self._on_stats.remove(callback)

    async def start(self) -> EngineInfo:
        """Start the child unless it runs. Raises AppError from engine/failure.py."""
        return await self._supervisor.start()

    async def load(self, plan: LoadPlan, on_progress: Callable[[float], None] | None = None) -> LoadedModel:
        """Load a model as planned; starts the child when needed. `on_progress` gets 0 to 1.

        Cancelling gives the load up. Raises AppError from engine/failure.py.
        """
        return await self._supervisor.load(plan, on_progress)

    def generate(  # noqa: PLR0913 - a reply has as many wishes; all by keyword
        self,
        *,
        messages: Sequence[PromptMessage] = (),
        sampling: Sampling,
        continue_last: bool = False,
        priority: Priority = "interactive",
        prompt: str = "",
        prompt_tokens: Sequence[int] = (),
        suffix: str | None = None,
        tools: Sequence[Tool] = (),
        template_options: TemplateOptions | None = None,
        adapter_scales: tuple[float, ...] | None = None,
        context_shift: bool = False,
        keep_tokens: int = 0,
        conversation: str = "",
    ) -> AsyncGenerator[ReplyPart, None]:
        """Answer a conversation; closing or cancelling the iterator cancels the request. The last part is Done.

        What the arguments mean is told at Generate. After a crash, a reply of which nothing was seen yet is asked for
        again; one that was cut raises, and continue_last goes on with its words.
        """
        request = Generate(
            request_id=self._new_id(),
            messages=tuple(messages),
            prompt=prompt,
            prompt_tokens=tuple(prompt_tokens),
            suffix=suffix,
            sampling=sampling,
            continue_last=continue_last,
            priority=priority,
            tools=tuple(tools),
            template_options=dict(template_options or {}),
            adapter_scales=adapter_scales,
            context_shift=context_shift,
            keep_tokens=keep_tokens,
            conversation=conversation,
        )
        return self._stream(request)

    async def _stream(self, request: Generate) -> AsyncGenerator[ReplyPart, None]:
        ticket = self._requests.add(request)
        try:
            self._go_on(self.state)
            while True:
                event = _checked(await ticket.heard.get())
                if not isinstance(event, Answer):
                    yield event
                if isinstance(event, Done):
                    return
        finally:
            if self._requests.close(ticket):
                self._go_on(self.state)

    async def embed(
        self, texts: Sequence[str], *, normalize: bool = True, priority: Priority = "interactive"
    ) -> tuple[tuple[float, ...], ...]:
        """One vector per text, in order, from an embedding model; of length 1 where `normalize`."""
        request = Embed(request_id=self._new_id(), texts=tuple(texts), normalize=normalize, priority=priority)
        return (await self._ask(request, Embedded)).vectors

    async def rerank(
        self, query: str, documents: Sequence[str], *, priority: Priority = "interactive"
    ) -> tuple[float, ...]:
        """One score per document, in order, from a reranking model; higher is more relevant."""
        request = Rerank(request_id=self._new_id(), query=query, documents=tuple(documents), priority=priority)
        return (await self._ask(request, Reranked)).scores

    async def count_tokens(
        self,
        messages: Sequence[PromptMessage],
        *,
        tools: Sequence[Tool] = (),
        template_options: TemplateOptions | None = None,
    ) -> tuple[int, int]:
        """How many tokens the conversation's prompt has, and how many the context holds."""
        request = CountTokens(
            request_id=self._new_id(),
            messages=tuple(messages),
            tools=tuple(tools),
            template_options=dict(template_options or {}),
        )
        answer = await self._ask(request, TokensCounted)
        return answer.tokens, answer.context

    async def tokenize(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> Tokenized:
        """The tokens of a text for the model that is loaded, and what each stands for; see Tokenize."""
        request = Tokenize(request_id=self._new_id(), text=text, add_special=add_special, parse_special=parse_special)
        return await self._ask(request, Tokenized)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of tokens of the model that is loaded, control tokens written out."""
        return (await self._ask(Detokenize(request_id=self._new_id(), tokens=tuple(tokens)), Detokenized)).text

    async def forget_conversations(self, conversations: Sequence[str] | None) -> ConversationsForgotten:
        """Drop what is kept of these conversations, as Generate named them, also on the disk; None: of all there are.

        Needs a loaded chat model. What the answer counts as left could not be removed. See ForgetConversations.
        """
        names = None if conversations is None else tuple(conversations)
        request = ForgetConversations(request_id=self._new_id(), conversations=names)
        return await self._ask(request, ConversationsForgotten)

    async def status(self) -> Status:
        """What is going on in the child; waits for one that is on its way. Raises NoModel without a model."""
        await self._supervisor.wait_ready()
        return await self._status()

    async def devices(self) -> tuple[EngineDevice, ...]:
        """The engine's devices with the memory that is free now; starts the child when needed.

        As they were when it started while it loads a model, or where it does not answer in time, which the log says.
        Raises AppError from engine/failure.py.
        """
        info = await self.start()
        if self.state.phase != EnginePhase.READY:
            return info.devices
        try:
            status = await asyncio.wait_for(self._status(devices=True), DEVICES_TIMEOUT)
        except TimeoutError:
            log.warning("the engine did not say within %g s what is free on its devices", DEVICES_TIMEOUT)
            return info.devices
        now = {device.name: device for device in status.devices}  # also workers of the model that is loaded
        return tuple(now.get(device.name, device) for device in info.devices)

    async def _status(self, *, devices: bool = False) -> Status:
        nonce = next(self._numbers)
        answer: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._statuses[nonce] = answer
        try:
            self._supervisor.send(AskStatus(nonce=nonce, devices=devices))
            return await answer
        finally:
            del self._statuses[nonce]

    async def cancel_all(self) -> None:
        """Stop every reply; each ends with Done(finish_reason="cancelled")."""
        self._requests.cancel_all()

    async def stop(self) -> None:
        """End the child; replies that run end as cancelled."""
        await self._supervisor.stop()
        if self._known_good is not None:
            await self._known_good.saved()

    async def _ask(self, request: Request, kind: type[_Answer]) -> _Answer:
        ticket = self._requests.add(request)
        try:
            self._go_on(self.state)
            while not isinstance(event := _checked(await ticket.heard.get()), kind):
                if isinstance(event, Done):
                    raise RequestCancelled
            return event
        finally:
            if self._requests.close(ticket):
                self._go_on(self.state)

    def _new_id(self) -> str:
        return f"r{next(self._numbers)}"

    def _go_on(self, state: EngineState) -> None:
        """Send what waits where the engine can take it, and end it where there is nothing to wait for."""
        if self._supervisor.on_the_way:
            return
        if state.phase == EnginePhase.READY and state.loaded is not None and self.plan is not None:
            self._requests.release(self.plan.model_path)
        else:
            self._requests.refuse(state.failure or EngineFailure(kind=FailureKind.NO_MODEL))

    def _on_reply(self, event: ReplyPart | Answer | RequestFailed | Status) -> None:
        if isinstance(event, Status):
            if (waiter := self._statuses.get(event.nonce)) and not waiter.done():
                waiter.set_result(event)
            return
        if isinstance(event, Embedded | Reranked) or (isinstance(event, Done) and event.finish_reason != "cancelled"):
            self._on_completed()
            self._tell_stats(event)
        if self._requests.hear(event):
            self._go_on(self.state)

    def _tell_stats(self, event: Embedded | Reranked | Done) -> None:
        ticket = self._requests.find(event.request_id)
        if isinstance(event, Done) and ticket is not None and isinstance(ticket.request, Generate):
            for callback in tuple(self._on_stats):
                callback(EndedReply(ticket.request, event.stats, ticket.alone))

    def _on_completed(self) -> None:
        self._supervisor.breaker.reset()
        if self._known_good is not None and self.plan is not None:
            self._known_good.remember(self.plan)

    def _on_lost(self, failure: EngineFailure | None) -> None:
        self._requests.lost(failure)
        for waiter in self._statuses.values():
            if not waiter.done():
                waiter.set_exception(explain_failure(failure or EngineFailure(kind=FailureKind.NO_MODEL)))

    def _on_stuck(self) -> None:
        detail = f"a reply could not be stopped within {CANCEL_TIMEOUT:g} s"
        self._supervisor.kill(EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=detail))


def _checked(event: Heard) -> ReplyPart | Answer:
    """Raise what is a failure; everything else belongs to the reply."""
    if isinstance(event, EngineFailure):
        raise explain_failure(event)
    return event
