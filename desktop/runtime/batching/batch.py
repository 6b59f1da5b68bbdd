"""One llama_batch: rows of all requests that take part in a step, decoded at once."""

import ctypes
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np


class Batch:
    """Rows of (token, position, sequence, whether logits are wanted). Each row belongs to one sequence."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._count = 0
        # The arrays are ours and numpy fills them by slices: filling a llama_batch row by row through ctypes costs
        # 2 us a row, a millisecond per chunk of prefill.
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._sequences = np.zeros(capacity, np.int32)
        self._logits = np.zeros(capacity, np.int8)
        self._one = np.ones(capacity, np.int32)
        self._pointers = (self._sequences.ctypes.data + 4 * np.arange(capacity)).astype(np.uintp)
        self._native = self._point_to_arrays()

    def _point_to_arrays(self) -> Any:
        native = llama.llama_batch()
        fields = dict(llama.llama_batch._fields_)
        for name, array in (
            ("token", self._tokens),
            ("pos", self._positions),
            ("n_seq_id", self._one),
            ("seq_id", self._pointers),
            ("logits", self._logits),
        ):
            setattr(native, name, ctypes.cast(array.ctypes.data, fields[name]))
        return native

    def __len__(self) -> int:
        return self._count

    @property
    def room(self) -> int:
        """Rows that can still be added."""
        return self.capacity - self._count

    def clear(self) -> None:
        """Begin the next step."""
        self._count = 0

    def add(self, tokens: Sequence[int], position: int, sequence: int, *, logits: bool | None = None) -> int:
        """Append `tokens` at `position` and after; return the row of the first.

        logits: of all rows, of none, or (None) of the last only. There must be room.
        """
        first, count = self._count, len(tokens)
        self._count = end = first + count
        if count == 1:  # the step of a reply: by slices it would take four times as long
            self._tokens[first], self._positions[first], self._sequences[first] = tokens[0], position, sequence
            self._logits[first] = logits is not False
            return first
        self._tokens[first:end] = tokens
        self._positions[first:end] = range(position, position + count)
        self._sequences[first:end] = sequence
        self._logits[first:end] = bool(logits)
        if logits is None:
            self._logits[end - 1] = 1
        return first

    def decode(self, context: Any) -> int:
        """Run the rows through the model; returns what llama_decode returns (0: done, 1: no room in the KV cache)."""
        self._native.n_tokens = self._count
        return int(llama.llama_decode(context, self._native))
