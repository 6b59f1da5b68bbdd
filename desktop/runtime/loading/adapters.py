"""LoRA adapters of a loaded model: read once, their scales changed at any time."""

import ctypes
import hashlib
import math
import os
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, LoraAdapter
from desktop.gguf.header import GgufHeader
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_load_failure
from desktop.runtime.loading.plan_checks import check_adapter, identify_file


class Adapters:
    """The adapters of one model, in the plan's order. The model frees them with itself.

    base: header of the model's file. Raises EngineError that names the adapter's file.
    """

    def __init__(self, model: Any, planned: Sequence[LoraAdapter], *, base: GgufHeader, log: EngineLog) -> None:
        self._handles = [_load(model, adapter.path, base, log) for adapter in planned]
        self._files = [identify_file(adapter.path) for adapter in planned]
        self.planned = tuple(adapter.scale for adapter in planned)
        """Scales of a request that does not say otherwise."""
        self.scales: tuple[float, ...] = tuple(0.0 for _ in planned)
        """What acts now."""
        self.key = ""
        """Identifies what the scales that act make of the weights; "" where every adapter is off."""

    def set_scales(self, context: Any, scales: Sequence[float]) -> None:
        """Make `context` compute with these scales from its next decode on; 0 leaves an adapter out.

        What is in the KV cache was computed with the scales of then. Raises EngineError(BAD_REQUEST).
        """
        wanted = self.checked(scales)
        if wanted == self.scales:
            return
        used = [index for index, scale in enumerate(wanted) if scale]  # one with scale 0 would still be computed
        handles = (llama.llama_adapter_lora_p_ctypes * max(1, len(used)))(*(self._handles[index] for index in used))
        native = (ctypes.c_float * max(1, len(used)))(*(wanted[index] for index in used))
        if llama.llama_set_adapters_lora(context, handles, len(used), native) != 0:
            raise EngineError(FailureKind.INTERNAL, "the engine refuses the adapters")
        self.scales = wanted
        parts = "+".join(f"{self._files[index]}*{wanted[index]!r}" for index in used)
        self.key = hashlib.sha256(parts.encode()).hexdigest() if used else ""

    def checked(self, scales: Sequence[float]) -> tuple[float, ...]:
        """Return scales as they are, one per adapter. Raises EngineError(BAD_REQUEST)."""
        if len(scales) != len(self._handles):
            detail = f"{len(scales)} scales are given for {len(self._handles)} adapters"
            raise EngineError(FailureKind.BAD_REQUEST, detail)
        if not all(math.isfinite(scale) for scale in scales):
            raise EngineError(FailureKind.BAD_REQUEST, "the scale of an adapter is not a number")
        return tuple(float(scale) for scale in scales)


def _load(model: Any, path: str, base: GgufHeader, log: EngineLog) -> Any:
    mark = log.mark()
    check_adapter(path, base)
    handle = llama.llama_adapter_lora_init(model, os.fsencode(path))
    if not handle:
        raise decode_load_failure(log.problems_since(mark), path)
    return handle
