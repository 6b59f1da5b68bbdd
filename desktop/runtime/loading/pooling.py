"""Contexts that make one vector or one score per text."""

from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, LoadPlan
from desktop.gguf.header import GgufHeader
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.parameters import POOLING_LAST, POOLING_NONE, POOLING_RANK, embedding_parameters
from desktop.runtime.loading.weights import create_context

_HEADS = ("cls.weight", "cls.output.weight")


def create_pooling_context(model: Any, plan: LoadPlan, header: GgufHeader, *, log: EngineLog) -> tuple[Any, int]:
    """Return a context that embeds or ranks as the plan says, and where in the log its making begins.

    A text that cannot be read in pieces needs a physical batch that holds it whole, and only a context tells whether
    it can: so a second, larger one is made where the first cannot. Raises EngineError(LOAD_FAILED | WRONG_PURPOSE ...).
    """
    if plan.purpose == "rerank":
        _check_head(plan, header)
    size, mark = min(plan.n_ubatch, plan.n_ctx), log.mark()
    context = create_context(model, embedding_parameters(plan, n_ubatch=size), log=log, path=plan.model_path)
    try:
        _check_pooling(plan, context)
    except EngineError:
        llama.llama_free(context)
        raise
    if size < plan.n_ctx and not reads_in_pieces(context):
        llama.llama_free(context)
        mark = log.mark()
        context = create_context(model, embedding_parameters(plan, n_ubatch=plan.n_ctx), log=log, path=plan.model_path)
    return context, mark


def reads_in_pieces(context: Any) -> bool:
    """Whether a text may be longer than a batch: there is a memory, and the last token stands for the text.

    The rule is that of can_split in llama.cpp's tools/server/server-context.cpp.
    """
    if not llama.llama_get_memory(context):
        return False
    pooling = llama.llama_pooling_type(context)
    return bool(pooling == POOLING_LAST or (pooling == POOLING_RANK and _is_causal(context)))


def _is_causal(context: Any) -> bool:
    function = llama._lib["llama_get_causal_attn"]  # llama_cpp 0.3.36 does not bind it
    function.restype, function.argtypes = llama.ctypes.c_bool, [llama.ctypes.c_void_p]
    return bool(function(context))


def _check_pooling(plan: LoadPlan, context: Any) -> None:
    pooling = llama.llama_pooling_type(context)
    if pooling == POOLING_NONE:
        detail = "this model does not say how the vectors of its tokens become one, so it is no embedding model"
    elif plan.purpose == "embedding" and pooling == POOLING_RANK:
        detail = "this model ranks texts and does not embed them"
    else:
        return
    raise EngineError(FailureKind.WRONG_PURPOSE, detail, path=plan.model_path)


def _check_head(plan: LoadPlan, header: GgufHeader) -> None:
    """Without a head, libllama would hand out the first number of an embedding as the score."""
    split = header.metadata.get("split.count")  # then this is the header of one file of several
    if not split and not any(tensor.name in _HEADS for tensor in header.tensors):
        detail = "this model has no part that ranks texts"
        raise EngineError(FailureKind.WRONG_PURPOSE, detail, path=plan.model_path)
