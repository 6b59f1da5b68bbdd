"""From a LoadPlan to the structs that libllama is given: nothing is left to libllama's own choice."""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, KvType, LoadPlan, TensorOverride
from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.runtime.devices.backends import Ggml, list_devices
from desktop.runtime.devices.threads import physical_cores
from desktop.runtime.failures import EngineError

_KV_TYPES: dict[KvType, int] = {name: GGML_TYPES_BY_NAME[name].code for name in get_args(KvType)}
FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
"""enum llama_flash_attn_type of llama.h"""
_SPLIT_MODES = {"none": 0, "layer": 1}
# enum llama_load_mode of llama.h, by (use_mmap, use_mlock)
_LOAD_MODES = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
# enum llama_pooling_type of llama.h; -1 is what the file says
_POOLING = {"model": -1, "mean": 1, "cls": 2, "last": 3}
POOLING_NONE, POOLING_LAST, POOLING_RANK = 0, 3, 4


class _TensorOverride(ctypes.Structure):
    """struct llama_model_tensor_buft_override of llama.h; an entry of nulls ends a list of them."""

    _fields_ = [
        ("pattern", ctypes.c_char_p),
        ("buft", ctypes.c_void_p),
    ]


class ModelParameters:
    """llama_model_params, and the memory it points to: to be kept for as long as the model is.

    imagined: handles of devices that only a dry run knows, by name.
    """

    def __init__(self, plan: LoadPlan, ggml: Ggml, *, imagined: Mapping[str, int] | None = None) -> None:
        self._keep: list[Any] = []
        self.native = llama.llama_model_default_params()
        # A list with nothing but its end means: no device but the CPU. NULL would mean: all there are.
        known = imagined or {}
        devices = [known.get(name) or find_device(ggml, name) for name in plan.devices]
        self.native.devices = self._hold((ctypes.c_void_p * (len(devices) + 1))(*devices, None))
        self.native.n_gpu_layers = plan.n_gpu_layers
        self.native.split_mode = _SPLIT_MODES[plan.split_mode]
        self.native.main_gpu = 0
        self.native.load_mode = _LOAD_MODES[plan.use_mmap, plan.use_mlock]
        if plan.tensor_split:
            split = (ctypes.c_float * llama.llama_max_devices())(*plan.tensor_split)
            self._keep.append(split)
            self.native.tensor_split = split
        if plan.tensor_overrides:
            self.native.tensor_buft_overrides = self._hold(_overrides(plan.tensor_overrides, ggml, known))

    def on_progress(self, callback: Any) -> None:
        """Have `callback(fraction, data) -> go on` called while the weights are read."""
        self.native.progress_callback = llama.llama_progress_callback(callback)

    def _hold(self, array: Any) -> Any:
        self._keep.append(array)
        return ctypes.cast(array, ctypes.c_void_p)


def _overrides(overrides: Sequence[TensorOverride], ggml: Ggml, known: Mapping[str, int]) -> Any:
    array = (_TensorOverride * (len(overrides) + 1))()
    for entry, override in zip(array, overrides, strict=False):
        entry.pattern = override.pattern.encode()
        entry.buft = ggml.dev_buffer_type(known.get(override.device) or find_device(ggml, override.device))
    return array


def context_parameters(plan: LoadPlan) -> Any:
    """Return llama_context_params for a plan that makes text."""
    parameters = llama.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = plan.n_ctx, plan.n_batch, plan.n_ubatch
    parameters.n_seq_max, parameters.n_outputs_max = plan.n_seq_max, plan.n_outputs_max
    parameters.n_threads, parameters.n_threads_batch = planned_threads(plan)
    parameters.type_k, parameters.type_v = _KV_TYPES[plan.type_k], _KV_TYPES[plan.type_v]
    parameters.flash_attn_type = FLASH_ATTENTION[plan.flash_attention]
    parameters.swa_full, parameters.kv_unified = plan.swa_full, plan.kv_unified
    return parameters


def embedding_parameters(plan: LoadPlan, *, n_ubatch: int) -> Any:
    """Return llama_context_params for a plan that embeds or ranks: every row is an output, pooled per sequence."""
    parameters = context_parameters(plan)
    # llama_encode and non-causal attention take a batch in one piece (GGML_ASSERTs of llama-context.cpp).
    parameters.n_batch = parameters.n_ubatch = parameters.n_outputs_max = n_ubatch
    parameters.embeddings = True
    parameters.pooling_type = POOLING_RANK if plan.purpose == "rerank" else _POOLING[plan.pooling]
    return parameters


def planned_threads(plan: LoadPlan) -> tuple[int, int]:
    """Threads of decode and of prefill, while no other program wants the cores."""
    threads = plan.n_threads or physical_cores()
    return threads, plan.n_threads_batch or threads


def find_device(ggml: Ggml, name: str) -> int:
    """Return the engine's handle of a device. Raises EngineError(DEVICE_MISSING)."""
    device: int | None = ggml.dev_by_name(name.encode())
    if not device:
        there = ", ".join(device.name for device in list_devices(ggml))
        raise EngineError(FailureKind.DEVICE_MISSING, f"the engine sees {there}", device=name)
    return device
