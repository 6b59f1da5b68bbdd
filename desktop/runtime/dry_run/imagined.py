"""Graphics cards that are not there, as ggml devices whose functions are written here.

libllama asks a device for its name, its memory, its kind of buffers and what it can compute; with these answers it
plans as for a real card. Nothing is ever computed on one, and nothing allocated (llama_model_params.no_alloc) but the
states of recurrent layers, which libllama allocates all the same: they get main memory. The structs are those of
ggml-backend-impl.h at API version 2 (ggml 0.25.3); another version is refused.
"""

import ctypes
import math
from collections.abc import Callable, Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, ImaginedDevice
from desktop.gguf.header import TensorInfo
from desktop.runtime.devices.backends import Capabilities, Ggml, Properties
from desktop.runtime.dry_run.native import NativeAnswers
from desktop.runtime.dry_run.structs import (
    API_VERSION,
    Backend,
    BufferType,
    BufferTypeInterface,
    Device,
    DeviceInterface,
    Pointer,
    Reg,
    Size,
    TensorHead,
    api_version,
)
from desktop.runtime.failures import EngineError

STAND_IN = "stand-in"
"""Name of a device that no plan has."""
_ALIGNMENT = 128  # of a CUDA buffer (ggml-cuda.cu); Vulkan's and RPC's are not larger
_ROW_PADDING = 512  # MATRIX_ROW_PADDING of ggml-cuda/common.cuh: quantized rows end on it
_LARGE_BATCH = 32  # rows from which on a card takes a product over (ggml_backend_cuda_device_offload_op)
_BUFFER_WORDS = 32  # pointers at the beginning of struct ggml_backend_buffer, among which its type is
# Those of struct ggml_backend_buffer_i, with which struct ggml_backend_buffer begins; its type follows.
_BUFFER_FUNCTIONS = (
    *("free_buffer", "get_base", "init_tensor", "memset_tensor", "set_tensor", "get_tensor"),
    *("set_tensor_2d", "get_tensor_2d", "cpy_tensor", "clear", "reset"),
)
_WRITES = ("memset_tensor", "set_tensor", "clear")  # what nobody reads need not be written: memory is not even given
_F16 = 1  # GGML_TYPE_F16
_GPU = 1  # GGML_BACKEND_DEVICE_TYPE_GPU


def is_padded(tensor: TensorInfo) -> bool:
    """Whether a card pads the rows of these weights."""
    return tensor.kind.block_size > 1 and tensor.shape[0] % _ROW_PADDING != 0


class _Functions:
    """The functions of ggml-base that sizes and operations are asked of."""

    def __init__(self, ggml: Ggml) -> None:
        self._ggml = ggml
        self._rows: dict[int, Callable[[TensorHead], int]] = {}
        self._attention: dict[int, bool] = {}
        self._quantized: dict[int, bool] = {}

    def sizes(self, *, remote: bool) -> Callable[[int, int], int]:
        """A function of a type of buffers and a tensor: bytes that the tensor takes on a card.

        Its quantized rows are padded, and attention has room to convert. It is asked thousands of times, so that of
        a tensor only those fields are read that decide whether there is something to add.
        """
        nbytes, number = self._ggml.nbytes, ctypes.c_int.from_address
        attention, quantized, operation = self._attention, self._quantized, TensorHead.op.offset

        def size_of(_type: int, address: int) -> int:
            size: int = nbytes(address)
            kind, op = number(address).value, number(address + operation).value
            if op not in attention or kind not in quantized:
                self._look_at(op, kind)
            if attention[op] and not remote:
                size += _converted(TensorHead.from_address(address))
            return size + self._padding(kind, address) if quantized[kind] else size

        return size_of

    def _look_at(self, op: int, kind: int) -> None:
        self._attention[op] = self._ggml.op_name(op) == b"FLASH_ATTN_EXT"
        self._quantized[kind] = bool(self._ggml.is_quantized(kind))

    def _padding(self, kind: int, address: int) -> int:
        left = TensorHead.from_address(address).ne[0] % _ROW_PADDING
        return int(self._ggml.row_size(kind, _ROW_PADDING - left)) if left else 0

    def batch_rows(self, address: int) -> int:
        """Rows that an operation treats at once, as ggml_backend_cuda_device_offload_op counts them."""
        tensor = TensorHead.from_address(address)
        op = tensor.op
        if op not in self._rows:
            self._rows[op] = _rows_by_name(self._ggml.op_name(op).decode())
        return self._rows[op](tensor)


def _converted(attention: TensorHead) -> int:
    """Bytes of K and V as F16 where the cache is of another type (ggml_cuda_flash_attn_ext_get_alloc_size).

    Whether CUDA converts depends on the card and the batch; for large batches it does, so that this is what is needed.
    """
    keys, values = (TensorHead.from_address(attention.src[place]) for place in (1, 2))
    shared = values.view_src == attention.src[1] or (
        values.view_src is not None and (values.view_src, values.view_offs) == (keys.view_src, keys.view_offs)
    )
    needed = [tensor for tensor in ((keys,) if shared else (keys, values)) if tensor.type != _F16]
    return sum(_ALIGNMENT + 2 * math.prod(tensor.ne) for tensor in needed)


def _rows_by_name(name: str) -> Callable[[TensorHead], int]:
    if name == "GET_ROWS":
        return lambda _tensor: 0
    if name == "MUL_MAT":
        return lambda tensor: int(tensor.ne[1])
    if name in ("MUL_MAT_ID", "ROPE", "ROPE_BACK"):
        return lambda tensor: int(tensor.ne[2])
    return lambda tensor: int(tensor.ne[1] * tensor.ne[2] * tensor.ne[3])


class ImaginedDevices:
    """Makes such devices. To be kept for as long as the engine may use one: for the life of the process.

    Raises EngineError(VERSION_MISMATCH) where this engine's devices look otherwise.
    """

    def __init__(self, ggml: Ggml) -> None:
        self._functions, self._ggml = _Functions(ggml), ggml
        self._keep: list[Any] = []
        self._devices: dict[tuple[str, bool], int] = {}
        self._memory: dict[tuple[str, bool], ImaginedDevice] = {}
        self._padded: list[tuple[BufferTypeInterface, int]] = []
        self._ignored = self._function(None, (), lambda: None)
        found = api_version(ggml)
        if found != API_VERSION:
            detail = f"devices of this engine have the version {found}, known is {API_VERSION}"
            raise EngineError(FailureKind.VERSION_MISMATCH, detail)
        self._native = NativeAnswers()
        self._reg = Reg(api_version=API_VERSION)
        name = self._text("imagined")
        self._reg.interface.get_name = self._function(Pointer, (Pointer,), lambda _reg: name)
        self._reg.interface.get_device_count = self._function(Size, (Pointer,), lambda _reg: 0)
        self._reg.interface.get_device = self._function(Pointer, (Pointer, Size), lambda _reg, _index: None)
        self._reg.interface.get_proc_address = self._function(
            Pointer, (Pointer, ctypes.c_char_p), lambda _reg, _name: None
        )

    def find(self, devices: Sequence[ImaginedDevice]) -> dict[str, int]:
        """The engine's handles of these devices, by name; for the same name none is made twice."""
        keys = {device.name: (device.name, device.remote) for device in devices}
        for device in devices:
            key = keys[device.name]
            self._memory[key] = device  # another size from one question to the next needs no other device
            if key not in self._devices:
                self._devices[key] = self._make(*key)
        return {name: self._devices[key] for name, key in keys.items()}

    def pad_tensors(self, *, needed: bool) -> None:
        """Ask here what a tensor takes; without the need ggml says so itself, thousands of times faster.

        Needed where a quantized cache is converted, and where weights that are padded are brought to a card: nothing
        else that is allocated for computing is quantized.
        """
        for interface, padded in self._padded:
            interface.get_alloc_size = padded if needed else None

    def stand_in(self) -> int:
        """The handle of one that takes in whatever it is given, and keeps nothing of it."""
        about = ImaginedDevice(name=STAND_IN, memory_total=1 << 50, memory_free=1 << 50)
        return self.find([about])[STAND_IN]

    def _make(self, called: str, remote: bool) -> int:
        device, buffers = Device(reg=ctypes.addressof(self._reg)), BufferType()
        self._keep += [device, buffers]
        name, described = self._text(called), self._text("imagined")
        python_name = self._function(Pointer, (Pointer,), lambda _self: name)
        device.answer = buffers.answer = name
        get_name = self._native.stored or python_name
        self._fill_buffers(buffers, ctypes.addressof(device), get_name, remote=remote)

        def tell_memory(_device: int, free: int, total: int) -> None:
            about = self._memory[called, remote]
            Size.from_address(free).value = about.memory_free
            Size.from_address(total).value = about.memory_total

        def tell_properties(_device: int, address: int) -> None:
            properties, about = Properties.from_address(address), self._memory[called, remote]
            properties.memory_free, properties.memory_total = about.memory_free, about.memory_total
            properties.type, properties.device_id = _GPU, None
            properties.caps = Capabilities(async_=True, host_buffer=not remote, events=True, mmap_support=True)
            for field, text in ((Properties.name, name), (Properties.description, described)):
                Pointer.from_address(address + field.offset).value = text

        interface, one = device.interface, (Pointer,)
        interface.get_name = get_name
        # One function for both, so that device and buffers begin alike, and no other does (see _fill_abilities).
        interface.get_description = buffers.interface.alloc_buffer = self._function(
            Pointer,
            (Pointer, Size),
            lambda which, size: described if which == ctypes.addressof(device) else self._allocate(which, size),
        )
        interface.get_memory = self._function(None, (Pointer, Pointer, Pointer), tell_memory)
        interface.get_type = self._function(ctypes.c_int, one, lambda _device: _GPU)
        interface.get_props = self._function(None, (Pointer, Pointer), tell_properties)
        backend = self._backend(ctypes.addressof(device), python_name)  # one for all contexts: it holds nothing
        interface.init_backend = self._function(Pointer, (Pointer, Pointer), lambda _device, _parameters: backend)
        self._fill_abilities(interface, ctypes.addressof(buffers), remote=remote)
        return ctypes.addressof(device)

    def _fill_abilities(self, interface: DeviceInterface, own: int, *, remote: bool) -> None:
        """What it computes, and where from. own: its type of buffers."""
        functions, offloads, one, two = self._functions, not remote, (Pointer,), (Pointer, Pointer)
        interface.get_buffer_type = self._function(Pointer, one, lambda _device: own)
        # Asked thousands of times: a native function that always says yes, whatever it is given.
        always = bool(llama.llama_supports_mmap())
        yes = ctypes.cast(llama.llama_supports_mmap, Pointer).value if always else None
        interface.supports_op = yes or self._function(ctypes.c_bool, two, lambda _device, _op: True)
        interface.supports_buft = self._native.same or self._function(
            ctypes.c_bool, two, lambda _device, buffers: buffers == own
        )
        if not remote:
            # Weights that stay behind lie in memory that the card can read (as CUDA_Host), so that it takes over
            # large products of theirs; without it the processor would keep them in an order of its own.
            plain = self._ggml.cpu_buffer_type()
            interface.get_host_buffer_type = self._function(Pointer, one, lambda _device: plain)
        interface.offload_op = self._function(
            ctypes.c_bool, two, lambda _device, op: offloads and functions.batch_rows(op) >= _LARGE_BATCH
        )

    def _fill_buffers(self, buffers: BufferType, device: int, get_name: int, *, remote: bool) -> None:
        one = (Pointer,)
        buffers.device = device
        interface = buffers.interface
        interface.get_name = get_name
        interface.get_alignment = self._function(Size, one, lambda _type: _ALIGNMENT)
        padded = self._function(Size, (Pointer, Pointer), self._functions.sizes(remote=remote))
        self._padded.append((interface, padded))

    def _allocate(self, own_type: int, size: int) -> int | None:
        """Main memory that says it is of this type; None where it cannot be had, as a device that is full."""
        plain = self._ggml.cpu_buffer_type()
        buffer: int | None = self._ggml.alloc_buffer(plain, size + _ALIGNMENT)  # it may begin at less than that
        if buffer is None:
            return None
        words = (Pointer * _BUFFER_WORDS).from_address(buffer)
        place = next((place for place in range(_BUFFER_WORDS) if words[place] == plain), None)
        if place != len(_BUFFER_FUNCTIONS):
            return None
        words[place] = own_type
        for name in _WRITES:
            words[_BUFFER_FUNCTIONS.index(name)] = self._ignored
        return buffer

    def _backend(self, device: int, get_name: int) -> int:
        backend = Backend(device=device)
        backend.interface.get_name = get_name
        backend.interface.free = backend.interface.synchronize = self._function(None, (Pointer,), lambda _self: None)
        self._keep.append(backend)
        return ctypes.addressof(backend)

    def _text(self, text: str) -> int:
        buffer = ctypes.create_string_buffer(text.encode())
        self._keep.append(buffer)
        return ctypes.addressof(buffer)

    def _function(self, result: Any, arguments: tuple[Any, ...], call: Callable[..., Any]) -> int:
        """The address of a Python function for native code."""
        function = ctypes.CFUNCTYPE(result, *arguments)(call)
        self._keep.append(function)
        address = ctypes.cast(function, Pointer).value
        assert address is not None  # noqa: S101 - ctypes made it a moment ago
        return address
