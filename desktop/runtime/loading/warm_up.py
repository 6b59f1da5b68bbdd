"""What makes the first reply as fast as the second: NUMA, once per process, and a run of the model after its load."""

import ctypes
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import Numa
from desktop.errors import Phrase
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import decode_load_failure
from desktop.runtime.loading.notes import numa_note
from desktop.runtime.vocabulary import Vocabulary

_NUMA = {
    "off": llama.GGML_NUMA_STRATEGY_DISABLED,
    "distribute": llama.GGML_NUMA_STRATEGY_DISTRIBUTE,
    "isolate": llama.GGML_NUMA_STRATEGY_ISOLATE,
}
_begun_with: list[Numa] = []


def spread_memory(strategy: Numa) -> tuple[Phrase, ...]:
    """Tell ggml how threads and memory spread over the nodes of this machine, before the first load.

    ggml takes this once per process; returns a note where the process began with another strategy.
    """
    if strategy == "off" and not _begun_with:
        return ()
    if not _begun_with:
        llama.llama_numa_init(_NUMA[strategy])
        _begun_with.append(strategy)
    return () if _begun_with[0] == strategy else (numa_note(),)


def warm_up(model: Any, context: Any, vocabulary: Vocabulary, *, log: EngineLog, path: str) -> None:
    """Run the model once, so that its pages and buffers are there; the context is empty afterwards.

    As common_init_from_params of llama.cpp does. Raises EngineError where the model cannot compute.
    """
    mark = log.mark()
    tokens = [token for token in (vocabulary.bos, vocabulary.eos) if token >= 0] or [0]
    llama.llama_set_warmup(context, True)  # a mixture of experts runs all of them
    result = 0
    if llama.llama_model_has_encoder(model):
        result = _run(llama.llama_encode, context, tokens)
        tokens = [max(0, llama.llama_model_decoder_start_token(model), vocabulary.bos)]
    if result == 0 and llama.llama_model_has_decoder(model):
        result = _run(llama.llama_decode, context, tokens[: llama.llama_n_batch(context)])
    llama.llama_set_warmup(context, False)
    if result != 0:
        raise decode_load_failure(log.problems_since(mark), path)
    llama.llama_synchronize(context)
    if memory := llama.llama_get_memory(context):
        llama.llama_memory_clear(memory, True)
    llama.llama_perf_context_reset(context)


def _run(run: Any, context: Any, tokens: list[int]) -> int:
    native = (ctypes.c_int32 * len(tokens))(*tokens)
    return int(run(context, llama.llama_batch_get_one(native, len(tokens))))
