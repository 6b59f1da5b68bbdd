"""Beam search: the likeliest of several continuations, for translation and short extraction; it rarely helps a chat.

llama.cpp leaves it to its user. All beams are rows of one batch, a sequence each; a beam that branches shares its
cells with its branches. Greedy by nature: no sampler acts. Scores are sums of log-probabilities, divided by
length ** length_penalty (Wu et al., 2016, without its constants).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from desktop.engine.protocol import (
    Beams,
    Done,
    FailureKind,
    FinishReason,
    Generate,
    GenerationStats,
    Sampling,
)
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.cells import count_cells
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.prompt import Prompt, make_reader
from desktop.runtime.batching.reading import Reading
from desktop.runtime.batching.sequences import KvSequence, Lease, SavedSequence, SequencePool
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk
from desktop.runtime.sampling.candidates import Logits, check_numbers, read_logits
from desktop.runtime.sampling.ranges import check_ranges


class _Beam(NamedTuple):
    """A continuation: its sequence (which holds all but the last token), its tokens and the sum of their logs."""

    sequence: KvSequence
    tokens: tuple[int, ...]
    score: float


class _Finished(NamedTuple):
    tokens: tuple[int, ...]
    score: float  # divided by its length
    ended: bool


class BeamSearch:
    """A request with several beams; see Work in roster.py. Raises EngineError where the model cannot do it."""

    def __init__(
        self,
        request: Generate,
        prompt: Prompt,
        lease: Lease,
        reading: Reading,
        *,
        model: Model,
        pool: SequencePool,
        outbox: Outbox,
    ) -> None:
        self.request_id, self.priority = request.request_id, request.priority
        self._request, self._model, self._pool, self._outbox = request, model, pool, outbox
        self._width = request.sampling.beams
        _check(model, request.sampling)
        self._reader = make_reader(model, prompt, request)
        self.reading = reading
        self._beams = [_Beam(lease.sequence, (), 0.0)]
        self._finished: list[_Finished] = []
        self._rows: list[int] = []
        self._saved: list[SavedSequence] = []
        self._made = 0

    # --- what the scheduler asks -----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """A row per beam."""
        return len(self._beams)

    @property
    def width(self) -> int:
        """A sequence per beam."""
        return self._width

    @property
    def can_pause(self) -> bool:
        """What beams share is put back once for each of them, and may be more than there is."""
        return sum(len(beam.sequence.tokens) for beam in self._beams) + self.rows <= self._pool.ledger.total

    @property
    def reserved(self) -> int:
        """Cells it may still take: each beam goes its own way after the prompt."""
        length = self._request.sampling.max_length
        wanted = self.reading.left + self._width * max(length - self._made, 1)
        return min(wanted, self._model.n_ctx)

    @property
    def context_is_full(self) -> bool:
        """Whether not one token more of each beam fits; what they share is there once."""
        if not self._beams:
            return False
        strands = [beam.sequence.strand for beam in self._beams]
        longest, total = max(strand.size for strand in strands), self._pool.ledger.total
        if sum(strand.size for strand in strands) + self.rows <= total and longest < self._model.n_ctx:
            return False
        return longest >= self._model.n_ctx or count_cells(strands) + self.rows > total

    def fill(self, batch: Batch, budget: int, *, draft: int = 0) -> int:
        """Add the next piece of the prompt, or a row per beam."""
        if self.reading.left:
            rows = self.reading.fill(batch, budget, self._beams[0].sequence)
            self._rows = [rows.stop - 1]
            return len(rows)
        self._rows = [
            batch.add(beam.tokens[-1:], len(beam.sequence.tokens), beam.sequence.id, logits=True)
            for beam in self._beams
        ]
        return len(self._rows)

    def take(self) -> FinishReason | None:
        """Let the beams grow; return why the search ends, or None."""
        if self.reading.left:
            return self._take_prompt()
        for beam in self._beams:
            beam.sequence.extend(beam.tokens[-1:])
        return self._grow()

    def perceive(self, medium: MediaChunk, go_on: Callable[[], bool]) -> int:
        """Read the image or recording that is next; see Reading."""
        return self.reading.perceive(medium, go_on, self._beams[0].sequence)

    def undo(self) -> bool:
        """Drop what a failed step may have left."""
        undone = [beam.sequence.undo() for beam in self._beams]  # each of them, also after one that failed
        return all(undone)

    def suspend(self) -> None:
        """Give all sequences up for a while."""
        self._saved = [self._pool.save(beam.sequence) for beam in self._beams]  # all of them, or none
        for beam in self._beams:
            self._pool.give_up(beam.sequence)

    def resume(self) -> bool:
        """Take as many sequences again; False where there is no room yet."""
        taken: list[KvSequence] = []
        for saved in self._saved:
            sequence = self._pool.restore(saved)
            if sequence is None:
                for one in taken:
                    self._pool.give_up(one)
                return False
            taken.append(sequence)
        if taken:
            self._beams = [beam._replace(sequence=one) for beam, one in zip(self._beams, taken, strict=True)]
        self._saved = []
        return True

    def finish(self, reason: FinishReason) -> None:
        """Say the best hypothesis as the reply, then all of them, and Done."""
        hypotheses = self._hypotheses()
        if hypotheses:
            for token in hypotheses[0].tokens:
                for part in self._reader.feed(token):
                    self._outbox.add_part(self.request_id, part)
            for part in self._reader.finish():
                self._outbox.add_part(self.request_id, part)
            beams = Beams(
                request_id=self.request_id,
                texts=tuple(self._text(one.tokens) for one in hypotheses),
                scores=tuple(one.score for one in hypotheses),
            )
            self._outbox.add(beams, request_id=self.request_id)
        done = Done(request_id=self.request_id, finish_reason=reason, stats=self._stats(hypotheses))
        self._outbox.add(done, request_id=self.request_id, last=True)

    def close(self) -> None:
        """Give the sequences back; the best one's waits for a next turn."""
        if self._saved:
            return
        best, *others = self._beams
        self._pool.release(best.sequence)
        for beam in others:
            self._pool.give_up(beam.sequence)

    # --- the search ------------------------------------------------------------------------------------------------

    def _take_prompt(self) -> FinishReason | None:
        if not self.reading.take(self._beams[0].sequence):
            return None
        self.reading.end()
        return self._grow()

    def _grow(self) -> FinishReason | None:
        """Choose the best continuations of all beams together."""
        self._made += 1
        chosen: list[tuple[_Beam, int, float]] = []
        for beam, token, score in self._candidates():
            tokens = (*beam.tokens, token)
            if self._model.vocabulary.ends_generation(token):
                self._finished.append(_Finished(beam.tokens, self._normal(score, len(tokens)), ended=True))
            elif self._stop_in(tokens) >= 0:
                self._finished.append(_Finished(tokens, self._normal(score, len(tokens)), ended=True))
            else:
                chosen.append((beam, token, score))
            if len(chosen) == self._width:
                break
        self._finished = sorted(self._finished, key=lambda one: -one.score)[: self._width]
        if not chosen or self._is_decided(chosen[0][2]):
            return "stop"
        self._branch(chosen)
        if self._made == self._request.sampling.max_length:
            return "length"
        return None

    def _candidates(self) -> list[tuple[_Beam, int, float]]:
        """The 2 * width likeliest next tokens of all beams, best first: enough where half of them are ends."""
        found: list[tuple[_Beam, int, float]] = []
        for beam, row in zip(self._beams, self._rows, strict=True):
            logs = _log_softmax(self._model, row)
            best = np.argpartition(logs, -2 * self._width)[-2 * self._width :]
            found += [(beam, int(token), beam.score + float(logs[token])) for token in best if np.isfinite(logs[token])]
        return sorted(found, key=lambda one: -one[2])[: 2 * self._width]

    def _branch(self, chosen: Sequence[tuple[_Beam, int, float]]) -> None:
        """Give each chosen continuation a sequence: its parent's for the first, a copy for the others."""
        parents = [beam for beam in self._beams if any(parent is beam for parent, _, _ in chosen)]
        for beam in self._beams:
            if beam not in parents:
                self._pool.give_up(beam.sequence)
        # Whatever happens now, close() gives back all that is in _beams.
        self._beams, left = list(parents), {parent.sequence.id for parent in parents}
        grown: list[_Beam] = []
        for parent, token, score in chosen:
            if parent.sequence.id in left:
                left.remove(parent.sequence.id)
                sequence = parent.sequence
            else:
                sequence = self._pool.fork(parent.sequence)
                self._beams.append(parent._replace(sequence=sequence))
            grown.append(_Beam(sequence, (*parent.tokens, token), score))
        self._beams = grown

    def _is_decided(self, best_alive: float) -> bool:
        """Whether no beam that grows can overtake the finished ones: their logs only get smaller."""
        if len(self._finished) < self._width:
            return False
        longest = self._request.sampling.max_length or self._made
        possible = max(self._normal(best_alive, self._made), self._normal(best_alive, max(longest, self._made)))
        return possible <= self._finished[-1].score

    def _normal(self, score: float, length: int) -> float:
        return float(score / max(length, 1) ** self._request.sampling.length_penalty)

    def _hypotheses(self) -> list[_Finished]:
        alive = [_Finished(one.tokens, self._normal(one.score, len(one.tokens)), ended=False) for one in self._beams]
        # What ended by itself is a whole answer; what was cut by the length limit only fills up.
        whole = sorted(self._finished, key=lambda one: -one.score)
        rest = sorted((one for one in alive if one.tokens), key=lambda one: -one.score)
        return [*whole, *rest][: self._width]

    def _spell(self, tokens: Sequence[int]) -> str:
        return b"".join(self._model.vocabulary.piece(token) for token in tokens).decode("utf-8", "replace")

    def _stop_in(self, tokens: Sequence[int]) -> int:
        """Where the first stop string begins; -1 without one."""
        stops = self._request.sampling.stop
        text = self._spell(tokens) if stops else ""
        return min((place for stop in stops if stop and (place := text.find(stop)) >= 0), default=-1)

    def _text(self, tokens: Sequence[int]) -> str:
        place = self._stop_in(tokens)
        return self._spell(tokens) if place < 0 else self._spell(tokens)[:place]

    def _stats(self, hypotheses: Sequence[_Finished]) -> GenerationStats:
        return msgspec.structs.replace(
            self.reading.stats(self._made),
            completion_tokens=len(hypotheses[0].tokens) if hypotheses else 0,
            context_used=len(self._beams[0].sequence.tokens),
        )


def _log_softmax(model: Model, row: int) -> Logits:
    """Natural logarithms of the model's probabilities at a row of the last batch."""
    logits = read_logits(model.context, row, model.vocabulary.size)
    check_numbers(logits, thoroughly=True)
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float32)


def _check(model: Model, sampling: Sampling) -> None:
    check_ranges(sampling, vocabulary_size=model.vocabulary.size)
    problem, width = "", sampling.beams
    if model.is_recurrent:
        problem = "beam search needs a model that can branch, and this one keeps a single running state"
    elif sampling.grammar or sampling.json_schema:
        problem = "beam search follows no grammar and no JSON schema"
    elif model.n_seq_max < 2 * width or model.plan.n_outputs_max < width:
        problem = f"{width} beams need {2 * width} sequences, and the plan has {model.n_seq_max}"
    if problem:
        raise EngineError(FailureKind.BAD_REQUEST, problem)
