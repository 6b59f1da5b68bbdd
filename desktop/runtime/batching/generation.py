"""One reply in the making: its prompt in chunks, then a token (or several, speculated) per step."""

from collections.abc import Callable, Sequence

import msgspec

from desktop.engine.protocol import (
    ChosenToken,
    ContextShifted,
    Done,
    FinishReason,
    Generate,
    GenerationStats,
)
from desktop.runtime.batching.batch import Batch
from desktop.runtime.batching.outbox import Outbox
from desktop.runtime.batching.prompt import Prompt, make_reader
from desktop.runtime.batching.reading import Reading
from desktop.runtime.batching.sequences import KvSequence, Lease, SavedSequence, SequencePool
from desktop.runtime.batching.speculation import Speculator
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk
from desktop.runtime.media.places import after_chunk, text_only
from desktop.runtime.replies.parts import Part
from desktop.runtime.sampling.chain import SamplerChain

FORGOTTEN_SHARE = 2
"""A context shift forgets one in so many of the tokens that may go."""


class Generation:
    """A request that has a sequence. The scheduler calls `fill`, decodes, then `take` or `undo`.

    speculate: makes what guesses how a prompt goes on; None where nothing is to be guessed.
    """

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
        speculate: Callable[[list[int]], Speculator | None],
    ) -> None:
        self.request, self.request_id, self.priority = request, request.request_id, request.priority
        self._model, self._pool, self._outbox = model, pool, outbox
        self.reading = reading
        self.sequence: KvSequence = lease.sequence
        self._reader = make_reader(model, prompt, request)
        # What holds something native comes last: a request that is refused must leave nothing behind.
        self._sampler = SamplerChain(request.sampling, vocabulary=model.vocabulary, n_ctx=model.n_ctx)
        self._sampler.see_prompt(text_only(lease.prompt))
        self._speculator = speculate(lease.prompt)
        self._token, self._made, self._discarded = -1, 0, 0
        self._row, self._decoding = 0, list[int]()
        self._calls: set[int] = set()
        self._unread: list[tuple[int, ChosenToken | None]] = []
        self._spoke = False
        self._saved: SavedSequence | None = None

    # --- what the scheduler asks -----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """Rows of a step once the prompt is read."""
        return 1

    @property
    def width(self) -> int:
        """A reply has one sequence."""
        return 1

    @property
    def can_pause(self) -> bool:
        """One sequence fits into any cache that it came from."""
        return True

    @property
    def reserved(self) -> int:
        """Cells the rest of the request may still take, at most what the context holds."""
        limit = self.request.sampling.max_length
        wanted = self.reading.left + (max(limit - self._made, 1) if limit else 1)
        return min(wanted, self._model.n_ctx - self.sequence.cells)

    @property
    def context_is_full(self) -> bool:
        """Whether not one token more fits into the context, and the request does not allow to forget."""
        return self.sequence.cells >= self._model.n_ctx and not self._may_shift

    def fill(self, batch: Batch, budget: int, *, draft: int = 0) -> int:
        """Add this request's rows: at most `budget` of its prompt, or its next token and up to `draft` guesses.

        Returns how many rows were added.
        """
        position = len(self.sequence.tokens)
        if self.reading.left:
            rows = self.reading.fill(batch, budget, self.sequence)
            self._row = rows.stop - 1
            return len(rows)
        if position >= self._model.n_ctx:
            position = self._shift()
        guesses = self._guess(min(draft, self._model.n_ctx - self.sequence.cells - 1, batch.room - 1))
        self._decoding = [self._token, *guesses]
        self._row = batch.add(self._decoding, position, self.sequence.id, logits=True)
        return len(self._decoding)

    def take(self) -> FinishReason | None:
        """Use the logits of the rows that were decoded; return why the reply ends, or None."""
        if self.reading.left:
            return self._take_prompt()
        self.sequence.extend(self._decoding)
        return self._take_tokens(self._row, self._decoding[1:])

    def perceive(self, medium: MediaChunk, go_on: Callable[[], bool]) -> int:
        """Read the image or recording that is next; see Reading."""
        return self.reading.perceive(medium, go_on, self.sequence)

    def undo(self) -> bool:
        """The step failed: drop what a part of it may have left in the cache; False where the reply cannot go on."""
        return self.sequence.undo()

    def suspend(self) -> None:
        """Give the sequence up for a while; its state waits here."""
        self._read_out()  # nobody is to wait for these words until its turn comes again
        self._saved = self._pool.save(self.sequence)
        self._pool.give_up(self.sequence)

    def resume(self) -> bool:
        """Take a sequence again; False where there is no room yet."""
        sequence = self._saved and self._pool.restore(self._saved)
        if sequence is None:
            return False
        self.sequence, self._saved = sequence, None
        return True

    def finish(self, reason: FinishReason) -> None:
        """Say what is held back, and Done."""
        self._read_out()
        for part in self._reader.finish():
            self._say(part)
        if reason == "stop" and self._calls:
            reason = "tool_calls"
        done = Done(request_id=self.request_id, finish_reason=reason, stats=self._stats())
        self._outbox.add(done, request_id=self.request_id, last=True)

    def close(self) -> None:
        """Free the native sampler and give the sequence back."""
        self._sampler.close()
        if self._speculator is not None:
            self._speculator.close()
        if self._saved is None:
            self._pool.release(self.sequence)

    # --- the prompt ------------------------------------------------------------------------------------------------

    def _take_prompt(self) -> FinishReason | None:
        if not self.reading.take(self.sequence):
            return None
        if self._pool.keeps_whole_states:
            self._pool.remember(self.sequence)
        self.reading.end()
        return self._take_tokens(self._row, ())

    # --- tokens ----------------------------------------------------------------------------------------------------

    def _take_tokens(self, row: int, guesses: Sequence[int]) -> FinishReason | None:
        """Choose a token at `row`, and at the rows behind it as long as the guesses turn out right."""
        chosen: list[int] = []
        reason: FinishReason | None = None
        for place in range(len(guesses) + 1):
            token = self._sampler.sample(self._model.context, row + place)
            chosen.append(token)
            reason = self._accept(token, row + place)
            if reason is not None or place == len(guesses) or guesses[place] != token:
                break
        if self._speculator is not None:
            self._speculator.learn(chosen, len(guesses))
        wrong = len(guesses) - (len(chosen) - 1)
        if wrong > 0:
            self.sequence.truncate(len(self.sequence.tokens) - wrong)
        self._token = chosen[-1]
        return reason

    def _accept(self, token: int, row: int) -> FinishReason | None:
        """Say a token that was chosen; return why the reply ends with it, or None."""
        if self._model.vocabulary.ends_generation(token):
            return "stop"
        self._made += 1
        told = self.request.sampling.logprobs >= 0
        self._unread.append((token, self._sampler.describe(self._model.context, row, token) if told else None))
        # Tokens are read together, just before their text crosses: that is warm work where one by one is cold. What can
        # end the reply is looked for at once, and the first word is waited for.
        if self._reader.may_stop or not self._spoke or self._outbox.awaits(self.request_id):
            self._read_out()
        if self._reader.stopped or self._sampler.ended:
            return "stop"
        if self._made == self.request.sampling.max_length:
            return "length"
        return None

    def _read_out(self) -> None:
        for token, described in self._unread:
            if described is not None:  # each crosses with its own text
                self._outbox.add_token(self.request_id, described)
            for part in self._reader.feed(token):
                self._say(part)
        self._unread.clear()

    def _say(self, part: Part) -> None:
        self._spoke = True
        if part.kind == "tool_call":
            (self._calls.discard if part.withdrawn else self._calls.add)(part.index)
        self._outbox.add_part(self.request_id, part)

    # --- speculation and a full context ----------------------------------------------------------------------------

    def _guess(self, limit: int) -> list[int]:
        left = self.request.sampling.max_length - self._made - 1
        if self.request.sampling.max_length:
            limit = min(limit, left)
        return self._speculator.draft(limit) if self._speculator is not None else []

    @property
    def _may_shift(self) -> bool:
        return self.request.context_shift and self._model.can_shift

    def _shift(self) -> int:
        """Forget the older half of what may go; return the new position."""
        tokens = self.sequence.tokens
        kept = after_chunk(tokens, min(max(self.request.keep_tokens, 1), len(tokens) - 2))
        count = after_chunk(tokens, kept + max((len(tokens) - kept) // FORGOTTEN_SHARE, 1)) - kept
        self._pool.discard(self.sequence, kept, count)
        self._discarded += count
        self._read_out()
        shifted = ContextShifted(request_id=self.request_id, kept=kept, discarded=count)
        self._outbox.add(shifted, request_id=self.request_id)
        return len(self.sequence.tokens)

    # --- figures ---------------------------------------------------------------------------------------------------

    def _stats(self) -> GenerationStats:
        speculator = self._speculator
        return msgspec.structs.replace(
            self.reading.stats(self._made),
            context_used=len(self.sequence.tokens),
            seed=self._sampler.seed,
            drafted=speculator.drafted if speculator else 0,
            accepted=speculator.accepted if speculator else 0,
            discarded=self._discarded,
        )
