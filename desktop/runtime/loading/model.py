"""A model in memory: loads exactly what a LoadPlan says, and reports what the engine made of it."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama
import msgspec

from desktop.engine.protocol import DeviceMemory, EngineFailure, FailureKind, LoadedModel, LoadPlan
from desktop.errors import Phrase
from desktop.runtime.devices.backends import Ggml, list_devices
from desktop.runtime.devices.rpc import register_workers, rpc_buffer_names
from desktop.runtime.engine_log import EngineLog, buffer_sizes
from desktop.runtime.failures import EngineError
from desktop.runtime.loading.adapters import Adapters
from desktop.runtime.loading.description import add_memory, describe
from desktop.runtime.loading.draft import Draft
from desktop.runtime.loading.notes import lock_notes
from desktop.runtime.loading.parameters import ModelParameters, context_parameters, planned_threads
from desktop.runtime.loading.plan_checks import check_file, check_plan, check_projector, identify_file
from desktop.runtime.loading.pooling import create_pooling_context
from desktop.runtime.loading.projector import MediaChunk, Projector
from desktop.runtime.loading.warm_up import spread_memory, warm_up
from desktop.runtime.loading.weights import Progress, cancelled_load, create_context, load_weights
from desktop.runtime.templates.template import ChatTemplate, fallback_source
from desktop.runtime.vocabulary import Vocabulary


class Model:
    """Weights, context and tokenizer of one plan. Raises EngineError with the kind of what went wrong.

    key: identifies the weights and everything else that changes a KV state, but for `adapters.key`.
    """

    def __init__(self, plan: LoadPlan, *, ggml: Ggml, log: EngineLog, on_progress: Progress) -> None:
        started = time.monotonic()
        self.plan = plan
        self.context: Any = None
        self._model: Any = None
        self.draft: Draft | None = None
        self.projector: Projector | None = None
        self._header = check_file(plan.model_path)
        check_plan(plan)
        self._projector_bytes = check_projector(plan.mmproj_path) if plan.mmproj_path else 0
        self.key = self._identify()
        register_workers(ggml, plan.rpc_endpoints)
        notes = spread_memory(plan.numa)
        shares = _Shares(plan, on_progress)
        try:
            self._load(shares, ggml=ggml, log=log)
            mark = log.mark()
            if plan.mmproj_path:
                self.projector = Projector(plan, self._model, ggml=ggml, log=log, on_progress=shares.of_projector)
            if plan.draft_path:
                self.draft = Draft(plan, self.vocabulary, ggml=ggml, log=log, on_progress=shares.of_draft)
            self._add_to_description(log.since(mark), notes, time.monotonic() - started)
        except BaseException:
            self.close()
            raise

    def _load(self, shares: "_Shares", *, ggml: Ggml, log: EngineLog) -> None:
        plan, mark = self.plan, log.mark()
        self._aliases = rpc_buffer_names(list_devices(ggml))
        self._parameters = ModelParameters(plan, ggml)
        self._model = load_weights(plan.model_path, self._parameters, log=log, on_progress=shares.of_model)
        self.vocabulary = Vocabulary(self._model)
        lines, mark = log.since(mark), log.mark()
        if plan.purpose == "chat":
            self.context = create_context(self._model, context_parameters(plan), log=log, path=plan.model_path)
        else:
            self.context, mark = create_pooling_context(self._model, plan, self._header, log=log)
        self._planned_threads = self._threads = planned_threads(plan)
        self.adapters = Adapters(self._model, plan.lora, base=self._header, log=log)
        lines += log.since(mark)
        self.adapters.set_scales(self.context, self.adapters.planned)
        self.template, self.template_failure = self._read_template()
        if plan.warm_up:
            warm_up(self._model, self.context, self.vocabulary, log=log, path=plan.model_path)
        if not shares.of_model(1.0):
            raise cancelled_load()
        self.loaded = self._describe(lines)

    @property
    def native(self) -> Any:
        """The native handle of the weights."""
        return self._model

    @functools.cached_property
    def n_ctx(self) -> int:
        """Tokens the context holds."""
        return int(llama.llama_n_ctx(self.context))

    @functools.cached_property
    def n_batch(self) -> int:
        """The most tokens of one decode; less than planned where the context is smaller."""
        return int(llama.llama_n_batch(self.context))

    @functools.cached_property
    def n_seq_max(self) -> int:
        """Sequences the context can hold."""
        return int(llama.llama_n_seq_max(self.context))

    @functools.cached_property
    def n_swa(self) -> int:
        """Width of the sliding attention window in tokens; 0 without one."""
        return int(llama.llama_model_n_swa(self._model))

    @functools.cached_property
    def is_recurrent(self) -> bool:
        """Whether the model keeps a state that cannot be cut back token by token (recurrent or hybrid)."""
        return bool(llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model))

    @functools.cached_property
    def can_shift(self) -> bool:
        """Whether the oldest part of a context can be forgotten: positions in the KV cache can be moved, and it is one.

        A recurrent state has no oldest part, and refuses to be cut.
        """
        if self.is_recurrent:
            return False
        memory = llama.llama_get_memory(self.context)
        return bool(memory) and bool(llama.llama_memory_can_shift(memory))

    @property
    def threads(self) -> tuple[int, int]:
        """Threads that decode and prefill use now."""
        return self._threads

    def set_threads(self, decode: int, prefill: int | None = None) -> None:
        """Use at most so many threads from the next step on, and never more than planned; prefill as many as decode."""
        planned_decode, planned_prefill = self._planned_threads
        wanted = max(1, min(decode, planned_decode)), max(1, min(prefill or decode, planned_prefill))
        if wanted != self._threads:
            self._threads = wanted
            llama.llama_set_n_threads(self.context, *wanted)
            if self.draft is not None:
                self.draft.set_threads(*wanted)

    def perceive(self, medium: MediaChunk, *, position: int, sequence: int, go_on: Callable[[], bool]) -> int:
        """Read an image or a recording into the KV cache; see Projector.encode_into."""
        if self.projector is None:
            raise EngineError(FailureKind.INTERNAL, "there is no projector")
        return self.projector.encode_into(
            self.context, medium, position=position, sequence=sequence, n_batch=self.n_batch, go_on=go_on
        )

    def close(self) -> None:
        """Free everything; safe to call twice."""
        if self.projector is not None:
            self.projector.close()
            self.projector = None
        if self.draft is not None:
            self.draft.close()
            self.draft = None
        if self.context is not None:
            llama.llama_free(self.context)
            self.context = None
        if self._model is not None:
            llama.llama_model_free(self._model)  # frees the adapters too
            self._model = None

    def _identify(self) -> str:
        plan = self.plan
        return identify_file(
            plan.model_path,
            self._header,
            engine=llama.llama_version().decode(),
            type_k=plan.type_k,
            type_v=plan.type_v,
            flash_attention=plan.flash_attention,  # decides whether V is stored transposed
            swa_full=plan.swa_full,
            kv_unified=plan.kv_unified,
            projector=identify_file(plan.mmproj_path) if plan.mmproj_path else "",
            # LongRoPE turns keys by other factors where the context is longer than the one of the first training.
            context=str(plan.n_ctx) if self._header.has_long_rope else "",
            places=repr((plan.n_gpu_layers, plan.devices, plan.tensor_split)),  # what "auto" comes to depends on them
        )

    def _describe(self, lines: list[str]) -> LoadedModel:
        return describe(
            self.plan,
            model=self._model,
            context=self.context,
            lines=lines,
            aliases=self._aliases,
            has_template=self.template is not None,
        )

    def _add_to_description(self, draft_lines: list[str], notes: tuple[Phrase, ...], seconds: float) -> None:
        memory = add_memory(self.loaded.memory, buffer_sizes(draft_lines, self._aliases))
        if self.projector is not None:  # its log tells no device of the weights
            device = self.plan.devices[0] if self.plan.devices else "CPU"
            memory = add_memory(memory, (DeviceMemory(device=device, weights=self._projector_bytes),))
        notes = (*notes, *self.loaded.notes, *lock_notes(draft_lines))
        # Phrases have no hash.
        distinct = tuple(note for index, note in enumerate(notes) if note not in notes[:index])
        self.loaded = msgspec.structs.replace(
            self.loaded,
            memory=memory,
            notes=distinct,
            load_seconds=seconds,
            sees_images=self.projector is not None and self.projector.sees_images,
            hears_audio=self.projector is not None and self.projector.hears_audio,
        )

    def _read_template(self) -> tuple[ChatTemplate | None, EngineFailure | None]:
        """A broken template does not spoil the load: it is told when a chat is asked for."""
        raw: bytes | None = llama.llama_model_chat_template(self._model, None)
        words = self.vocabulary
        source = raw.decode("utf-8", "replace") if raw else fallback_source(words.special_texts)
        if source is None:
            return None, None
        try:
            template = ChatTemplate(source, bos=words.bos_text, eos=words.eos_text, special_texts=words.special_texts)
            template.explore()
        except EngineError as error:
            return None, error.failure
        return template, None


class _Shares:
    """Makes one progress of the files of a plan, by their sizes; read in this order."""

    def __init__(self, plan: LoadPlan, on_progress: Progress) -> None:
        paths = map(Path, (plan.model_path, plan.mmproj_path, plan.draft_path))
        self._sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
        self._on_progress = on_progress

    def of_model(self, fraction: float) -> bool:
        return self._tell(0, fraction)

    def of_projector(self, fraction: float) -> bool:
        return self._tell(1, fraction)

    def of_draft(self, fraction: float) -> bool:
        return self._tell(2, fraction)

    def _tell(self, index: int, fraction: float) -> bool:
        done = sum(self._sizes[:index]) + fraction * self._sizes[index]
        return self._on_progress(done / sum(self._sizes))
