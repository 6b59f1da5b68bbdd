"""The app's way to the engine: load a model, ask for replies."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence

from desktop.engine.failure import explain_failure
from desktop.engine.protocol import (
    Answer,
    Cancel,
    Done,
    EngineFailure,
    EngineInfo,
    FailureKind,
    Generate,
    GenerationStats,
    LoadedModel,
    LoadPlan,
    PromptMessage,
    ReplyPart,
    RequestFailed,
    Sampling,
)
from desktop.engine.state import EngineState
from desktop.engine.supervisor import EngineSupervisor

CANCEL_TIMEOUT = 30.0
"""Seconds until a request that was cancelled must have ended; then the child is ended instead. A chunk of prefill
that runs is finished first, and on a slow machine that takes seconds."""


class EngineClient:
    """One engine for one model at a time. Everything runs on the event loop that calls it."""

    def __init__(self) -> None:
        self._supervisor = EngineSupervisor(on_reply=self._on_reply, on_lost=self._on_lost)
        self._requests: dict[str, asyncio.Queue[ReplyPart | RequestFailed | EngineFailure]] = {}
        self._cancelled: dict[str, asyncio.TimerHandle] = {}
        self._numbers = itertools.count(1)

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

    def subscribe(self, callback: Callable[[EngineState], None]) -> Callable[[], None]:
        """Call `callback` with every new state, on the event loop; returns what ends that."""
        return self._supervisor.subscribe(callback)

    async def start(self) -> EngineInfo:
        """Start the child unless it runs. Raises AppError from engine/failure.py."""
        return await self._supervisor.start()

    async def load(self, plan: LoadPlan, on_progress: Callable[[float], None] | None = None) -> LoadedModel:
        """Load a model as planned; starts the child when needed. `on_progress` gets 0 to 1.

        Cancelling gives the load up. Raises AppError from engine/failure.py.
        """
        return await self._supervisor.load(plan, on_progress)

    async def generate(
        self, *, messages: Sequence[PromptMessage], sampling: Sampling, continue_last: bool = False
    ) -> AsyncGenerator[ReplyPart, None]:
        """Answer a conversation; closing or cancelling the iterator cancels the request.

        continue_last: the last message is the beginning of the reply.
        Waits for an engine that is starting, loading or coming back. Raises AppError from engine/failure.py.
        """
        await self._supervisor.wait_ready()
        request_id = f"r{next(self._numbers)}"
        events: asyncio.Queue[ReplyPart | RequestFailed | EngineFailure] = asyncio.Queue()
        self._requests[request_id] = events
        self._supervisor.send(
            Generate(request_id=request_id, messages=tuple(messages), sampling=sampling, continue_last=continue_last)
        )
        try:
            while True:
                event = _checked(await events.get())
                if isinstance(event, Done):
                    del self._requests[request_id]
                yield event
                if isinstance(event, Done):
                    return
        finally:
            if self._requests.pop(request_id, None) is not None:
                self._cancel(request_id)

    async def cancel_all(self) -> None:
        """Stop every reply; each ends with Done(finish_reason="cancelled")."""
        for request_id in self._requests:
            self._cancel(request_id)

    async def stop(self) -> None:
        """End the child; replies that run end as cancelled."""
        await self._supervisor.stop()

    def _cancel(self, request_id: str) -> None:
        if request_id in self._cancelled or self._supervisor.pid is None:
            return
        self._supervisor.send(Cancel(request_id=request_id))
        loop = asyncio.get_running_loop()
        self._cancelled[request_id] = loop.call_later(CANCEL_TIMEOUT, self._on_cancel_timeout)

    def _on_cancel_timeout(self) -> None:
        detail = f"a reply could not be stopped within {CANCEL_TIMEOUT:g} s"
        self._supervisor.kill(EngineFailure(kind=FailureKind.UNRESPONSIVE, detail=detail))

    def _on_reply(self, event: ReplyPart | Answer | RequestFailed) -> None:
        request_id = event.request_id
        if isinstance(event, Done | RequestFailed):
            if timer := self._cancelled.pop(request_id, None):
                timer.cancel()
            if isinstance(event, Done) and event.finish_reason != "cancelled":
                self._supervisor.breaker.reset()
        if request_id in self._requests and not isinstance(event, Answer):
            self._requests[request_id].put_nowait(event)

    def _on_lost(self, failure: EngineFailure | None) -> None:
        for timer in self._cancelled.values():
            timer.cancel()
        self._cancelled.clear()
        for request_id, events in self._requests.items():
            ended = Done(request_id=request_id, finish_reason="cancelled", stats=GenerationStats())
            events.put_nowait(failure or ended)


def _checked(event: ReplyPart | RequestFailed | EngineFailure) -> ReplyPart:
    """Raise what is a failure; everything else belongs to the reply."""
    if isinstance(event, EngineFailure):
        raise explain_failure(event)
    if isinstance(event, RequestFailed):
        raise explain_failure(event.failure)
    return event
