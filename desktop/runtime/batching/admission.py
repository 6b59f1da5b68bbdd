"""Who comes in, and when: a free place, room in the KV cache, the right adapters, a prefix that is on its way."""

import time
from collections.abc import Callable

from desktop.engine.protocol import MOST_BEAMS, FailureKind, Generate
from desktop.runtime.batching.beams import BeamSearch
from desktop.runtime.batching.draft_proposer import DraftProposer
from desktop.runtime.batching.generation import Generation
from desktop.runtime.batching.prompt import Prompt, build_prompt, check_room
from desktop.runtime.batching.reading import Reading
from desktop.runtime.batching.request_queue import RequestQueue, Waiting
from desktop.runtime.batching.roster import Roster, Work
from desktop.runtime.batching.sequences import Lease, SequencePool
from desktop.runtime.batching.speculation import CostlySpeculator, PromptLookup, Speculator
from desktop.runtime.failures import EngineError, as_engine_error
from desktop.runtime.loading.model import Model

WORTH_WAITING_FOR = 64
"""Tokens of a common prefix that another request is just reading: fewer are read twice rather than waited for."""


class Admission:
    """Lets requests begin.

    step_seconds: how long a step of so many rows takes; None where nothing is to be speculated.
    """

    def __init__(
        self,
        model: Model,
        *,
        pool: SequencePool,
        queue: RequestQueue,
        roster: Roster,
        step_seconds: Callable[[int], float] | None,
    ) -> None:
        self._model, self._pool, self._queue, self._roster = model, pool, queue, roster
        self._step_seconds = step_seconds

    def submit(self, request: Generate) -> None:
        """Take a request into the queue. Raises EngineError(QUEUE_FULL)."""
        request_id = request.request_id
        if self._roster.knows(request_id) or request_id in self._queue:
            # Not answered with its own id: the owner would take that for the end of the first.
            detail = f"a request {request_id} is being answered already"
            self._roster.refuse("", EngineError(FailureKind.BAD_REQUEST, detail))
        else:
            self._queue.add(Waiting(request, time.monotonic()))

    def admit(self) -> None:
        """Let go on and begin what can now."""
        if not self._queue and not self._roster.paused:
            return  # nearly every step of a reply
        self._drop_cancelled()
        self._resume(people_only=self._queue.has_people)
        self._begin_waiting()
        if self._roster.paused and not self._roster.active:
            self._resume(people_only=False)  # whoever waits needs what only they can give back
            if not self._roster.active:
                error = EngineError(FailureKind.INTERNAL, "what was read could not be put back")
                self._roster.fail(self._roster.paused[0], error)

    def _resume(self, *, people_only: bool) -> None:
        plan = self._model.plan
        self._roster.resume(requests=plan.n_parallel, sequences=self._model.n_seq_max, people_only=people_only)

    def _drop_cancelled(self) -> None:
        """Also of those who wait behind others: their owners are not to wait for that."""
        if self._roster.cancelled:
            for waiting in self._queue.in_order():
                if waiting.request.request_id in self._roster.cancelled:
                    self._queue.remove(waiting)
                    self._roster.never_begun(waiting.request.request_id)

    def _begin_waiting(self) -> None:
        for waiting in self._queue.in_order():
            try:
                admitted = self._try(waiting)
                while admitted is False and self._make_way_for(waiting.request):
                    admitted = self._try(waiting)
            except Exception as error:  # noqa: BLE001 - see as_engine_error
                self._queue.remove(waiting)
                self._roster.refuse(waiting.request.request_id, as_engine_error(error))
                continue
            if admitted:
                self._queue.remove(waiting)
            elif admitted is False:
                return

    def _try(self, waiting: Waiting) -> bool | None:
        """Begin a request. False: there is no room yet; None: another is just reading a prefix that it shares."""
        request, active = waiting.request, self._roster.active
        if active and not self._has_place_for(request):
            return False
        prompt = waiting.prompt = waiting.prompt or build_prompt(self._model, request)
        check_room(prompt.cells, self._model.n_ctx)
        if not self._agree_on_adapters(request):
            return False
        adapters = self._model.adapters.key
        there, coming = self._pool.longest_pending(prompt.tokens, adapters)
        if coming - there >= WORTH_WAITING_FOR:
            return None
        if active and not self._has_room_for(request, prompt.cells - there):
            return False
        lease = self._pool.lease(prompt.tokens, adapters)
        if lease is None:
            return False
        try:
            work = self._begin(waiting, prompt, lease)
            active.append(work)
            work.reading.tell()
        except Exception:
            self._pool.release(lease.sequence)
            raise
        return True

    def _has_place_for(self, request: Generate) -> bool:
        """Beside those who run. Each beam takes a sequence; too many for any are refused when they begin."""
        wanted, free = request.sampling.beams, self._model.n_seq_max - self._roster.width
        too_many = len(self._roster.active) >= self._model.plan.n_parallel or self._roster.crowded
        return (wanted <= free or wanted > MOST_BEAMS) and not too_many

    def _scales_of(self, request: Generate) -> tuple[float, ...]:
        adapters = self._model.adapters
        return adapters.planned if request.adapter_scales is None else adapters.checked(request.adapter_scales)

    def _agree_on_adapters(self, request: Generate) -> bool:
        """Adapters act on the whole context: those who run are answered first."""
        scales = self._scales_of(request)
        if scales != self._model.adapters.scales:
            if self._roster.everyone:
                return False
            self._model.adapters.set_scales(self._model.context, scales)
        return True

    def _has_room_for(self, request: Generate, tokens: int) -> bool:
        wanted = min(tokens + max(request.sampling.max_length, 1), self._model.n_ctx)
        reserved = sum(one.reserved for one in self._roster.active)
        return self._pool.make_room(min(wanted + reserved, self._pool.ledger.total))

    def _make_way_for(self, request: Generate) -> bool:
        """Pause a batch request for a person; not where the adapters have to change, which paused requests hinder."""
        if request.priority == "batch" or self._scales_of(request) != self._model.adapters.scales:
            return False
        if not any(one.priority == "batch" and one.can_pause for one in self._roster.active):
            return False
        self._roster.pause_last()
        return True

    def _begin(self, waiting: Waiting, prompt: Prompt, lease: Lease) -> Work:
        request, model, pool, outbox = waiting.request, self._model, self._pool, self._roster.outbox
        reading = Reading(
            request.request_id, prompt, lease, model=model, pool=pool, outbox=outbox, received=waiting.received
        )
        if request.sampling.beams > 1:
            return BeamSearch(request, prompt, lease, reading, model=model, pool=pool, outbox=outbox)
        return Generation(
            request,
            prompt,
            lease,
            reading,
            model=model,
            pool=pool,
            outbox=outbox,
            speculate=self._speculator_for,
        )

    def _speculator_for(self, prompt: list[int]) -> Speculator | None:
        if self._step_seconds is None:
            return None
        draft = self._model.draft
        # A draft model reads words only.
        drafts = self._model.loaded.speculation == "draft" and min(prompt) >= 0
        if drafts and draft is not None and draft.free_sequences:
            return CostlySpeculator(DraftProposer(draft, draft.free_sequences[0], prompt), self._step_seconds)
        return Speculator(PromptLookup(prompt), self._step_seconds)
