"""Who comes in, and when: a free place, room in the KV cache, the right adapters, a prefix that is on its way."""

from collections.abc import Callable

from desktop.engine.protocol import MOST_BEAMS, FailureKind, Generate
from desktop.runtime.batching.beams import BeamSearch
from desktop.runtime.batching.draft_proposer import DraftProposer
from desktop.runtime.batching.generation import Generation
from desktop.runtime.batching.preparation import Preparation
from desktop.runtime.batching.prompt import Prompt, check_room
from desktop.runtime.batching.reading import Reading
from desktop.runtime.batching.request_queue import RequestQueue, Waiting
from desktop.runtime.batching.roster import Roster, Work
from desktop.runtime.batching.sequences import Lease, SequencePool
from desktop.runtime.batching.speculation import CostlySpeculator, PromptLookup, Speculator
from desktop.runtime.batching.turns import Place
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
        preparation: Preparation,
        step_seconds: Callable[[int], float] | None,
    ) -> None:
        self._model, self._pool, self._queue, self._roster = model, pool, queue, roster
        self._preparation, self._step_seconds = preparation, step_seconds

    def admit(self) -> None:
        """Let go on and begin what can now."""
        if not self._queue and not self._roster.paused:
            return  # nearly every step of a reply
        self._drop_cancelled()
        for one in self._line():
            admitted = self._enter(one)
            if admitted is False and self._roster.active:
                return  # nobody overtakes whoever comes first
            if admitted is False and not isinstance(one, Waiting):
                self._roster.fail(one, EngineError(FailureKind.INTERNAL, "what was read could not be put back"))

    def _line(self) -> list[Waiting | Work]:
        """Everybody who does not run, as they are to come in."""
        now = self._roster.turns.now()
        everybody: list[Waiting | Work] = [*self._queue, *self._roster.paused]
        return sorted(everybody, key=lambda one: self._place_of(one).order(now))

    def _place_of(self, one: Waiting | Work) -> Place:
        return one.place if isinstance(one, Waiting) else self._roster.turns.place(one.request_id)

    def _drop_cancelled(self) -> None:
        """Also of those who wait behind others: their owners are not to wait for that."""
        if self._roster.cancelled:
            for waiting in self._queue.in_order():
                if waiting.request.request_id in self._roster.cancelled:
                    self._queue.remove(waiting)
                    self._roster.never_begun(waiting.request.request_id)

    def _enter(self, one: Waiting | Work) -> bool | None:
        """Let one run. False: there is no room yet; None: it waits for its prompt, or for what another is just reading.

        True also where it cannot run and was told so: the line is shorter.
        """
        try:
            admitted = self._try(one)
            while admitted is False and self._make_way_for(one):
                admitted = self._try(one)
        except Exception as error:  # noqa: BLE001 - see as_engine_error
            admitted = True
            if isinstance(one, Waiting):
                self._roster.refuse(one.request.request_id, as_engine_error(error))
            else:
                self._roster.fail(one, as_engine_error(error))
        if admitted and isinstance(one, Waiting):
            self._queue.remove(one)
        return admitted

    def _try(self, one: Waiting | Work) -> bool | None:
        if isinstance(one, Waiting):
            return self._begin(one) if self._is_prepared(one) else None
        return self._go_on(one)

    def _go_on(self, work: Work) -> bool:
        if not self._has_place_for(work.width) or not self._agree_on(self._roster.turns.scales(work.request_id)):
            return False
        return self._roster.resume(work)

    def _begin(self, waiting: Waiting) -> bool | None:
        request, active = waiting.request, self._roster.active
        beams = request.sampling.beams
        if not self._has_place_for(beams if beams <= MOST_BEAMS else 0):  # too many for any are refused when they begin
            return False
        prompt = waiting.prompt = waiting.prompt or self._preparation.build(request)
        check_room(prompt.cells, self._model.n_ctx)
        scales = self._scales_of(request)
        if not self._agree_on(scales):
            return False
        adapters = self._model.adapters.key
        there, coming = self._pool.longest_pending(prompt.tokens, adapters)
        if coming - there >= WORTH_WAITING_FOR:
            return None
        if active and not self._has_room_for(request, prompt.cells - there):
            return False
        lease = self._pool.lease(prompt.tokens, adapters, as_given=prompt.as_given, conversation=request.conversation)
        if lease is None:
            return False
        try:
            work = self._make_work(waiting, prompt, lease)
            work.reading.tell()
        except Exception:
            self._pool.release(lease.sequence)
            raise
        self._roster.begin(work, waiting.place, scales=scales, endless=self._is_endless(request))
        return True

    def _is_prepared(self, waiting: Waiting) -> bool:
        """Whether its prompt is there or is made in no time; otherwise it is asked for, also where no place is free."""
        if waiting.prompt is not None:
            return True
        waiting.job = waiting.job or self._preparation.begin(waiting.request)
        if waiting.job is None:
            return True
        if not waiting.job.done:
            self._preparation.ask("reply", waiting.job)
            return False
        job, waiting.job = waiting.job, None
        waiting.prompt = job.result()
        check_room(waiting.prompt.cells, self._model.n_ctx)
        return True

    def _has_place_for(self, sequences: int) -> bool:
        """Whether one that takes so many may run beside those who do."""
        roster = self._roster
        if not roster.active:
            return True
        too_many = len(roster.active) >= self._model.plan.n_parallel or roster.crowded
        return roster.width + sequences <= self._model.n_seq_max and not too_many

    def _scales_of(self, request: Generate) -> tuple[float, ...]:
        adapters = self._model.adapters
        return adapters.planned if request.adapter_scales is None else adapters.checked(request.adapter_scales)

    def _agree_on(self, scales: tuple[float, ...]) -> bool:
        """Adapters act on the whole context: others have to wait until nobody runs. Whoever is paused remembers its."""
        if scales != self._model.adapters.scales:
            if self._roster.active:
                return False
            self._model.adapters.set_scales(self._model.context, scales)
        return True

    def _is_endless(self, request: Generate) -> bool:
        """Whether it may go on longer than its context holds."""
        sampling, model = request.sampling, self._model
        shifts = request.context_shift and model.can_shift and sampling.beams <= 1
        return shifts and (not sampling.max_length or sampling.max_length > model.n_ctx)

    def _has_room_for(self, request: Generate, tokens: int) -> bool:
        wanted = min(tokens + max(request.sampling.max_length, 1), self._model.n_ctx)
        reserved = sum(one.reserved for one in self._roster.active)
        return self._pool.make_room(min(wanted + reserved, self._pool.ledger.total))

    def _make_way_for(self, one: Waiting | Work) -> bool:
        """Pause one of those who run for whoever comes first: a batch request for a person, or one whose turn is over.

        Where the adapters have to change, everybody has to be paused, or nobody is.
        """
        turns, active = self._roster.turns, self._roster.active
        able = {work.request_id: work for work in active if work.can_pause}
        scales = self._scales_of(one.request) if isinstance(one, Waiting) else turns.scales(one.request_id)
        enough = 1 if scales == self._model.adapters.scales else len(active)
        over = turns.who_yields(self._place_of(one), able)
        if isinstance(one, Waiting) and one.request.priority != "batch":
            polite = [work for work in able.values() if work.priority == "batch" and not turns.insists(work.request_id)]
            if polite and len(polite) >= enough:
                self._roster.pause(polite[-1])
                return True
        if over and len(over) >= enough:
            self._roster.end_turn(able[over[0]])
            return True
        return False

    def _make_work(self, waiting: Waiting, prompt: Prompt, lease: Lease) -> Work:
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
