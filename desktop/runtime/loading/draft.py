"""A small model beside the large one: it proposes tokens that the large one checks."""

from typing import Any

import llama_cpp.llama_cpp as llama
import msgspec

from desktop.engine.protocol import FailureKind, LoadPlan
from desktop.runtime.devices.backends import Ggml
from desktop.runtime.engine_log import EngineLog
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.parameters import ModelParameters, context_parameters
from desktop.runtime.loading.plan_checks import check_file
from desktop.runtime.loading.warm_up import warm_up
from desktop.runtime.loading.weights import Progress, cancelled_load, create_context, load_weights
from desktop.runtime.vocabulary import Vocabulary

# common/speculative.cpp: how many tokens two vocabularies may differ in size, and the first whose text is compared
_SIZE_DIFFERENCE = 128
_FIRST_COMPARED = 5


class Draft:
    """Weights, context and tokenizer of the model at plan.draft_path, for the model whose vocabulary is `target`.

    One sequence per request that is answered; on the CPU, or whole on the plan's first device. Raises EngineError.
    """

    def __init__(
        self, plan: LoadPlan, target: Vocabulary, *, ggml: Ggml, log: EngineLog, on_progress: Progress
    ) -> None:
        self.plan = draft_plan(plan, check_file(plan.draft_path).n_layer)
        path = self.plan.model_path
        self.context: Any = None
        self._model: Any = None
        self.free_sequences = list(range(self.plan.n_seq_max))
        """Sequence ids that no reply uses."""
        self._parameters = ModelParameters(self.plan, ggml)
        try:
            self._model = load_weights(path, self._parameters, log=log, on_progress=on_progress)
            self.vocabulary = Vocabulary(self._model)
            self._check(target)
            self.context = create_context(self._model, context_parameters(self.plan), log=log, path=path)
            if plan.warm_up:
                warm_up(self._model, self.context, self.vocabulary, log=log, path=path)
            if not on_progress(1.0):
                raise cancelled_load()
        except BaseException:
            self.close()
            raise

    @property
    def n_ctx(self) -> int:
        """Tokens the context holds."""
        return int(llama.llama_n_ctx(self.context))

    @property
    def n_batch(self) -> int:
        """The most tokens of one decode."""
        return int(llama.llama_n_batch(self.context))

    def set_threads(self, decode: int, prefill: int) -> None:
        """Use so many threads from the next step on."""
        llama.llama_set_n_threads(self.context, decode, prefill)

    def close(self) -> None:
        """Free everything; safe to call twice."""
        if self.context is not None:
            llama.llama_free(self.context)
            self.context = None
        if self._model is not None:
            llama.llama_model_free(self._model)
            self._model = None

    def _check(self, target: Vocabulary) -> None:
        problem = vocabulary_difference(target, self.vocabulary)
        if llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model):
            problem = "it is recurrent, so a token that was proposed in vain cannot be taken back"
        if problem:
            detail = f"the draft model does not go with this model: {problem}"
            raise EngineError(FailureKind.LOAD_FAILED, detail, path=self.plan.model_path)


def draft_plan(plan: LoadPlan, n_layer: int) -> LoadPlan:
    """Return how the draft model of a plan is loaded; n_layer: blocks of the draft model."""
    return msgspec.structs.replace(
        plan,
        model_path=plan.draft_path,
        draft_path="",
        n_seq_max=plan.n_parallel,
        n_outputs_max=plan.n_parallel,
        n_gpu_layers=n_layer + 1 if plan.n_gpu_layers else 0,
        devices=plan.devices[:1],
        tensor_split=(),
        tensor_overrides=(),
        placement=None,
        lora=(),
    )


def vocabulary_difference(target: Vocabulary, draft: Vocabulary) -> str:
    """Tell in words why tokens of `draft` are no tokens of `target`; "" where they are.

    The rules are those of common_speculative_are_compatible in llama.cpp's common/speculative.cpp.
    """
    if target.kind != draft.kind:
        return "its vocabulary is of another kind"
    if target.adds_bos != draft.adds_bos or (target.adds_bos and target.bos != draft.bos):
        return "it begins a text with another token"
    if target.adds_eos != draft.adds_eos or (target.adds_eos and target.eos != draft.eos):
        return "it ends a text with another token"
    if abs(target.size - draft.size) > _SIZE_DIFFERENCE:
        return f"its vocabulary has {draft.size} tokens, the model's {target.size}"
    for token in range(_FIRST_COMPARED, min(target.size, draft.size)):
        if target.text(token) != draft.text(token):
            return f"token {token} means {draft.text(token)!r} to it, and {target.text(token)!r} to the model"
    return ""
