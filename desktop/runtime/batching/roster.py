"""The requests that have begun: those that run, and those that were paused for others."""

from collections.abc import Callable
from typing import Protocol

from desktop.engine.protocol import Done, FinishReason, GenerationStats, Priority, RequestFailed
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.reading import Reading
from desktop.runtime.batching.turns import Place, Turns
from desktop.runtime.failures import EngineError, as_engine_error
from desktop.runtime.loading.projector import MediaChunk


class Work(Protocol):
    """A request in the making, as the scheduler sees it: it calls `fill`, decodes, then `take` or `undo`."""

    request_id: str
    priority: Priority
    reading: Reading

    @property
    def rows(self) -> int:
        """Rows of a step once the prompt is read, guesses left out."""

    @property
    def width(self) -> int:
        """Sequences that it may hold at the same time."""

    @property
    def can_pause(self) -> bool:
        """Whether what it holds could be put back into an empty cache."""

    @property
    def reserved(self) -> int:
        """Cells of the KV cache that it may still take."""

    @property
    def context_is_full(self) -> bool:
        """Whether it has to end because not one token more fits."""

    def fill(self, batch: Batch, budget: int, *, draft: int = 0) -> int:
        """Add rows: at most `budget` of the prompt, or the next token and up to `draft` guesses; return how many."""

    def take(self) -> FinishReason | None:
        """Use what was decoded; return why it ends, or None. Raises EngineError."""

    def perceive(self, medium: MediaChunk, go_on: Callable[[], bool]) -> int:
        """Read the image or recording that is next; see Projector.encode_into. Raises EngineError."""

    def undo(self) -> bool:
        """The step failed: drop what it may have left in the cache; False where that cannot be done."""

    def suspend(self) -> None:
        """Give the room in the cache up for a while. Raises MemoryError, and has given nothing up then."""

    def resume(self) -> bool:
        """Take it again; False where there is none yet."""

    def finish(self, reason: FinishReason) -> None:
        """Say the rest, and Done."""

    def close(self) -> None:
        """Free what is held."""


class Roster:
    """Who runs and who is paused, and how they end. `cancelled` is filled by the reader thread."""

    def __init__(self, outbox: Outbox, cancelled: set[str], turns: Turns) -> None:
        self.outbox, self.cancelled, self.turns = outbox, cancelled, turns
        self.active: list[Work] = []
        self.paused: list[Work] = []
        self.crowded = False
        """Whether there is less room than was thought: nobody comes in until one who runs has ended or had its turn."""

    @property
    def everyone(self) -> list[Work]:
        """Those who run, then those who are paused."""
        return [*self.active, *self.paused]

    @property
    def width(self) -> int:
        """Sequences that those who run may hold at the same time."""
        return sum(one.width for one in self.active)

    def knows(self, request_id: str) -> bool:
        """Whether a request has begun and not ended."""
        return any(one.request_id == request_id for one in self.everyone)

    def begin(self, one: Work, place: Place, *, scales: tuple[float, ...], endless: bool) -> None:
        """Let a new one run; see Turns.begin."""
        self.active.append(one)
        self.turns.begin(one.request_id, place, scales=scales, endless=endless)

    def pause(self, one: Work) -> bool:
        """Let others have its room; its turn comes again. False where it ends instead: what it holds cannot be kept."""
        try:
            one.suspend()
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self.fail(one, as_engine_error(error))
            return False
        self.active.remove(one)
        self.paused.append(one)
        self.turns.pause(one.request_id)
        return True

    def end_turn(self, one: Work) -> None:
        """Pause one that ran for long; it goes on when those had their turn who wait now."""
        if self.pause(one):
            self.turns.go_behind(one.request_id)
        self.crowded = False

    def pause_last(self) -> None:
        """Pause the last that came, a batch request before a person's; where none can be, the last one ends."""
        order = sorted(self.active, key=lambda one: one.priority == "batch")
        able = [one for one in order if one.can_pause]
        if able:
            self.pause(able[-1])
        else:
            self.finish(order[-1], "context_full")

    def resume(self, one: Work) -> bool:
        """Let one go on that was paused; False where there is no room for it yet."""
        if not one.resume():
            return False
        self.paused.remove(one)
        self.active.append(one)
        self.turns.resume(one.request_id)
        return True

    def finish(self, one: Work, reason: FinishReason) -> None:
        """End a request with a reason."""
        try:
            one.finish(reason)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self.refuse(one.request_id, as_engine_error(error))
        self._end(one)

    def fail(self, one: Work, error: EngineError) -> None:
        """End a request with a failure."""
        self.refuse(one.request_id, error)
        self._end(one)

    def refuse(self, request_id: str, error: EngineError) -> None:
        """Answer a request with a failure; one that has begun is to be ended as well, see `fail`."""
        self.cancelled.discard(request_id)
        failed = RequestFailed(request_id=request_id, failure=error.failure)
        self.outbox.add(failed, request_id=request_id, last=True)

    def never_begun(self, request_id: str) -> None:
        """Answer a request that was cancelled before its turn came."""
        self.cancelled.discard(request_id)
        done = Done(request_id=request_id, finish_reason="cancelled", stats=GenerationStats())
        self.outbox.add(done, request_id=request_id, last=True)

    def end_cancelled(self) -> None:
        """End those that were cancelled."""
        if self.cancelled:
            for one in self.everyone:
                if one.request_id in self.cancelled:
                    self.finish(one, "cancelled")

    def _end(self, one: Work) -> None:
        self.cancelled.discard(one.request_id)
        self.crowded = False
        (self.active if one in self.active else self.paused).remove(one)
        self.turns.end(one.request_id)
        one.close()
