"""One sequence of the KV cache: what it holds, and how a new prompt re-uses it."""

import ctypes
from collections.abc import Sequence as SequenceOf
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_load_failure


class KvSequence:
    """Sequence 0 of a context, with the tokens that are in it."""

    def __init__(self, context: Any, *, n_batch: int, n_swa: int, log: EngineLog) -> None:
        self._context = context
        self._memory = llama.llama_get_memory(context)
        self._n_swa = n_swa
        self._log = log
        self._buffer = (ctypes.c_int32 * n_batch)()
        self.tokens: list[int] = []

    def keep_prefix_of(self, prompt: SequenceOf[int]) -> int:
        """Drop what differs from `prompt` and return how many of its tokens are in the cache.

        At least one token is left to decode: without it there are no logits to sample from.
        """
        kept = min(common_prefix(self.tokens, prompt), len(prompt) - 1)
        # A sliding window has dropped what lies before it; cut back too far, it could not attend to it any more.
        lost = llama.llama_memory_seq_pos_min(self._memory, 0) > max(0, kept - self._n_swa) if self._n_swa else False
        if kept == 0 or lost or not llama.llama_memory_seq_rm(self._memory, 0, kept, -1):
            self.clear()
            return 0
        del self.tokens[kept:]
        return kept

    def clear(self) -> None:
        """Forget everything."""
        llama.llama_memory_clear(self._memory, False)
        self.tokens.clear()

    def decode(self, tokens: SequenceOf[int]) -> None:
        """Run `tokens` (at most n_batch) through the model behind what is there; logits of the last are kept.

        Raises EngineError; the cache is empty afterwards, because what it holds is not known.
        """
        count, mark = len(tokens), self._log.mark()
        self._buffer[:count] = list(tokens)
        result = llama.llama_decode(self._context, llama.llama_batch_get_one(self._buffer, count))
        if result == 0:
            self.tokens.extend(tokens)
            return
        self.clear()
        problem = decode_load_failure(self._log.problems_since(mark), "").failure
        kind = FailureKind.OUT_OF_MEMORY if problem.kind == FailureKind.OUT_OF_MEMORY else FailureKind.INTERNAL
        detail = f"llama_decode returned {result}: {problem.detail}"
        raise EngineError(kind, detail, last_lines=problem.last_lines, **problem.arguments)


def common_prefix(left: SequenceOf[int], right: SequenceOf[int]) -> int:
    """Length of the longest common prefix."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
