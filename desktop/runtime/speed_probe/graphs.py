"""ggml's graphs through ctypes: tensors in a device's memory, operations on them, and how long a device takes for them.

Signatures are those of ggml.h and ggml-backend.h (ggml 0.25.3).
"""

import ctypes
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.runtime.devices.backends import Ggml, bind, same_library

_POINTER, _TEXT, _SIZE, _INT, _LONG, _FLOAT = (
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_float,
)
_NODES = 1 << 14
_DESCRIPTION = 1024  # bytes that a tensor's own description takes at most, and what ggml keeps beside it


class _InitParameters(ctypes.Structure):
    """struct ggml_init_params."""

    _fields_ = [("mem_size", _SIZE), ("mem_buffer", _POINTER), ("no_alloc", ctypes.c_bool)]


class _Functions:
    """ggml's functions, by their names without the prefix."""

    def __init__(self) -> None:
        library = same_library("ggml-base")
        pointer = _POINTER
        signatures: dict[str, tuple[Any, ...]] = {
            "init": (pointer, _InitParameters),
            "free": (None, pointer),
            "new_tensor_4d": (pointer, pointer, _INT, _LONG, _LONG, _LONG, _LONG),
            "view_3d": (pointer, pointer, pointer, _LONG, _LONG, _LONG, _SIZE, _SIZE, _SIZE),
            "reshape_2d": (pointer, pointer, pointer, _LONG, _LONG),
            "permute": (pointer, pointer, pointer, _INT, _INT, _INT, _INT),
            "mul_mat": (pointer, pointer, pointer, pointer),
            "add": (pointer, pointer, pointer, pointer),
            "mul": (pointer, pointer, pointer, pointer),
            "rms_norm": (pointer, pointer, pointer, _FLOAT),
            "rope_ext": (pointer, *[pointer] * 4, _INT, _INT, _INT, *[_FLOAT] * 6),
            "swiglu_split": (pointer, pointer, pointer, pointer),
            "set_rows": (pointer, pointer, pointer, pointer, pointer),
            "flash_attn_ext": (pointer, *[pointer] * 5, _FLOAT, _FLOAT, _FLOAT),
            "new_graph_custom": (pointer, pointer, _SIZE, ctypes.c_bool),
            "build_forward_expand": (None, pointer, pointer),
            "graph_overhead_custom": (_SIZE, _SIZE, ctypes.c_bool),
            "backend_dev_init": (pointer, pointer, _TEXT),
            "backend_free": (None, pointer),
            "backend_graph_compute": (_INT, pointer, pointer),
            "backend_dev_supports_op": (ctypes.c_bool, pointer, pointer),
            "backend_buffer_clear": (None, pointer, ctypes.c_uint8),
            "backend_buffer_free": (None, pointer),
            "backend_buffer_get_base": (pointer, pointer),
            "backend_buft_alloc_buffer": (pointer, pointer, _SIZE),
            "backend_buft_get_alignment": (_SIZE, pointer),
            "backend_buft_get_alloc_size": (_SIZE, pointer, pointer),
            "backend_alloc_ctx_tensors_from_buft": (pointer, pointer, pointer),
            "backend_tensor_alloc": (_INT, pointer, pointer, pointer),
            "backend_tensor_set": (None, pointer, pointer, _SIZE, _SIZE),
            "nbytes": (_SIZE, pointer),
            "quantize_chunk": (_SIZE, _INT, pointer, pointer, _LONG, _LONG, _LONG, pointer),
        }
        for name, signature in signatures.items():
            setattr(self, name, bind(library, f"ggml_{name}", *signature))

    def __getattr__(self, name: str) -> Any:
        """Only for the type checker: what is not above does not exist."""
        raise AttributeError(name)


class _TensorHead(ctypes.Structure):
    """struct ggml_tensor of ggml.h, up to `extra`."""

    _fields_ = [
        ("type", _INT),
        ("buffer", _POINTER),
        ("ne", _LONG * 4),
        ("nb", _SIZE * 4),
        ("op", _INT),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", _POINTER * 10),
        ("view_src", _POINTER),
        ("view_offs", _SIZE),
        ("data", _POINTER),
        ("name", ctypes.c_char * 64),
        ("extra", _POINTER),
    ]


class Timing(NamedTuple):
    """Seconds that a graph took, at best and at worst."""

    best: float
    worst: float


class NoMemory(Exception):
    """A device has no room for what is to be measured."""


class Device:
    """A device that computes, with buffers that are used again and again, so that their pages are touched once.

    Close it at the end. Raises NoMemory.
    """

    def __init__(self, ggml: Ggml, handle: int, *, threads: int, room: int) -> None:
        """threads: of the processor, 0 on others. room: bytes of each buffer."""
        self.ggml, self.handle, self.functions, self.room, self.threads = ggml, handle, _Functions(), room, threads
        self._buffers: dict[int, int] = {}
        self._backend = self.functions.backend_dev_init(handle, None)
        if not self._backend:
            raise NoMemory
        registry = ggml.dev_reg(handle)
        if threads:
            set_threads = ggml.reg_proc(registry, b"ggml_backend_set_n_threads")
            ctypes.CFUNCTYPE(None, _POINTER, _INT)(set_threads)(self._backend, threads)
        self.buffer_types = (*self._extra_types(registry), ggml.dev_buffer_type(handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for buffer in self._buffers.values():
            self.functions.backend_buffer_free(buffer)
        self.functions.backend_free(self._backend)

    def buffer(self, buffer_type: int) -> int:
        """The buffer of this type, full of zeros when it is made."""
        if buffer_type not in self._buffers:
            buffer = self.functions.backend_buft_alloc_buffer(buffer_type, self.room)
            if not buffer:
                raise NoMemory
            self._buffers[buffer_type] = buffer
            self.functions.backend_buffer_clear(buffer, 0)
        return self._buffers[buffer_type]

    def timing(self, graph: int, repeats: int) -> Timing:
        """Compute once to warm up, then `repeats` times."""
        compute = self.functions.backend_graph_compute
        compute(self._backend, graph)
        seen = []
        for _ in range(repeats):
            began = time.perf_counter()
            compute(self._backend, graph)
            seen.append(time.perf_counter() - began)
        return Timing(min(seen), max(seen))

    def _extra_types(self, registry: int) -> list[int]:
        """Kinds of buffers that lay weights out anew for this processor, in the order in which libllama tries them."""
        function = self.ggml.reg_proc(registry, b"ggml_backend_dev_get_extra_bufts")
        if not function:
            return []
        listed = ctypes.CFUNCTYPE(ctypes.POINTER(_POINTER), _POINTER)(function)(self.handle)
        types: list[int] = []
        while listed and (entry := listed[len(types)]):
            types.append(entry)
        return types


class Graph:
    """Tensors and operations of one measurement. Close it at the end. Raises NoMemory.

    Weights are placed in the device's own buffers; everything else gets memory in `measure`.
    """

    def __init__(self, device: Device) -> None:
        self.device, self._ggml = device, device.functions
        memory = self._ggml.graph_overhead_custom(_NODES, False) + _NODES * _DESCRIPTION
        self._context = self._ggml.init(_InitParameters(memory, None, True))
        self._graph = self._ggml.new_graph_custom(self._context, _NODES, False)
        self._rest: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rest:
            self._ggml.backend_buffer_free(self._rest)
        self._ggml.free(self._context)

    def tensor(self, kind: str, *shape: int) -> int:
        """A tensor; it has no memory yet. kind: ggml's name of its type; shape: in ggml's order."""
        sides = (*shape, 1, 1, 1)[:4]
        return int(self._ggml.new_tensor_4d(self._context, GGML_TYPES_BY_NAME[kind].code, *sides))

    def apply(self, operation: str, *arguments: float | None) -> int:
        """An operation, by ggml's name for it; returns its result."""
        return int(getattr(self._ggml, operation)(self._context, *arguments))

    def want(self, result: int) -> None:
        """Have this computed, after what was wanted before."""
        self._ggml.build_forward_expand(self._graph, result)

    def place(self, weights: Sequence[int], use: int, contents: bytes) -> bool:
        """Give weights memory where libllama would: where `use`, an operation on the first, can be computed from.

        All are alike, and filled with `contents` again and again. False where this device cannot compute it at all.
        """
        for buffer_type in self.device.buffer_types:
            self._place_in(weights, buffer_type)
            if self.supports(use):
                self._fill_alike(weights, contents)
                return True
        return False

    def supports(self, result: int) -> bool:
        """Whether the device can compute this."""
        return bool(self._ggml.backend_dev_supports_op(self.device.handle, result))

    def allocate(self) -> None:
        """Give everything else memory, full of zeros."""
        usual = self.device.buffer_types[-1]
        self._rest = self._ggml.backend_alloc_ctx_tensors_from_buft(self._context, usual)
        if self._rest:
            self._ggml.backend_buffer_clear(self._rest, 0)

    def fill(self, tensor: int, contents: bytes) -> None:
        """Fill a tensor that has memory with `contents`, again and again."""
        size = self._ggml.nbytes(tensor)
        whole = (contents * (size // len(contents) + 1))[:size]
        self._ggml.backend_tensor_set(tensor, whole, 0, size)

    def measure(self, repeats: int) -> Timing:
        """Compute what is wanted, once to warm up and `repeats` times more."""
        return self.device.timing(self._graph, repeats)

    def _fill_alike(self, weights: Sequence[int], contents: bytes) -> None:
        """Fill one, laid out anew where that is the way of its buffer, and copy it where that is the processor's."""
        first, *others = weights
        self.fill(first, contents)
        size, source = self._ggml.nbytes(first), _TensorHead.from_address(first).data
        for tensor in others:
            if self.device.threads:
                ctypes.memmove(_TensorHead.from_address(tensor).data, source, size)
            else:
                self.fill(tensor, contents)

    def _place_in(self, weights: Sequence[int], buffer_type: int) -> None:
        ggml = self._ggml
        buffer = self.device.buffer(buffer_type)
        base, alignment = ggml.backend_buffer_get_base(buffer), ggml.backend_buft_get_alignment(buffer_type)
        at = 0
        for tensor in weights:
            size = ggml.backend_buft_get_alloc_size(buffer_type, tensor)
            if at + size > self.device.room:
                raise NoMemory
            head = _TensorHead.from_address(tensor)
            head.buffer = head.data = head.extra = None  # of the kind of buffer that was tried before
            ggml.backend_tensor_alloc(buffer, tensor, base + at)
            at += -(-size // alignment) * alignment


def quantize(device: Device, kind: str, width: int, values: "ctypes.Array[ctypes.c_float]") -> bytes:
    """Values as ggml stores them in a type, in rows of `width`."""
    rows = len(values) // width
    result = ctypes.create_string_buffer(rows * GGML_TYPES_BY_NAME[kind].row_bytes(width))
    importance = (ctypes.c_float * width)(*([1.0] * width))  # the smallest types insist on it
    code = GGML_TYPES_BY_NAME[kind].code
    device.functions.quantize_chunk(code, values, result, 0, rows, width, importance)
    return result.raw
