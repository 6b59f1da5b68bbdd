"""The tokens among which a sampler chooses, as the engine's own array, so that they can be filtered in between."""

import ctypes
import math
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np
import numpy.typing as npt

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int32]

_STRIDE = 512  # tokens between those that are looked at for each token
_ENTRY = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # struct llama_token_data


def read_logits(context: Any, row: int, size: int) -> Logits:
    """The model's logits at an output of the last decode; not a copy, so valid until the next one.

    Raises EngineError(INTERNAL) where there are none, or where they are no numbers: a sampler would abort the child,
    or choose nonsense.
    """
    pointer = llama.llama_get_logits_ith(context, row)
    if not pointer:
        raise EngineError(FailureKind.INTERNAL, f"there is no output {row}")
    # Half the time of np.ctypeslib.as_array.
    memory = memoryview((ctypes.c_float * size).from_address(ctypes.addressof(pointer.contents)))
    return np.frombuffer(memory, np.float32)


def likeliest(logits: Logits) -> int:
    """The token with the highest logit, the first of equals. Raises EngineError(INTERNAL) where it is no number."""
    best = int(logits.argmax())  # where there is a NaN, that is what it finds
    if not np.isfinite(logits[best]):
        raise EngineError(FailureKind.INTERNAL, f"the model's logits are not numbers ({logits[best]})")
    return best


def check_numbers(logits: Logits, *, thoroughly: bool) -> None:
    """Raise EngineError(INTERNAL) where the logits are no numbers: a sampler would abort the child, or choose nonsense.

    A row of the output matrix that is broken shows in every token, so it is looked for once, `thoroughly`; a hidden
    state that is broken shows in all logits, so a few of them tell.
    """
    few = logits if thoroughly else logits[::_STRIDE]
    if not math.isfinite(float(few.sum())):
        likeliest(logits)  # an infinity may be meant: only the highest logit has to be a number
        if np.isnan(logits).any():
            raise EngineError(FailureKind.INTERNAL, "the model's logits are not numbers (nan)")


class Candidates:
    """A buffer for all tokens of a vocabulary."""

    def __init__(self, size: int) -> None:
        self._entries = np.zeros(size, dtype=_ENTRY)
        self._all: Tokens = np.arange(size, dtype=np.int32)
        self._array: Any = None

    def fill(self, logits: Logits, tokens: Tokens | None = None) -> None:
        """Take all tokens, or only `tokens`; `logits` are one each."""
        count = len(logits)
        entries = self._entries[:count]
        entries["id"], entries["logit"] = self._all if tokens is None else tokens, logits
        data = self._entries.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
        self._array = llama.llama_token_data_array(data, count, -1, False)

    def apply(self, sampler: Any) -> None:
        """Let a sampler act."""
        llama.llama_sampler_apply(sampler, ctypes.byref(self._array))

    def logits(self) -> Logits:
        """The logits by token, as long as nothing but adjustments acted on all tokens: they sort nothing."""
        return self._entries["logit"].copy()

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
