"""LoRA adapters of a loaded model: read once, their scales changed at any time."""

import ctypes
import os
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, LoraAdapter
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_load_failure
from desktop.runtime.plan_checks import check_file


class Adapters:
    """The adapters of one model, in the plan's order. The model frees them with itself."""

    def __init__(self, model: Any, planned: Sequence[LoraAdapter], *, log: EngineLog) -> None:
        self._handles = [_load(model, adapter.path, log) for adapter in planned]
        self._native = (llama.llama_adapter_lora_p_ctypes * max(1, len(planned)))(*self._handles)
        self.scales: tuple[float, ...] = tuple(0.0 for _ in planned)

    def set_scales(self, context: Any, scales: Sequence[float]) -> None:
        """Make `context` compute with these scales from its next decode on; 0 leaves an adapter out.

        What is in the KV cache was computed with the scales of then. Raises EngineError(BAD_REQUEST).
        """
        if len(scales) != len(self._handles):
            detail = f"{len(scales)} scales are given for {len(self._handles)} adapters"
            raise EngineError(FailureKind.BAD_REQUEST, detail)
        wanted = tuple(scales)
        if wanted == self.scales:
            return
        # libllama compares with what is set and rebuilds its graphs only where something changed.
        native = (ctypes.c_float * len(wanted))(*wanted)
        if llama.llama_set_adapters_lora(context, self._native, len(wanted), native) != 0:
            raise EngineError(FailureKind.INTERNAL, "the engine refuses the adapters")
        self.scales = wanted


def _load(model: Any, path: str, log: EngineLog) -> Any:
    mark = log.mark()
    check_file(path)
    handle = llama.llama_adapter_lora_init(model, os.fsencode(path))
    if not handle:
        raise decode_load_failure(log.problems_since(mark), path)
    return handle
