"""The sequences of the KV cache: who uses them, what they hold, and how a new prompt re-uses what is there.

A prompt begins where another sequence already is, busy or idle: copying the names of its cells takes microseconds,
reading its tokens again takes seconds. Sequences that wait for their next turn give way, least recently used first,
when others need the room; what they hold goes to the tiers of runtime/cache and comes back from there.
"""

import ctypes
import itertools
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind
from desktop.runtime.batching.alignment import align, common_prefix
from desktop.runtime.batching.cells import CellLedger
from desktop.runtime.batching.kv_sequence import Keeping, KvSequence, Lease, SavedSequence
from desktop.runtime.cache.entries import CacheMiss, Forgotten, Hit, Whose, conversation_key
from desktop.runtime.cache.tiers import Tiers
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.model import Model
from desktop.runtime.loading.projector import MediaChunk
from desktop.runtime.media.places import whole_chunks

__all__ = ["KvSequence", "Lease", "SavedSequence", "SequencePool"]

WORTH_KEEPING = 64
"""Tokens; less than this is read again faster than it is looked after."""
WORTH_LOADING = 32
"""Tokens a tier must have beyond what the KV cache holds already."""
WORTH_CLEARING = 256
"""Tokens that are to be read for which idle conversations leave the KV cache, though there is room beside them.

Attention goes over all cells up to the last one in use, if only to find them masked, so that a prompt is read more
slowly beside idle ones (`python -m benchmarks.beside_idle`). A copy of them takes as long as reading a few tokens.
"""

# "The contents of the new bytes object are uninitialized": that is how CPython's own readers make one and fill it.
_new_bytes = ctypes.pythonapi["PyBytes_FromStringAndSize"]
_new_bytes.argtypes, _new_bytes.restype = [ctypes.c_char_p, ctypes.c_ssize_t], ctypes.py_object


class SequencePool:
    """All sequences of one context. Only the engine's thread uses it."""

    def __init__(self, model: Model, tiers: Tiers) -> None:
        self._model, self._tiers = model, tiers
        self._window = 0 if model.plan.swa_full else model.n_swa
        self.memory: Any = llama.llama_get_memory(model.context)
        # A recurrent state has no cells that could run out; a hybrid's attention has as many as any other.
        endless = model.is_recurrent and not llama.llama_model_is_hybrid(model.native)
        self.ledger = CellLedger(model.n_ctx * (model.n_seq_max if endless else 1))
        self._clock = itertools.count(1)
        self.hidden_cells: dict[int, int] = {}
        """Cells that an image takes beyond its places, by its first pseudo token; not known of one from the disk."""
        self._all = [
            KvSequence(
                number, memory=self.memory, ledger=self.ledger, hidden_cells=self.hidden_cells, window=self._window
            )
            for number in range(model.n_seq_max)
        ]
        self._unused = self._all[::-1]
        self._unconfirmed: list[Hit] = []
        # Also those of paused requests, which have no sequence.
        self._keepings: weakref.WeakSet[Keeping] = weakref.WeakSet()

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
        return self._model.is_recurrent or self._window > 0

    def lease(
        self, prompt: list[int], adapters: str, *, as_given: bool = False, conversation: str = ""
    ) -> Lease | None:
        """Give a sequence for `prompt`, with as much of it as is found anywhere; None when all sequences are busy.

        At least one token is left to decode: without it there are no logits to sample from. as_given: `prompt` is not
        written with other tokens of the same text. conversation: under which name it is kept.
        """
        lease = self._find_sequence(prompt, adapters, as_given=as_given)
        if lease is not None:
            sequence = lease.sequence
            sequence.busy, sequence.adapters, sequence.pending = True, adapters, lease.prompt
            sequence.used = next(self._clock)
            # A request without a name leaves the name as it is, see conversation_key.
            sequence.keeping = Keeping(conversation_key(conversation) or sequence.keeping.conversation)
            self._keepings.add(sequence.keeping)
            if len(lease.prompt) - lease.cached >= WORTH_CLEARING:
                self._clear_the_way()
        return lease

    def _clear_the_way(self) -> None:
        """Move idle conversations to RAM, as far as nothing else has to leave it for them."""
        if self._model.is_recurrent:
            return  # its states lie beside each other, and none is looked at for another
        for sequence in self.idle:
            if not self._tiers.has_room(self._state_size(sequence)):
                return
            self._move_out(sequence)

    def _find_sequence(self, prompt: list[int], adapters: str, *, as_given: bool) -> Lease | None:
        source, prompt, cached = self._best_in_memory(prompt, adapters, as_given=as_given)
        limit = len(prompt) - 1
        hit = self._tiers.find(prompt[:limit], adapters, whole=self.keeps_whole_states)
        worth = hit is not None and hit.common > cached + WORTH_LOADING
        if hit is not None and worth and whole_chunks(prompt, hit.common) == hit.common:
            sequence = self._take_id(protect=source)
            if sequence is not None and self._restore(sequence, hit):
                return Lease(sequence, prompt, hit.common, hit.tier)
            if sequence is not None:
                self._unused.append(sequence)
        if source is None or cached == 0:
            sequence = self._take_id(protect=None)
            return Lease(sequence, prompt, 0, "none") if sequence else None
        found = self._continue(source, cached)
        return Lease(found, prompt, len(found.tokens), "memory") if found else None

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
        """The request is over: what the sequence holds waits for the next turn, unless it is to be forgotten."""
        if not sequence.keeping.wanted:
            self.give_up(sequence)
            return
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
        if len(sequence.tokens) >= WORTH_KEEPING and sequence.keeping.wanted:
            self._hand_over(sequence, self._tiers.keep)

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
        """What a busy sequence holds; it is given up by itself. Raises MemoryError."""
        state, tokens = self.state_of(sequence), list(sequence.tokens)
        return SavedSequence(tokens, sequence.adapters, state, sequence.exact, sequence.keeping)

    def restore(self, saved: SavedSequence) -> KvSequence | None:
        """A sequence with what was saved; None where there is no room yet."""
        sequence = self._take_id(protect=None)
        if sequence is None:
            return None
        sequence.busy, sequence.used, sequence.adapters = True, next(self._clock), saved.adapters
        sequence.keeping = saved.keeping
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
        copy.keeping = source.keeping
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
                self._hand_over(sequence, self._tiers.persist)
        return True

    def forget(self, whose: Whose) -> Forgotten:
        """Drop what waits of these conversations; what their requests hold now is not kept when they are over."""
        for keeping in self._keepings:
            keeping.wanted = keeping.wanted and not whose(keeping.conversation)
        entries = size = 0
        for sequence in self.idle:
            if not sequence.keeping.wanted:
                entries, size = entries + 1, size + self._state_size(sequence)
                self._drop(sequence)
        return Forgotten(entries, size)

    def state_of(self, sequence: KvSequence) -> bytes:
        """The native state of a sequence. Raises MemoryError."""
        size = self._state_size(sequence)
        # Written into where it stays: a buffer and a copy of it would take five times as long.
        state: bytes = _new_bytes(None, size)
        place = ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))
        written = llama.llama_state_seq_get_data(self._model.context, place, size, sequence.id)
        return state if written == size else state[:written]

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

    def _best_in_memory(
        self, prompt: list[int], adapters: str, *, as_given: bool
    ) -> tuple[KvSequence | None, list[int], int]:
        best, longest = None, 0
        for sequence in self._all:
            if sequence.tokens and sequence.adapters == adapters:
                common = common_prefix(sequence.reusable, prompt)
                if common > longest or (common == longest and best and common and sequence.used > best.used):
                    best, longest = sequence, common
        if best is None:
            return None, prompt, 0
        kept = longest
        if not as_given:
            prompt, kept = align(best.reusable, prompt, spelling=self._model.vocabulary.spelling, start=longest)
        kept = whole_chunks(prompt, min(kept, len(prompt) - 1))
        return (best, prompt, kept) if self._can_continue(best, kept) else (None, prompt, 0)

    def _can_continue(self, sequence: KvSequence, kept: int) -> bool:
        """Whether the sequence still has what attention at position `kept` needs."""
        if kept == len(sequence.tokens):
            return True
        if self._model.is_recurrent:
            return False
        return sequence.reaches_back(kept)

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
        sequence.keeping = Keeping(hit.entry.conversation)
        if hit.tier == "disk":
            self._unconfirmed.append(hit)
        return hit.common == len(hit.tokens) or sequence.truncate(hit.common)

    # --- ids and room ----------------------------------------------------------------------------------------------

    def _take_id(self, *, protect: KvSequence | None) -> KvSequence | None:
        if not self._unused and not self._evict(protect=protect):
            return None
        return self._unused.pop()

    def _evict(self, *, protect: KvSequence | None) -> bool:
        victim = next((sequence for sequence in self.idle if sequence is not protect), None)
        if victim is None:
            return False
        self._move_out(victim)
        return True

    def _move_out(self, sequence: KvSequence) -> None:
        container = self._container_of(sequence)
        if container is not None:
            if sequence.keeping.conversation and not container.keeping.conversation:
                container.keeping.conversation = sequence.keeping.conversation
                container.persisted = 0  # what was written of it has no name
        elif len(sequence.tokens) >= WORTH_KEEPING:
            self._hand_over(sequence, self._tiers.keep)
        self._drop(sequence)

    def _hand_over(self, sequence: KvSequence, keep: Callable[..., object]) -> None:
        """Give a state to a tier. What there is no memory for is read again some day: nobody is answered with less."""
        try:
            state = self.state_of(sequence)
        except MemoryError:
            sys.stderr.write("a conversation was not kept: there is no memory for a copy of it\n")
            return
        keep(
            sequence.tokens,
            sequence.adapters,
            state,
            whole=self.keeps_whole_states,
            conversation=sequence.keeping.conversation,
        )

    def _state_size(self, sequence: KvSequence) -> int:
        """Bytes of a sequence's native state."""
        return int(llama.llama_state_seq_get_size(self._model.context, sequence.id))

    def _container_of(self, sequence: KvSequence) -> KvSequence | None:
        """Another sequence that holds all of it."""
        for other in self._all:
            long_enough = other.adapters == sequence.adapters and len(other.tokens) >= len(sequence.tokens)
            if other is not sequence and long_enough and other.tokens[: len(sequence.tokens)] == sequence.tokens:
                return other
        return None

    def _drop(self, sequence: KvSequence) -> None:
        sequence.clear()
        sequence.keeping = Keeping()
        self._unused.append(sequence)
