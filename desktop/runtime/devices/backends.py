"""ggml through ctypes: its devices and its registry.

The functions are taken from the handle that llama_cpp itself loaded. The wheel carries libggml twice under two names
(libggml.so and libggml.so.0 are different files there), and a second copy would be a second registry whose devices
libllama never sees.
"""

import ctypes
import sys
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import DeviceKind, EngineDevice, EngineInfo

_KINDS = {0: DeviceKind.CPU, 1: DeviceKind.GPU, 2: DeviceKind.INTEGRATED, 3: DeviceKind.ACCELERATOR}


class Capabilities(ctypes.Structure):
    """struct ggml_backend_dev_caps of ggml-backend.h (ggml 0.25.3)."""

    _fields_ = [
        ("async_", ctypes.c_bool),
        ("host_buffer", ctypes.c_bool),
        ("buffer_from_host_ptr", ctypes.c_bool),
        ("events", ctypes.c_bool),
        ("mmap_support", ctypes.c_bool),
    ]


class Properties(ctypes.Structure):
    """struct ggml_backend_dev_props of ggml-backend.h (ggml 0.25.3)."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("caps", Capabilities),
        # Room to grow: a newer ggml writes into what we hand over.
        ("reserved", ctypes.c_byte * 64),
    ]


def same_library(name: str) -> ctypes.CDLL:
    """The copy of a ggml library that libllama is linked to."""
    if sys.platform == "win32":
        # Windows finds a loaded library by its file name; the wheel has one copy of each there.
        return ctypes.CDLL(str(Path(llama.__file__).parent / "lib" / f"{name}.dll"))
    # dlsym on libllama's own handle searches what that library was linked to, and nothing else.
    return ctypes.CDLL(None, handle=llama._lib._handle)


class Ggml:
    """The functions of ggml that libllama does not wrap, with their signatures."""

    def __init__(self) -> None:
        pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
        registry, base = same_library("ggml"), same_library("ggml-base")
        self.dev_count = bind(registry, "ggml_backend_dev_count", size)
        self.dev_get = bind(registry, "ggml_backend_dev_get", pointer, size)
        self.dev_by_name = bind(registry, "ggml_backend_dev_by_name", pointer, text)
        self.reg_by_name = bind(registry, "ggml_backend_reg_by_name", pointer, text)
        self.register = bind(registry, "ggml_backend_register", None, pointer)
        self.dev_props = bind(base, "ggml_backend_dev_get_props", None, pointer, ctypes.POINTER(Properties))
        self.dev_reg = bind(base, "ggml_backend_dev_backend_reg", pointer, pointer)
        self.dev_buffer_type = bind(base, "ggml_backend_dev_buffer_type", pointer, pointer)
        self.reg_name = bind(base, "ggml_backend_reg_name", text, pointer)
        self.cpu_buffer_type = bind(base, "ggml_backend_cpu_buffer_type", pointer)
        self.alloc_buffer = bind(base, "ggml_backend_buft_alloc_buffer", pointer, pointer, size)
        self.nbytes = bind(base, "ggml_nbytes", size, pointer)
        self.row_size = bind(base, "ggml_row_size", size, ctypes.c_int, ctypes.c_int64)
        self.is_quantized = bind(base, "ggml_is_quantized", ctypes.c_bool, ctypes.c_int)
        self.op_name = bind(base, "ggml_op_name", text, ctypes.c_int)
        self.reg_proc = bind(base, "ggml_backend_reg_get_proc_address", pointer, pointer, text)


def bind(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """A function of a library, with its signature."""
    function = library[name]  # by index: a function object of our own, not one shared with llama_cpp
    function.restype, function.argtypes = result, list(arguments)
    return function


def list_devices(ggml: Ggml) -> tuple[EngineDevice, ...]:
    """Every device the engine can compute on, in the engine's own order; memory in bytes."""
    return tuple(_describe(ggml, ggml.dev_get(index)) for index in range(ggml.dev_count()))


def _describe(ggml: Ggml, device: int) -> EngineDevice:
    properties = Properties()
    ggml.dev_props(device, ctypes.byref(properties))
    return EngineDevice(
        name=_text(properties.name),
        description=_text(properties.description).strip(),
        kind=_KINDS.get(properties.type, DeviceKind.ACCELERATOR),
        backend=_text(ggml.reg_name(ggml.dev_reg(device))),
        memory_total=properties.memory_total,
        memory_free=properties.memory_free,
        pci_address=_text(properties.device_id) or None,
    )


def engine_info(ggml: Ggml) -> EngineInfo:
    """Which engine this is and what it can use."""
    return EngineInfo(
        version=_text(llama.llama_version()),
        system_info=_text(llama.llama_print_system_info()).strip(),
        supports_gpu_offload=llama.llama_supports_gpu_offload(),
        supports_rpc=llama.llama_supports_rpc(),
        devices=list_devices(ggml),
    )


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
