"""Who is served next: one request at a time, first come first served.

`step` does one piece of work (a chunk of prefill, a token) and returns, so that the main loop sees a cancel or a new
request in between. Several sequences in one batch grow from here: `_active` becomes a set and `step` builds a batch.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from desktop.engine.protocol import (
    Done,
    EngineMessage,
    Generate,
    GenerationStats,
    RequestFailed,
)
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError
from desktop.runtime.generation import Chunks, Generation
from desktop.runtime.model import Model
from desktop.runtime.sequence import KvSequence


class _Waiting(NamedTuple):
    request: Generate
    received: float


class Scheduler:
    """The requests for one loaded model. `cancelled` is filled by the reader thread."""

    def __init__(
        self, model: Model, *, log: EngineLog, send: Callable[[EngineMessage], None], cancelled: set[str]
    ) -> None:
        self._model, self._send, self._cancelled = model, send, cancelled
        self._sequence = KvSequence(model.context, n_batch=model.n_batch, n_swa=model.n_swa, log=log)
        self._chunks = Chunks(model.loaded.n_params, model.n_batch)
        self._queue: deque[_Waiting] = deque()
        self._active: Generation | None = None

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return self._active is not None or bool(self._queue)

    def submit(self, request: Generate) -> None:
        """Take a request into the queue."""
        self._queue.append(_Waiting(request, time.monotonic()))

    def knows(self, request_id: str) -> bool:
        """Whether a request waits or is being answered."""
        if self._active is not None and self._active.request.request_id == request_id:
            return True
        return any(waiting.request.request_id == request_id for waiting in self._queue)

    def step(self) -> None:
        """Do one piece of work for the request whose turn it is; a failure ends that request and no other."""
        active = self._active or self._begin()
        if active is None:
            return
        try:
            if active.request.request_id in self._cancelled:
                active.finish("cancelled")
                self._end(active)
            elif not active.step():
                self._end(active)
        except EngineError as error:
            self._fail(active.request.request_id, error)
            self._end(active)

    def drain(self) -> None:
        """End everything as cancelled: the model is going away."""
        if self._active is not None:
            self._active.finish("cancelled")
            self._end(self._active)
        while self._queue:
            self._cancel_waiting(self._queue.popleft())

    def _begin(self) -> Generation | None:
        waiting = self._queue.popleft()
        if waiting.request.request_id in self._cancelled:
            self._cancel_waiting(waiting)
            return None
        try:
            self._active = Generation(
                waiting.request,
                model=self._model,
                sequence=self._sequence,
                chunks=self._chunks,
                send=self._send,
                received=waiting.received,
            )
        except EngineError as error:
            self._fail(waiting.request.request_id, error)
        return self._active

    def _cancel_waiting(self, waiting: _Waiting) -> None:
        request_id = waiting.request.request_id
        self._cancelled.discard(request_id)
        self._send(Done(request_id=request_id, finish_reason="cancelled", stats=GenerationStats()))

    def _fail(self, request_id: str, error: EngineError) -> None:
        self._send(RequestFailed(request_id=request_id, failure=error.failure))

    def _end(self, active: Generation) -> None:
        self._cancelled.discard(active.request.request_id)
        active.close()
        self._active = None
