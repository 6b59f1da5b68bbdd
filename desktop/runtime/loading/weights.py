"""Weights and a context through libllama, with its log turned into a reason where one of them fails."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind
from desktop.gguf.shards import all_shards
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError, decode_load_failure
from desktop.runtime.loading.parameters import ModelParameters

Progress = Callable[[float], bool]
"""Told the fraction loaded; returns whether to go on."""


def load_weights(path: str, parameters: ModelParameters, *, log: EngineLog, on_progress: Progress) -> Any:
    """Return the handle of the model in `path`.

    Raises EngineError(CANCELLED) when `on_progress` said so, else with the kind of what went wrong.
    """
    mark, cancelled = log.mark(), False

    def on_native_progress(fraction: float, _data: object) -> bool:
        nonlocal cancelled
        cancelled = not on_progress(fraction)
        return not cancelled

    parameters.on_progress(on_native_progress)
    model = _load(Path(path), parameters.native)
    if cancelled:
        if model:
            llama.llama_model_free(model)
        raise cancelled_load()
    if not model:
        raise decode_load_failure(log.problems_since(mark), path)
    return model


def _load(path: Path, native: Any) -> Any:
    shards = all_shards(path)
    if len(shards) == 1 or path.suffix == ".gguf":
        return llama.llama_model_load_from_file(os.fsencode(path), native)
    # The engine itself finds no other files than those whose names end in small letters.
    names = (ctypes.c_char_p * len(shards))(*map(os.fsencode, shards))
    return llama.llama_model_load_from_splits(names, len(shards), native)


def create_context(model: Any, parameters: Any, *, log: EngineLog, path: str) -> Any:
    """Return the handle of a context. Raises EngineError with the kind of what went wrong."""
    mark = log.mark()
    context = llama.llama_init_from_model(model, parameters)
    if not context:
        raise decode_load_failure(log.problems_since(mark), path)
    return context


def cancelled_load() -> EngineError:
    """What a load ends with that was given up."""
    return EngineError(FailureKind.CANCELLED, "the load was cancelled")
