"""A draft model's guesses: it says greedily how the reply goes on, as long as it is sure."""

import time
from collections.abc import Sequence

import llama_cpp.llama_cpp as llama
import numpy as np

from desktop.runtime.batching.alignment import common_prefix
from desktop.runtime.batching.batch import Batch
from desktop.runtime.loading.draft import Draft
from desktop.runtime.sampling.candidates import read_logits

SURE = 0.5
"""Probability below which the draft model says nothing more: what follows an unsure guess is seldom right."""
_RECENT = 0.3  # weight of the latest guesses in what a guess costs


class DraftProposer:
    """Guesses for one reply, in a sequence of the draft model's own context."""

    def __init__(self, draft: Draft, sequence: int, tokens: Sequence[int]) -> None:
        self._draft, self._sequence = draft, sequence
        self._memory = llama.llama_get_memory(draft.context)
        self._tokens = list(tokens)
        self._read: list[int] = []
        self._batch = Batch(draft.n_batch)
        self.seconds_per_token = 0.0
        draft.free_sequences.remove(sequence)

    def append(self, token: int) -> None:
        """Take the token that was chosen."""
        self._tokens.append(token)

    def propose(self, limit: int) -> list[int]:
        """At most `limit` tokens; fewer where the draft model is not sure, none where its context is full."""
        limit = min(limit, self._draft.n_ctx - len(self._tokens))
        if limit < 1 or not self._catch_up():
            return []
        started = time.monotonic()
        guesses: list[int] = []
        row = len(self._batch) - 1
        while (token := self._surest(row)) is not None:
            guesses.append(token)
            if len(guesses) == limit or not self._decode([token]):
                break
            row = 0
        if guesses:
            cost = (time.monotonic() - started) / len(guesses)
            self.seconds_per_token += (cost - self.seconds_per_token) * (_RECENT if self.seconds_per_token else 1.0)
        return guesses

    def close(self) -> None:
        """Give the sequence back."""
        llama.llama_memory_seq_rm(self._memory, self._sequence, -1, -1)
        self._draft.free_sequences.append(self._sequence)

    def _catch_up(self) -> bool:
        """Let the draft model read what was said since; at least the last token, for its logits."""
        kept = min(common_prefix(self._read, self._tokens), len(self._tokens) - 1)
        llama.llama_memory_seq_rm(self._memory, self._sequence, kept, -1)
        del self._read[kept:]
        for start in range(kept, len(self._tokens), self._batch.capacity):
            if not self._decode(self._tokens[start : start + self._batch.capacity]):
                return False
        return True

    def _decode(self, tokens: list[int]) -> bool:
        self._batch.clear()
        self._batch.add(tokens, len(self._read), self._sequence)
        if self._batch.decode(self._draft.context) != 0:
            llama.llama_memory_seq_rm(self._memory, self._sequence, -1, -1)
            self._read.clear()
            return False
        self._read += tokens
        return True

    def _surest(self, row: int) -> int | None:
        logits = read_logits(self._draft.context, row, self._draft.vocabulary.size)
        token = int(logits.argmax())
        probability = 1.0 / float(np.exp(logits - logits[token]).sum())
        return token if probability >= SURE and not self._draft.vocabulary.ends_generation(token) else None
