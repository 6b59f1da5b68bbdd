"""Continuous batching: each step decodes one token of every running reply and a piece of the prompts that wait.

`step` does one piece of work and returns, so that the main loop hears a cancel or a new request in between. Replies
that run come first; what is left of the step goes to prompts, in pieces small enough that running text does not stand
still. A request that fails, fails alone.
"""

import time
from collections.abc import Sequence

import llama_cpp.llama_cpp as llama
import msgspec

from desktop.engine.protocol import (
    AppMessage,
    CountTokens,
    FailureKind,
    ForgetConversations,
    Generate,
    Status,
)
from desktop.runtime.batching.admission import Admission
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.counting import Counting
from desktop.runtime.batching.forgetting import forget
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.pace import Pace
from desktop.runtime.batching.preparation import Preparation
from desktop.runtime.batching.request_queue import RequestQueue
from desktop.runtime.batching.roster import Roster, Work
from desktop.runtime.batching.sequences import SequencePool
from desktop.runtime.batching.speculation import choose_speculation
from desktop.runtime.batching.turns import Turns
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.devices.threads import ThreadGovernor
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, as_engine_error, decode_failure
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import STOPPED, MediaChunk

SMALLEST_SHARE = 32
"""Tokens of a prompt that one request reads in a step, when several read at once."""
PERSIST_AFTER = 3.0
"""Seconds without work until conversations are written to the disk tier."""
PERSIST_AGAIN = 0.2
"""Seconds until the disk tier is asked again that had no room for all of them."""
NO_ROOM = 1  # llama_decode: no room in the KV cache


class Scheduler:
    """The requests for one loaded chat model. `cancelled` is filled by the reader thread."""

    def __init__(
        self,
        model: Model,
        *,
        tiers: Tiers,
        log: EngineLog,
        outbox: Outbox,
        cancelled: set[str],
        turns: Turns | None = None,
    ) -> None:
        self._model, self._tiers, self._log, self._outbox = model, tiers, log, outbox
        self._pool = SequencePool(model, tiers)
        self._batch = Batch(model.n_batch)
        self._pace = Pace(model.loaded.n_params, model.n_batch)
        self._governor = ThreadGovernor(model.loaded.n_threads) if model.plan.adapt_threads else None
        turns = turns or Turns()
        self._queue = RequestQueue(turns.now)
        self._roster = Roster(outbox, cancelled, turns)
        self._preparation = Preparation(model)
        self._counting = Counting(self._preparation, self._roster, context=model.n_ctx)
        mode, reason = choose_speculation(
            model.plan.speculation,
            rows=model.plan.n_outputs_max,
            can_go_back=not self._pool.keeps_whole_states,
            has_draft=model.draft is not None,
        )
        model.loaded = msgspec.structs.replace(model.loaded, speculation=mode, speculation_reason=reason)
        self._admission = Admission(
            model,
            pool=self._pool,
            queue=self._queue,
            roster=self._roster,
            preparation=self._preparation,
            step_seconds=None if mode == "off" else self._pace.step_seconds,
        )
        self._persist_at: float | None = None
        self._cramped = ""

    # --- what the main loop asks -----------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._roster.active) or self._others_wait

    @property
    def _others_wait(self) -> bool:
        """Whether anything but those who run needs steps: every kind of work that may wait has to be named here."""
        return bool(self._queue or self._roster.paused or self._counting or self._preparation.works)

    def submit(self, request: AppMessage) -> None:
        """Take a request."""
        request_id = getattr(request, "request_id", "")
        try:
            if self.knows(request_id):
                detail = f"a request {request_id} is being answered already"
                # Not answered with its own id: the owner would take that for the end of the first.
                self._roster.refuse("", EngineError(FailureKind.BAD_REQUEST, detail))
            elif isinstance(request, Generate):
                self._queue.add(request)
            elif isinstance(request, CountTokens):
                self._counting.submit(request)
            elif isinstance(request, ForgetConversations):
                answer = forget(request, pool=self._pool, tiers=self._tiers)
                self._outbox.add(answer, request_id=request.request_id, last=True)
            else:
                detail = "a chat model neither embeds nor ranks"
                raise EngineError(FailureKind.WRONG_PURPOSE, detail)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self._roster.refuse(request_id, as_engine_error(error))
        self._outbox.flush()

    def knows(self, request_id: str) -> bool:
        """Whether a request waits or is being answered."""
        return request_id in self._queue or request_id in self._counting or self._roster.knows(request_id)

    def step(self) -> None:
        """Do one piece of work for everyone whose turn it is."""
        self._adapt_threads()
        if (one := self._alone()) is not None:
            self._batch.clear()
            if self._rows_of(one, 1, draft=self._most_guesses()):
                self._run([one])
        else:
            self._step_for_all()
        self._outbox.flush(now=not self._roster.active)
        self._persist_at = time.monotonic() + PERSIST_AFTER

    def _alone(self) -> Work | None:
        """The one reply that goes on, where nobody else needs anything and there is room enough.

        Most steps are of this kind. What they do beside native code runs with cold caches (the weights have just gone
        through them), where each function that is not called saves microseconds.
        """
        roster, active = self._roster, self._roster.active
        if len(active) != 1 or roster.cancelled or self._others_wait:
            return None
        one, room = active[0], self._pool.ledger.free
        return None if one.reading.left or one.context_is_full or room < self._batch.capacity else one

    def _step_for_all(self) -> None:
        self._roster.end_cancelled()
        self._admission.admit()
        self._counting.advance()
        self._preparation.advance()
        self._outbox.flush()  # should the next step end the child, the owner knows who took part
        if self._roster.active:
            self._decode()
        self._queue.tell_positions(self._outbox)
        if not self._roster.active:
            self._outbox.flush(now=True)  # before the rest: it may be what somebody waits for
            self._preparation.rest()

    def rest(self) -> float | None:
        """Use a moment without work; return the seconds after which to come again, None for never."""
        if self._persist_at is None:
            return None
        left = self._persist_at - time.monotonic()
        if left > 0:
            return left
        if self._pool.persist():
            self._persist_at = None
            return None
        self._persist_at = time.monotonic() + PERSIST_AGAIN
        return PERSIST_AGAIN

    def drain(self, seconds: float) -> None:
        """End everything as cancelled and keep what waits, within `seconds`: the model is going away."""
        for one in self._roster.everyone:
            self._roster.finish(one, "cancelled")
        for waiting in self._queue.in_order():
            self._queue.remove(waiting)
            self._roster.never_begun(waiting.request.request_id)
        self._counting.drain()
        self._outbox.flush(now=True)
        self._preparation.close()  # it uses the model
        self._pool.persist(seconds)

    def status(self, nonce: int) -> Status:
        """What is going on."""
        figures, ledger = self._tiers.figures, self._pool.ledger
        return Status(
            nonce=nonce,
            active=len(self._roster.everyone),
            waiting=len(self._queue),
            sequences=len(self._pool.in_use),
            sequences_idle=len(self._pool.idle),
            cells_used=ledger.used,
            cells_total=ledger.total,
            ram_entries=figures.ram_entries,
            ram_bytes=figures.ram_bytes,
            disk_entries=figures.disk_entries,
            disk_bytes=figures.disk_bytes,
            threads=self._model.threads[0],
        )

    def _adapt_threads(self) -> None:
        threads = self._governor.look(time.monotonic()) if self._governor is not None else None
        if threads is not None:
            self._model.set_threads(threads)
            self._pace.forget()

    # --- one step --------------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        self._perceive()
        for one in list(self._roster.active):
            if one.context_is_full:
                self._roster.finish(one, "context_full")
        if taking_part := self._fill():
            self._run(taking_part)

    def _run(self, taking_part: Sequence[Work]) -> None:
        """Decode the batch, and let each take its rows."""
        started, mark = time.monotonic(), self._log.mark()
        result = self._batch.decode(self._model.context)
        llama.llama_synchronize(self._model.context)
        if result == 0:
            self._learn(taking_part, time.monotonic() - started)
            self._pool.confirm()
            self._cramped = ""
            self._take(taking_part)
        else:
            self._recover(taking_part, self._step_failure(result, mark), result)

    def _fill(self) -> list[Work]:
        """Fill the batch: running replies first, then prompts; make room in the KV cache for all rows."""
        self._batch.clear()
        chunk = self._find_room()
        active = self._roster.active
        decoding = [one for one in active if not one.reading.left]
        reading = [one for one in active if one.reading.left and one.reading.medium is None]
        reading.sort(key=lambda one: one.priority == "batch")
        draft = self._most_guesses() if len(active) == 1 else 0
        taking_part = [one for one in decoding if self._rows_of(one, 1, draft=draft)]
        budget = min(chunk, self._batch.room, self._pool.ledger.free - len(self._batch))
        for place, one in enumerate(reading):
            share = max(budget // (len(reading) - place), min(budget, SMALLEST_SHARE))
            if share > 0:
                rows = self._rows_of(one, share)
                budget -= rows
                taking_part += [one] * bool(rows)
        return taking_part

    def _most_guesses(self) -> int:
        return min(self._model.plan.n_outputs_max, self._pool.ledger.free) - 1

    def _rows_of(self, one: Work, budget: int, *, draft: int = 0) -> int:
        try:
            return one.fill(self._batch, budget, draft=draft)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self._roster.fail(one, as_engine_error(error))
            return 0

    def _find_room(self) -> int:
        """Free cells for the next rows: idle sequences go first, then the last request that came is paused.

        Returns how many tokens of prompts are to be read.
        """
        while True:
            active = self._roster.active
            rows = sum(one.rows for one in active if not one.reading.left)
            chunk = self._pace.chunk(decoding=rows)
            if self._pool.ledger.free >= self._batch.capacity:
                return chunk  # whatever the step does
            left = sum(one.reading.left for one in active)
            if self._pool.make_room(rows + min(chunk, left)) or len(active) < 2:
                return chunk
            if self._pool.ledger.free > rows:
                return chunk  # a shorter piece of a prompt than wanted
            self._roster.pause_last()

    def _perceive(self) -> None:
        """Read one image or recording, which takes as long as it takes; then those without one go on."""
        if self._model.projector is None:
            return
        ready = [one for one in self._roster.active if one.reading.medium is not None]
        one = min(ready, key=lambda one: one.priority == "batch", default=None)
        if one is None or (medium := one.reading.medium) is None or not self._has_room_for(medium):
            return
        started, mark = time.monotonic(), self._log.mark()
        try:
            result = one.perceive(medium, lambda: not self._must_stop(one))
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            self._roster.fail(one, as_engine_error(error))
            return
        llama.llama_synchronize(self._model.context)
        if result == 0:
            one.reading.prefill_seconds += time.monotonic() - started
            self._pool.confirm()
        elif result == STOPPED:
            if not one.undo() and one.request_id not in self._roster.cancelled:
                detail = "what was read of a file for this reply was stopped for another, and could not be taken back"
                self._roster.fail(one, EngineError(FailureKind.INTERNAL, detail))
        elif result != NO_ROOM or not one.undo() or not self._make_any_room():
            self._recover([one], self._step_failure(result, mark), result)

    def _must_stop(self, one: Work) -> bool:
        """Whether an answer to a cancel cannot wait: the owner ends a child that does not give one."""
        if self._model.is_recurrent:  # what was read in part cannot be taken back
            return one.request_id in self._roster.cancelled
        return any(other.request_id in self._roster.cancelled for other in self._roster.everyone)

    def _has_room_for(self, medium: MediaChunk) -> bool:
        """Make room; where that takes more, another is paused, and the next step comes again."""
        # Of images that came back from the disk the ledger does not know what they take beyond their places (M-RoPE).
        # llama_decode says then that there is no room, and it is made as if this had known.
        if self._pool.make_room(medium.cells) or len(self._roster.active) < 2:
            return True
        self._roster.pause_last()
        return False

    def _make_any_room(self) -> bool:
        if self._pool.make_more_room():
            return True
        if len(self._roster.active) < 2:
            return False
        self._roster.pause_last()
        self._roster.crowded = True
        return True

    def _take(self, taking_part: Sequence[Work]) -> None:
        for one in taking_part:
            try:
                reason = one.take()
            except Exception as error:  # noqa: BLE001 - see as_engine_error
                self._roster.fail(one, as_engine_error(error))
                continue
            if reason is not None:
                self._roster.finish(one, reason)

    def _learn(self, taking_part: Sequence[Work], seconds: float) -> None:
        reading = [one for one in taking_part if one.reading.left]
        if not reading:
            self._pace.learn_decode(len(self._batch), seconds)
            return
        decoding = sum(one.rows for one in taking_part if not one.reading.left)
        self._pace.learn_prefill(len(self._batch) - decoding, seconds, decoding=decoding)
        for one in reading:
            one.reading.prefill_seconds += seconds

    # --- a step that failed ----------------------------------------------------------------------------------------

    def _recover(self, taking_part: Sequence[Work], failure: EngineError, result: int) -> None:
        """Nobody's words are lost for another's fault: room is made, or each shows alone whether it was the cause."""
        left = [one for one in taking_part if self._can_go_on(one, failure)]
        if result == NO_ROOM and self._pool.make_more_room():
            return
        if result == NO_ROOM and len(left) > 1:
            self._roster.pause_last()
            self._roster.crowded = True  # or the next step would let it in again
        elif result == NO_ROOM and len(left) == 1 and self._cramped != left[0].request_id:
            # Cells of a sliding window that its beams share are never reused; put back, each has only what it sees.
            self._cramped = left[0].request_id
            self._roster.pause_last()
        elif len(left) == 1:
            self._roster.fail(left[0], failure)
        else:
            self._try_alone(left)

    def _try_alone(self, suspects: Sequence[Work]) -> None:
        for one in suspects:
            self._batch.clear()
            if not self._rows_of(one, SMALLEST_SHARE):
                continue
            mark = self._log.mark()
            result = self._batch.decode(self._model.context)
            if result == 0:
                self._take([one])
            elif self._can_go_on(one, failure := self._step_failure(result, mark)):
                self._roster.fail(one, failure)

    def _can_go_on(self, one: Work, failure: EngineError) -> bool:
        if one.undo():
            return True
        self._roster.fail(one, failure)
        return False

    def _step_failure(self, result: int, mark: int) -> EngineError:
        return decode_failure(result, self._log.problems_since(mark))
