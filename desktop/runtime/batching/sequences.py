"""The sequences of the KV cache: who uses them, what they hold, and how a new prompt re-uses what is there.

A prompt begins where another sequence already is, busy or idle: copying the names of its cells takes microseconds,
reading its tokens again takes seconds. Sequences that wait for their next turn give way, least recently used first,
when others need the room; what they hold goes to the tiers of runtime/cache and comes back from there.
"""

import ctypes
import itertools
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import CachedIn, FailureKind
from desktop.runtime.batching.alignment import align, common_prefix
from desktop.runtime.batching.cells import CellLedger, Strand
from desktop.runtime.cache.entries import CacheMiss, Hit
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk
from desktop.runtime.media.places import whole_chunks

WORTH_KEEPING = 64
"""Tokens; less than this is read again faster than it is looked after."""
WORTH_LOADING = 32
"""Tokens a tier must have beyond what the KV cache holds already."""


class KvSequence:
    """One sequence id of the context, and the tokens that are in it."""

    def __init__(self, pool: "SequencePool", number: int) -> None:
        self._pool, self.id = pool, number
        self.tokens: list[int] = []
        self.adapters = ""
        self.busy = False
        self.used = 0
        self.persisted = 0
        """Tokens of it that are in the disk tier."""
        self.pending: Sequence[int] = ()
        """What its request is going to read: others wait for a long prefix that is on its way."""
        self.strand = Strand(pool.ledger)
        self.exact: int | None = None
        """Tokens before the place of a context shift; None where there was none."""

    def extend(self, tokens: Sequence[int]) -> None:
        """Note that `tokens` were decoded behind what is there."""
        self.strand.extend(len(tokens))
        if self._pool.hidden_cells:
            for place, token in enumerate(tokens, start=len(self.tokens)):
                if more := self._pool.hidden_cells.get(token):
                    self.strand.hide(place, more)
        self.tokens.extend(tokens)

    @property
    def cells(self) -> int:
        """Cells it takes; more than tokens where it has images of a model with M-RoPE."""
        return self.strand.size

    @property
    def reusable(self) -> list[int]:
        """What others may continue: what stands behind a context shift was computed with what is forgotten."""
        return self.tokens if self.exact is None else self.tokens[: self.exact]

    def undo(self) -> bool:
        """Drop what a step that failed may have left behind the tokens; False (and empty) where that cannot be done."""
        end = int(llama.llama_memory_seq_pos_max(self._pool.memory, self.id)) + 1
        return end == len(self.tokens) or self.truncate(len(self.tokens))

    def truncate(self, length: int) -> bool:
        """Keep the first `length` tokens, also natively; False (and empty) where the model cannot go back."""
        if llama.llama_memory_seq_rm(self._pool.memory, self.id, length, -1):
            self.strand.truncate(length)
            del self.tokens[length:]
            self.persisted = min(self.persisted, length)
            if self.exact is not None and length <= self.exact:
                self.exact = None
            return True
        self.clear()
        return False

    def discard(self, start: int, count: int) -> None:
        """Forget `count` tokens from `start` on; what follows moves up (a context shift)."""
        memory = self._pool.memory
        if not llama.llama_memory_seq_rm(memory, self.id, start, start + count):
            raise EngineError(FailureKind.INTERNAL, "a part of the context could not be taken out")
        llama.llama_memory_seq_add(memory, self.id, start + count, -1, -count)
        self.strand.drop(start, count)
        del self.tokens[start : start + count]
        self.exact = start if self.exact is None else min(start, self.exact)
        self.pending = ()  # nobody can wait for a prefix here any more

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_seq_rm(self._pool.memory, self.id, -1, -1)
        self.strand.truncate(0)
        self.tokens.clear()
        self.persisted, self.exact = 0, None


class Lease(NamedTuple):
    """A sequence for a request. prompt: its tokens, written as the cache has them; the first `cached` are there."""

    sequence: KvSequence
    prompt: list[int]
    cached: int
    cached_in: CachedIn


class SavedSequence(NamedTuple):
    """What a sequence held that was given up for a while."""

    tokens: list[int]
    adapters: str
    state: bytes
    exact: int | None


class SequencePool:
    """All sequences of one context. Only the engine's thread uses it."""

    def __init__(self, model: Model, tiers: Tiers) -> None:
        self._model, self._tiers = model, tiers
        self.memory: Any = llama.llama_get_memory(model.context)
        # A recurrent state has no cells that could run out; a hybrid's attention has as many as any other.
        endless = model.is_recurrent and not llama.llama_model_is_hybrid(model.native)
        self.ledger = CellLedger(model.n_ctx * (model.n_seq_max if endless else 1))
        self._clock = itertools.count(1)
        self._all = [KvSequence(self, number) for number in range(model.n_seq_max)]
        self._unused = self._all[::-1]
        self._unconfirmed: list[Hit] = []
        self.hidden_cells: dict[int, int] = {}
        """Cells that an image takes beyond its places, by its first pseudo token; not known of one from the disk."""

    @property
    def in_use(self) -> list[KvSequence]:
        """Sequences that hold something or are about to."""
        return [sequence for sequence in self._all if sequence.busy or sequence.tokens]

    @property
    def idle(self) -> list[KvSequence]:
        """Sequences that wait for their next turn, least recently used first."""
        waiting = (sequence for sequence in self._all if not sequence.busy and sequence.tokens)
        return sorted(waiting, key=lambda sequence: sequence.used)

    @property
    def keeps_whole_states(self) -> bool:
        """Whether a state can only be continued at its end: it has no past to go back to, or only a window of it."""
        return self._model.is_recurrent or (self._model.n_swa > 0 and not self._model.plan.swa_full)

    def lease(self, prompt: list[int], adapters: str) -> Lease | None:
        """Give a sequence for `prompt`, with as much of it as is found anywhere; None when all sequences are busy.

        At least one token is left to decode: without it there are no logits to sample from.
        """
        source, prompt, cached = self._best_in_memory(prompt, adapters)
        limit = len(prompt) - 1
        hit = self._tiers.find(prompt[:limit], adapters, whole=self.keeps_whole_states)
        worth = hit is not None and hit.common > cached + WORTH_LOADING
        if hit is not None and worth and whole_chunks(prompt, hit.common) == hit.common:
            sequence = self._take_id(protect=source)
            if sequence is not None and self._restore(sequence, hit):
                return self._busy(sequence, adapters, Lease(sequence, prompt, hit.common, hit.tier))
            if sequence is not None:
                self._unused.append(sequence)
        if source is None or cached == 0:
            sequence = self._take_id(protect=None)
            return self._busy(sequence, adapters, Lease(sequence, prompt, 0, "none")) if sequence else None
        found = self._continue(source, cached)
        return self._busy(found, adapters, Lease(found, prompt, len(found.tokens), "memory")) if found else None

    def longest_pending(self, prompt: Sequence[int], adapters: str) -> tuple[int, int]:
        """The longest prefix of `prompt` that a busy sequence has read already, and the longest it is going to read."""
        there = coming = 0
        for sequence in self._all:
            if sequence.adapters == adapters and sequence.tokens:
                there = max(there, common_prefix(sequence.reusable, prompt))
            if sequence.busy and sequence.adapters == adapters and sequence.pending:
                coming = max(coming, common_prefix(sequence.pending, prompt))
        return there, min(coming, len(prompt) - 1)

    def release(self, sequence: KvSequence) -> None:
        """The request is over: what the sequence holds waits for the next turn."""
        sequence.busy, sequence.pending = False, ()
        sequence.used = next(self._clock)
        if len(sequence.reusable) < len(sequence.tokens):
            sequence.truncate(0 if self.keeps_whole_states else len(sequence.reusable))
        if len(sequence.tokens) < 2:
            self._drop(sequence)
        elif self.keeps_whole_states:
            self.remember(sequence)

    def remember(self, sequence: KvSequence) -> None:
        """Copy a state into the RAM tier: a checkpoint to come back to, for models that cannot cut theirs."""
        if len(sequence.tokens) >= WORTH_KEEPING:
            self._tiers.keep(sequence.tokens, sequence.adapters, self.state_of(sequence), whole=True)

    def make_room(self, cells: int) -> bool:
        """Move idle sequences out until `cells` are free; False when that was not enough."""
        while self.ledger.free < cells:
            if not self._evict(protect=None):
                return False
        return True

    def make_more_room(self) -> bool:
        """Move one idle sequence out; False when there is none."""
        return self._evict(protect=None)

    def save(self, sequence: KvSequence) -> SavedSequence:
        """Take what a busy sequence holds, and the sequence back."""
        saved = SavedSequence(list(sequence.tokens), sequence.adapters, self.state_of(sequence), sequence.exact)
        self.give_up(sequence)
        return saved

    def restore(self, saved: SavedSequence) -> KvSequence | None:
        """A sequence with what was saved; None where there is no room yet."""
        sequence = self._take_id(protect=None)
        if sequence is None:
            return None
        sequence.busy, sequence.used, sequence.adapters = True, next(self._clock), saved.adapters
        if saved.tokens and not self.set_state(sequence, saved.tokens, saved.state):
            self.give_up(sequence)
            return None
        sequence.exact = saved.exact
        return sequence

    def fork(self, source: KvSequence) -> KvSequence:
        """A copy of a busy sequence, busy as well. Raises EngineError where all sequences are busy."""
        copy = self._take_id(protect=source)
        if copy is None:
            raise EngineError(FailureKind.INTERNAL, "no sequence is left to branch into")
        self._copy(source, copy, len(source.tokens))
        copy.busy, copy.used, copy.adapters = True, next(self._clock), source.adapters
        return copy

    def give_up(self, sequence: KvSequence) -> None:
        """Take a sequence back without keeping what it holds."""
        sequence.busy, sequence.pending = False, ()
        self._drop(sequence)

    def discard(self, sequence: KvSequence, start: int, count: int) -> None:
        """Forget `count` tokens from `start` on; what follows moves up (a context shift)."""
        if sequence.strand.is_shared:
            # Moving a cell would move it for everybody: the sequence gets cells of its own first.
            tokens, state = list(sequence.tokens), self.state_of(sequence)
            sequence.clear()
            if not self.set_state(sequence, tokens, state):
                raise EngineError(FailureKind.INTERNAL, "the context could not be moved")
        sequence.discard(start, count)

    def learn_cells(self, medium: MediaChunk) -> None:
        """Count what `medium` takes of the cache; to be told before a sequence is extended with it."""
        if medium.cells > len(medium.tokens):
            self.hidden_cells[medium.tokens[0]] = medium.cells - len(medium.tokens)

    def confirm(self) -> None:
        """A step with what was restored went well."""
        while self._unconfirmed:
            self._tiers.confirm(self._unconfirmed.pop())

    def persist(self, seconds: float = 0.0) -> bool:
        """Write the conversations that wait through to the disk tier, the last used first.

        It takes two at a time: waits `seconds` in all for that; returns whether it has got everything.
        """
        limits = self._model.plan.cache
        if not limits.disk_folder or not limits.disk_bytes:
            return True
        ended = time.monotonic() + seconds
        for sequence in reversed(self.idle):
            if len(sequence.tokens) >= max(WORTH_KEEPING, sequence.persisted + 1):
                if not self._tiers.wait_for_place(ended - time.monotonic()):
                    return False
                sequence.persisted = len(sequence.tokens)
                state = self.state_of(sequence)
                self._tiers.persist(sequence.tokens, sequence.adapters, state, whole=self.keeps_whole_states)
        return True

    def state_of(self, sequence: KvSequence) -> bytes:
        """The native state of a sequence."""
        context = self._model.context
        size = llama.llama_state_seq_get_size(context, sequence.id)
        buffer = (ctypes.c_uint8 * size)()
        written = llama.llama_state_seq_get_data(context, buffer, size, sequence.id)
        return bytes(memoryview(buffer)[:written])

    def set_state(self, sequence: KvSequence, tokens: Sequence[int], state: bytes) -> bool:
        """Put a state into an empty sequence; False where the engine does not take it or has no room."""
        if not self.make_room(len(tokens) + sum(self.hidden_cells.get(token, 0) for token in tokens if token < 0)):
            return False
        data = ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))  # read where it lies
        # Cells of a sliding window are not in the books, and those that idle sequences share may be missing here.
        while not llama.llama_state_seq_set_data(self._model.context, data, len(state), sequence.id):
            sequence.clear()
            if not self.make_more_room():
                return False
        sequence.extend(tokens)
        return True

    # --- where a prompt begins -------------------------------------------------------------------------------------

    def _best_in_memory(self, prompt: list[int], adapters: str) -> tuple[KvSequence | None, list[int], int]:
        best, longest = None, 0
        for sequence in self._all:
            if sequence.tokens and sequence.adapters == adapters:
                common = common_prefix(sequence.reusable, prompt)
                if common > longest or (common == longest and best and common and sequence.used > best.used):
                    best, longest = sequence, common
        if best is None:
            return None, prompt, 0
        prompt, kept = align(best.reusable, prompt, spelling=self._model.vocabulary.spelling, start=longest)
        kept = whole_chunks(prompt, min(kept, len(prompt) - 1))
        return (best, prompt, kept) if self._can_continue(best, kept) else (None, prompt, 0)

    def _can_continue(self, sequence: KvSequence, kept: int) -> bool:
        """Whether the sequence still has what attention at position `kept` needs."""
        if kept == len(sequence.tokens):
            return True
        if self._model.is_recurrent:
            return False
        if not self.keeps_whole_states:
            return True
        # A sliding window has dropped what lies before it; cut back too far, it could not attend to it any more.
        oldest = int(llama.llama_memory_seq_pos_min(self.memory, sequence.id))
        return oldest <= max(0, kept - self._model.n_swa)

    def _continue(self, source: KvSequence, cached: int) -> KvSequence | None:
        """A sequence with the first `cached` tokens of `source`: itself, or a copy where it is needed as it is."""
        if not source.busy and cached == len(source.tokens):
            return source
        copy = self._take_id(protect=source)
        if copy is None:
            if source.busy:
                return None
            source.truncate(cached)
            return source
        self._copy(source, copy, cached)
        return copy

    def _copy(self, source: KvSequence, copy: KvSequence, length: int) -> None:
        llama.llama_memory_seq_cp(self.memory, source.id, copy.id, 0, -1 if self._model.is_recurrent else length)
        copy.strand.share(source.strand, length)
        copy.tokens = source.tokens[:length]

    def _restore(self, sequence: KvSequence, hit: Hit) -> bool:
        try:
            state = self._tiers.read(hit)
        except CacheMiss as miss:
            sys.stderr.write(f"a kept conversation is read again: {miss}\n")
            return False
        if not self.set_state(sequence, hit.tokens, state):
            if self.ledger.used == 0:  # with an empty cache it was not for want of room
                self._tiers.reject(hit, "the engine did not take it")
            return False
        if hit.tier == "disk":
            self._unconfirmed.append(hit)
        return hit.common == len(hit.tokens) or sequence.truncate(hit.common)

    # --- ids and room ----------------------------------------------------------------------------------------------

    def _busy(self, sequence: KvSequence, adapters: str, lease: Lease) -> Lease:
        sequence.busy, sequence.adapters, sequence.pending = True, adapters, lease.prompt
        sequence.used = next(self._clock)
        return lease

    def _take_id(self, *, protect: KvSequence | None) -> KvSequence | None:
        if not self._unused and not self._evict(protect=protect):
            return None
        return self._unused.pop()

    def _evict(self, *, protect: KvSequence | None) -> bool:
        victim = next((sequence for sequence in self.idle if sequence is not protect), None)
        if victim is None:
            return False
        if len(victim.tokens) >= WORTH_KEEPING and not self._is_contained(victim):
            state = self.state_of(victim)
            self._tiers.keep(victim.tokens, victim.adapters, state, whole=self.keeps_whole_states)
        self._drop(victim)
        return True

    def _is_contained(self, sequence: KvSequence) -> bool:
        """Whether another sequence holds all of it."""
        return any(
            other is not sequence
            and other.adapters == sequence.adapters
            and len(other.tokens) >= len(sequence.tokens)
            and other.tokens[: len(sequence.tokens)] == sequence.tokens
            for other in self._all
        )

    def _drop(self, sequence: KvSequence) -> None:
        sequence.clear()
        self._unused.append(sequence)
