"""The tokens among which a sampler chooses, as the engine's own array, so that they can be filtered in between."""

import ctypes
import functools
import math
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
import numpy.typing as npt

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int32]

_ENTRY = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # struct llama_token_data

# As the bindings have it, but for the address as a plain number: a pointer object is made and thrown away for each.
_address_of_logits = llama._lib["llama_get_logits_ith"]
_address_of_logits.argtypes, _address_of_logits.restype = [ctypes.c_void_p, ctypes.c_int32], ctypes.c_void_p


@functools.lru_cache(maxsize=256)
def _floats_at(address: int, count: int) -> Logits:
    """What lies there at any time; no copy, and nothing is read now. The engine's outputs stay where they are."""
    return np.frombuffer(memoryview((ctypes.c_float * count).from_address(address)), np.float32)


def read_logits(context: Any, row: int, size: int) -> Logits:
    """The model's logits at an output of the last decode; not a copy, so valid until the next one.

    Raises EngineError(INTERNAL) where there are none.
    """
    address = _address_of_logits(context, row)
    if not address:
        raise EngineError(FailureKind.INTERNAL, f"there is no output {row}")
    return _floats_at(address, size)


def likeliest(logits: Logits) -> int:
    """The token with the highest logit, the first of equals. Raises EngineError(INTERNAL) where it is no number."""
    best = int(logits.argmax())  # where there is a NaN, that is what it finds
    if not math.isfinite(logits.item(best)):
        raise EngineError(FailureKind.INTERNAL, f"the model's logits are not numbers ({logits[best]})")
    return best


def check_numbers(logits: Logits, *, thoroughly: bool) -> None:
    """Raise EngineError(INTERNAL) where the logits are no numbers: a sampler would abort the child, or choose nonsense.

    A row of the output matrix that is broken shows in every token, so it is looked for once, `thoroughly`; a hidden
    state that is broken shows in all logits, so one of them tells.
    """
    if not math.isfinite(float(logits.sum()) if thoroughly else logits.item(0)):
        likeliest(logits)  # an infinity may be meant: only the highest logit has to be a number
        if np.isnan(logits).any():
            raise EngineError(FailureKind.INTERNAL, "the model's logits are not numbers (nan)")


class Candidates:
    """A buffer for `size` tokens. It is filled again for every choice, so what can be prepared is."""

    def __init__(self, size: int) -> None:
        self._entries = np.zeros(size, dtype=_ENTRY)
        self._ids, self._logits = self._entries["id"], self._entries["logit"]
        self._all: Tokens = np.arange(size, dtype=np.int32)
        self._data = self._entries.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
        self._array = llama.llama_token_data_array(self._data, 0, -1, False)
        self._pointer = ctypes.byref(self._array)

    def fill(self, logits: Logits, tokens: Tokens | None = None) -> None:
        """Take the first tokens of the vocabulary, or only `tokens`; `logits` are one each."""
        count, array = len(logits), self._array
        self._ids[:count] = self._all[:count] if tokens is None else tokens
        self._logits[:count] = logits
        array.data, array.size, array.selected, array.sorted = self._data, count, -1, False

    def apply(self, sampler: Any) -> None:
        """Let a sampler act."""
        llama.llama_sampler_apply(sampler, self._pointer)

    def logits(self) -> Logits:
        """The logits in the order in which they were filled in, as long as nothing but adjustments acted."""
        return self._logits[: self._array.size].copy()

    def tokens(self) -> list[tuple[int, float]]:
        """What is left, in the engine's order: token and logit."""
        return [(entry.id, entry.logit) for entry in self._array.data[: self._array.size]]

    def chosen(self) -> tuple[int, float]:
        """The token that was taken, and its logit. Raises EngineError(INTERNAL) where none was."""
        index = self._array.selected
        if not 0 <= index < self._array.size:
            raise EngineError(FailureKind.INTERNAL, "the sampler chose no token")
        entry = self._array.data[index]
        return int(entry.id), float(entry.logit)
