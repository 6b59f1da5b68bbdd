"""A model in memory: loads exactly what a LoadPlan says, and reports what the engine made of it."""

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import EngineFailure, FailureKind, LoadedModel, LoadPlan
from desktop.errors import AppError
from desktop.gguf.errors import CorruptGguf, NotAGguf, TruncatedGguf
from desktop.gguf.header import read_header
from desktop.runtime.backends import Ggml, list_devices
from desktop.runtime.devices import register_workers, rpc_buffer_names
from desktop.runtime.engine_log import EngineLog, assigned_layers, buffer_sizes
from desktop.runtime.failures import EngineError, decode_load_failure
from desktop.runtime.template import ChatTemplate, fallback_source
from desktop.runtime.threads import physical_cores
from desktop.runtime.vocabulary import Vocabulary

# enum ggml_type of ggml.h
_KV_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
_SPLIT_MODES = {"none": 0, "layer": 1}
# enum llama_load_mode of llama.h, by (use_mmap, use_mlock)
_LOAD_MODES = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}

Progress = Callable[[float], bool]
"""Told the fraction loaded; returns whether to go on."""


class _TensorOverride(ctypes.Structure):
    """struct llama_model_tensor_buft_override of llama.h; an entry of nulls ends a list of them."""

    _fields_ = [
        ("pattern", ctypes.c_char_p),
        ("buft", ctypes.c_void_p),
    ]


class Model:
    """Weights, context and tokenizer of one plan. Raises EngineError with the kind of what went wrong."""

    def __init__(self, plan: LoadPlan, *, ggml: Ggml, log: EngineLog, on_progress: Progress) -> None:
        started, mark = time.monotonic(), log.mark()
        self.plan = plan
        self._keep: list[Any] = []  # what native code reads after the call that passed it
        self._adapters: list[Any] = []
        self.context: Any = None
        self._model: Any = None
        check_file(plan.model_path)
        check_plan(plan)
        register_workers(ggml, plan.rpc_endpoints)
        try:
            self._aliases = rpc_buffer_names(list_devices(ggml))
            self._load(ggml, log, on_progress)
            self._create_context(log)
            self._apply_adapters(log)
            self.vocabulary = Vocabulary(self._model)
            self.template, self.template_failure = self._read_template()
            self.loaded = self._describe(log.since(mark), time.monotonic() - started)
        except BaseException:
            self.close()
            raise

    @property
    def n_ctx(self) -> int:
        """Tokens the context holds."""
        return int(llama.llama_n_ctx(self.context))

    @property
    def n_batch(self) -> int:
        """The most tokens of one decode; less than planned where the context is smaller."""
        return int(llama.llama_n_batch(self.context))

    @property
    def n_swa(self) -> int:
        """Width of the sliding attention window in tokens; 0 without one."""
        return int(llama.llama_model_n_swa(self._model))

    def close(self) -> None:
        """Free everything; safe to call twice."""
        if self.context is not None:
            llama.llama_free(self.context)
            self.context = None
        if self._model is not None:
            llama.llama_model_free(self._model)  # frees the adapters too
            self._model = None

    # --- loading ---------------------------------------------------------------------------------------------------

    def _load(self, ggml: Ggml, log: EngineLog, on_progress: Progress) -> None:
        mark, cancelled = log.mark(), False

        def on_native_progress(fraction: float, _data: object) -> bool:
            nonlocal cancelled
            cancelled = not on_progress(fraction)
            return not cancelled

        parameters = self._model_parameters(ggml)
        parameters.progress_callback = llama.llama_progress_callback(on_native_progress)
        self._model = llama.llama_model_load_from_file(os.fsencode(self.plan.model_path), parameters)
        if cancelled:
            raise EngineError(FailureKind.CANCELLED, "the load was cancelled")
        if not self._model:
            self._model = None
            raise decode_load_failure(log.problems_since(mark), self.plan.model_path)

    def _model_parameters(self, ggml: Ggml) -> Any:
        plan = self.plan
        parameters = llama.llama_model_default_params()
        # A list with nothing but its end means: no device but the CPU. NULL would mean: all there are.
        devices = [find_device(ggml, name) for name in plan.devices]
        parameters.devices = self._hold((ctypes.c_void_p * (len(devices) + 1))(*devices, None))
        parameters.n_gpu_layers = plan.n_gpu_layers
        parameters.split_mode = _SPLIT_MODES[plan.split_mode]
        parameters.main_gpu = 0
        parameters.load_mode = _LOAD_MODES[plan.use_mmap, plan.use_mlock]
        if plan.tensor_split:
            split = (ctypes.c_float * llama.llama_max_devices())(*plan.tensor_split)
            self._keep.append(split)
            parameters.tensor_split = split
        if plan.tensor_overrides:
            parameters.tensor_buft_overrides = self._hold(self._overrides(ggml))
        return parameters

    def _overrides(self, ggml: Ggml) -> Any:
        pairs = [
            (override.pattern.encode(), ggml.dev_buffer_type(find_device(ggml, override.device)))
            for override in self.plan.tensor_overrides
        ]
        array = (_TensorOverride * (len(pairs) + 1))()
        for entry, (pattern, buffer_type) in zip(array, pairs, strict=False):
            entry.pattern, entry.buft = pattern, buffer_type
        return array

    def _hold(self, array: Any) -> Any:
        self._keep.append(array)
        return ctypes.cast(array, ctypes.c_void_p)

    def _create_context(self, log: EngineLog) -> None:
        mark = log.mark()
        self.context = llama.llama_init_from_model(self._model, self._context_parameters()) or None
        if self.context is None:
            raise decode_load_failure(log.problems_since(mark), self.plan.model_path)

    def _context_parameters(self) -> Any:
        plan = self.plan
        parameters = llama.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = plan.n_ctx, plan.n_batch, plan.n_ubatch
        parameters.n_seq_max, parameters.n_outputs_max = plan.n_seq_max, plan.n_outputs_max
        threads = plan.n_threads or physical_cores()
        parameters.n_threads, parameters.n_threads_batch = threads, plan.n_threads_batch or threads
        parameters.type_k, parameters.type_v = _KV_TYPES[plan.type_k], _KV_TYPES[plan.type_v]
        parameters.flash_attn_type = _FLASH_ATTENTION[plan.flash_attention]
        parameters.swa_full, parameters.kv_unified = plan.swa_full, plan.kv_unified
        return parameters

    def _apply_adapters(self, log: EngineLog) -> None:
        for adapter in self.plan.lora:
            mark = log.mark()
            check_file(adapter.path)
            handle = llama.llama_adapter_lora_init(self._model, os.fsencode(adapter.path))
            if not handle:
                raise decode_load_failure(log.problems_since(mark), adapter.path)
            self._adapters.append(handle)
        if self._adapters:
            count = len(self._adapters)
            handles = (llama.llama_adapter_lora_p_ctypes * count)(*self._adapters)
            scales = (ctypes.c_float * count)(*(adapter.scale for adapter in self.plan.lora))
            llama.llama_set_adapters_lora(self.context, handles, count, scales)

    # --- what came of it -------------------------------------------------------------------------------------------

    def _read_template(self) -> tuple[ChatTemplate | None, EngineFailure | None]:
        """A broken template does not spoil the load: it is told when a chat is asked for."""
        raw: bytes | None = llama.llama_model_chat_template(self._model, None)
        words = self.vocabulary
        source = raw.decode("utf-8", "replace") if raw else fallback_source(words.special_texts)
        if source is None:
            return None, None
        try:
            return ChatTemplate(source, bos=words.bos_text, eos=words.eos_text, special_texts=words.special_texts), None
        except EngineError as error:
            return None, error.failure

    def _describe(self, lines: list[str], seconds: float) -> LoadedModel:
        layers = assigned_layers(lines)
        check_placement(self.plan, layers)
        return LoadedModel(
            name=self.plan.model_name,
            architecture=self._metadata("general.architecture"),
            n_layer=llama.llama_model_n_layer(self._model),
            n_ctx=self.n_ctx,
            n_ctx_train=llama.llama_model_n_ctx_train(self._model),
            n_vocab=self.vocabulary.size,
            n_params=llama.llama_model_n_params(self._model),
            n_threads=llama.llama_n_threads(self.context),
            has_chat_template=self.template is not None,
            layers=layers,
            memory=buffer_sizes(lines, self._aliases),
            load_seconds=seconds,
        )

    def _metadata(self, key: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        count: int = llama.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if count >= 0 else ""


def check_file(path: str) -> None:
    """Read the file's header with our own bounded reader, before native code opens it.

    Counts, offsets and sizes that point outside the file have been used to corrupt memory (CVE-2026-7482 and its
    kin). Raises EngineError(FILE_MISSING | NOT_A_MODEL | CORRUPT_FILE | LOAD_FAILED).
    """
    if not Path(path).is_file():
        raise EngineError(FailureKind.FILE_MISSING, path=path)
    try:
        read_header(Path(path))
    except NotAGguf as error:
        raise EngineError(FailureKind.NOT_A_MODEL, str(error), path=path) from error
    except (TruncatedGguf, CorruptGguf) as error:
        raise EngineError(FailureKind.CORRUPT_FILE, str(error), path=path) from error
    except AppError as error:
        raise EngineError(FailureKind.LOAD_FAILED, str(error), path=path) from error


def check_plan(plan: LoadPlan) -> None:
    """Raise EngineError(BAD_REQUEST) for a plan that leaves a choice to the engine or contradicts itself."""
    problem = ""
    if plan.n_gpu_layers > 0 and not plan.devices:
        problem = "layers leave the CPU, but no device is named"
    elif plan.n_gpu_layers < 0:
        problem = "the number of layers that leave the CPU is not stated"
    elif plan.tensor_split and len(plan.tensor_split) != len(plan.devices):
        problem = "the tensor split does not have one entry per device"
    elif len(plan.devices) > 1 and not sum(plan.tensor_split) > 0:
        problem = "several devices are named without a tensor split"
    elif plan.n_ctx <= 0 or plan.n_batch <= 0 or plan.n_ubatch <= 0 or plan.n_seq_max <= 0:
        problem = "context, batch and sequences must be more than zero"
    if problem:
        raise EngineError(FailureKind.BAD_REQUEST, problem)


def check_placement(plan: LoadPlan, layers: tuple[str, ...]) -> None:
    """Raise EngineError(LOAD_FAILED) when the engine did not do what the plan says: never a silent fallback."""
    if not layers:
        raise EngineError(FailureKind.INTERNAL, "the engine's log does not tell where the layers went")
    expected = min(plan.n_gpu_layers, len(layers))
    offloaded = [device for device in layers if device != "CPU"]
    if len(offloaded) != expected:
        detail = f"{len(offloaded)} of {expected} planned layers were placed on a device"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=plan.model_path)
    if plan.placement is not None and plan.placement.layers != layers:
        detail = f"planned {' '.join(plan.placement.layers)}, placed {' '.join(layers)}"
        raise EngineError(FailureKind.LOAD_FAILED, detail, path=plan.model_path)


def find_device(ggml: Ggml, name: str) -> int:
    """Return the engine's handle of a device. Raises EngineError(DEVICE_MISSING)."""
    device: int | None = ggml.dev_by_name(name.encode())
    if not device:
        there = ", ".join(device.name for device in list_devices(ggml))
        raise EngineError(FailureKind.DEVICE_MISSING, f"the engine sees {there}", device=name)
    return device
