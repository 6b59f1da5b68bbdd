"""ggml's own structs that the dry run makes or changes: ggml-backend-impl.h at API version 2, ggml.h of ggml 0.25.3."""

import ctypes
from typing import Any

from desktop.runtime.devices.backends import Ggml

API_VERSION = 2
"""GGML_BACKEND_API_VERSION of ggml-backend-impl.h."""

Pointer, Size = ctypes.c_void_p, ctypes.c_size_t


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, Pointer) for name in names.split()]


class DeviceInterface(ctypes.Structure):
    """struct ggml_backend_device_i."""

    _fields_ = _pointers(
        "get_name get_description get_memory get_type get_props init_backend get_buffer_type get_host_buffer_type "
        "buffer_from_host_ptr supports_op supports_buft offload_op event_new event_free event_synchronize"
    )


class Device(ctypes.Structure):
    """struct ggml_backend_device; answer: ours, behind its end (native.py)."""

    _fields_ = [("interface", DeviceInterface), ("reg", Pointer), ("context", Pointer), ("answer", Pointer)]


class BufferTypeInterface(ctypes.Structure):
    """struct ggml_backend_buffer_type_i."""

    _fields_ = _pointers("get_name alloc_buffer get_alignment get_max_size get_alloc_size is_host")


class BufferType(ctypes.Structure):
    """struct ggml_backend_buffer_type; answer: ours, at the same place as in a device."""

    _fields_ = [
        ("interface", BufferTypeInterface),
        ("device", Pointer),
        ("context", Pointer),
        ("unused", Pointer * 9),
        ("answer", Pointer),
    ]


class BackendInterface(ctypes.Structure):
    """struct ggml_backend_i."""

    _fields_ = _pointers(
        "get_name free set_tensor_async get_tensor_async set_tensor_2d_async get_tensor_2d_async cpy_tensor_async "
        "synchronize graph_plan_create graph_plan_free graph_plan_update graph_plan_compute graph_compute "
        "event_record event_wait graph_optimize"
    )


class Backend(ctypes.Structure):
    """struct ggml_backend."""

    _fields_ = [("guid", Pointer), ("interface", BackendInterface), ("device", Pointer), ("context", Pointer)]


class RegInterface(ctypes.Structure):
    """struct ggml_backend_reg_i."""

    _fields_ = _pointers("get_name get_device_count get_device get_proc_address")


class Reg(ctypes.Structure):
    """struct ggml_backend_reg."""

    _fields_ = [("api_version", ctypes.c_int), ("interface", RegInterface), ("context", Pointer)]


class TensorHead(ctypes.Structure):
    """struct ggml_tensor, all but its end (ggml.h)."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", Pointer),
        ("ne", ctypes.c_int64 * 4),
        ("nb", Size * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", Pointer * 10),
        ("view_src", Pointer),
        ("view_offs", Size),
        ("data", Pointer),
        ("name", ctypes.c_char * 64),
    ]


def api_version(ggml: Ggml) -> int | None:
    """The version of these structs that the engine in use was built with; None where it has no CPU."""
    reg = ggml.reg_by_name(b"CPU")
    return int(Reg.from_address(reg).api_version) if reg else None
