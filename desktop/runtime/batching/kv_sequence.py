"""One sequence of the KV cache: what is in it, and whose it is."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import CachedIn, FailureKind
from desktop.runtime.batching.cells import CellLedger, Strand
from desktop.runtime.failures import EngineError


class Keeping:
    """What is to become of a request's words when it is over; shared by all sequences that it has, paused or not.

    conversation: whose they are, see cache/entries.py. wanted: whether they are kept for the next turn.
    """

    def __init__(self, conversation: str = "") -> None:
        self.conversation, self.wanted = conversation, True


class KvSequence:
    """One sequence id of the context, and the tokens that are in it.

    hidden_cells: what the pool knows of images, see there. window: how far back attention looks in tokens where older
    cells are used again; 0 where all are kept.
    """

    def __init__(
        self, number: int, *, memory: Any, ledger: CellLedger, hidden_cells: Mapping[int, int], window: int
    ) -> None:
        self.id, self._memory, self._hidden_cells, self._window = number, memory, hidden_cells, window
        self.tokens: list[int] = []
        self.adapters = ""
        self.busy = False
        self.used = 0
        self.persisted = 0
        """Tokens of it that are in the disk tier."""
        self.pending: Sequence[int] = ()
        """What its request is going to read: others wait for a long prefix that is on its way."""
        self.strand = Strand(ledger)
        self.exact: int | None = None
        """Tokens before the place of a context shift; None where there was none."""
        self.keeping = Keeping()

    def extend(self, tokens: Sequence[int]) -> None:
        """Note that `tokens` were decoded behind what is there."""
        self.strand.extend(len(tokens))
        if self._hidden_cells:
            for place, token in enumerate(tokens, start=len(self.tokens)):
                if more := self._hidden_cells.get(token):
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
        length = len(self.tokens)
        if int(llama.llama_memory_seq_pos_max(self._memory, self.id)) + 1 == length:
            return True
        if not self.truncate(length):
            return False
        if self.reaches_back(length):
            return True
        self.clear()  # the step was read in parts, and a later one took cells that are out of sight only from there
        return False

    def reaches_back(self, length: int) -> bool:
        """Whether what would come behind the first `length` tokens finds all that its attention looks at.

        The oldest cell tells, because there is no hole behind it. Only cells out of sight are overwritten, and not
        those that sequences share; with one, libllama drops every older one of its sequence (apply_ubatch in
        llama-kv-cache.cpp). Copies, cuts and kept states are whole ranges, and a context shift closes the gap it makes.
        """
        if not self._window or not length:
            return True
        oldest = int(llama.llama_memory_seq_pos_min(self._memory, self.id))
        # A token sees those less than a window before it (is_masked_swa in llama-hparams.h).
        return 0 <= oldest <= max(0, length - self._window + 1)

    def truncate(self, length: int) -> bool:
        """Keep the first `length` tokens, also natively; False (and empty) where the model cannot go back."""
        if llama.llama_memory_seq_rm(self._memory, self.id, length, -1):
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
        memory = self._memory
        if not llama.llama_memory_seq_rm(memory, self.id, start, start + count):
            raise EngineError(FailureKind.INTERNAL, "a part of the context could not be taken out")
        llama.llama_memory_seq_add(memory, self.id, start + count, -1, -count)
        self.strand.drop(start, count)
        del self.tokens[start : start + count]
        self.exact = start if self.exact is None else min(start, self.exact)
        self.pending = ()  # nobody can wait for a prefix here any more

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_seq_rm(self._memory, self.id, -1, -1)
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
    keeping: Keeping
