"""Graphics cards that are not there, as ggml devices whose functions are written here.

libllama asks a device for its name, its memory, its kind of buffers and what it can compute; with these answers it
plans as for a real card. Nothing is ever computed on one, and nothing allocated (llama_model_params.no_alloc) but the
states of recurrent layers, which libllama allocates all the same: they get main memory. The structs are those of
ggml-backend-impl.h at API version 2 (ggml 0.25.3); another version is refused.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from desktop.engine.protocol import FailureKind, ImaginedDevice
from desktop.runtime.devices.backends import Capabilities, Ggml, Properties
from desktop.runtime.failures import EngineError

API_VERSION = 2
"""GGML_BACKEND_API_VERSION of ggml-backend-impl.h."""
_ALIGNMENT = 128  # of a CUDA buffer (ggml-cuda.cu); Vulkan's and RPC's are not larger
_ROW_PADDING = 512  # MATRIX_ROW_PADDING of ggml-cuda/common.cuh: quantized rows end on it
_LARGE_BATCH = 32  # rows from which on a card takes a product over (ggml_backend_cuda_device_offload_op)
_BUFFER_WORDS = 32  # pointers at the beginning of struct ggml_backend_buffer, among which its type is
_GPU = 1  # GGML_BACKEND_DEVICE_TYPE_GPU

_Pointer, _Size = ctypes.c_void_p, ctypes.c_size_t


def _pointers(names: str) -> list[tuple[str, Any]]:
    return [(name, _Pointer) for name in names.split()]


class _DeviceInterface(ctypes.Structure):
    """struct ggml_backend_device_i."""

    _fields_ = _pointers(
        "get_name get_description get_memory get_type get_props init_backend get_buffer_type get_host_buffer_type "
        "buffer_from_host_ptr supports_op supports_buft offload_op event_new event_free event_synchronize"
    )


class _Device(ctypes.Structure):
    """struct ggml_backend_device."""

    _fields_ = [("interface", _DeviceInterface), ("reg", _Pointer), ("context", _Pointer)]


class _BufferTypeInterface(ctypes.Structure):
    """struct ggml_backend_buffer_type_i."""

    _fields_ = _pointers("get_name alloc_buffer get_alignment get_max_size get_alloc_size is_host")


class _BufferType(ctypes.Structure):
    """struct ggml_backend_buffer_type."""

    _fields_ = [("interface", _BufferTypeInterface), ("device", _Pointer), ("context", _Pointer)]


class _BackendInterface(ctypes.Structure):
    """struct ggml_backend_i."""

    _fields_ = _pointers(
        "get_name free set_tensor_async get_tensor_async set_tensor_2d_async get_tensor_2d_async cpy_tensor_async "
        "synchronize graph_plan_create graph_plan_free graph_plan_update graph_plan_compute graph_compute "
        "event_record event_wait graph_optimize"
    )


class _Backend(ctypes.Structure):
    """struct ggml_backend."""

    _fields_ = [("guid", _Pointer), ("interface", _BackendInterface), ("device", _Pointer), ("context", _Pointer)]


class _RegInterface(ctypes.Structure):
    """struct ggml_backend_reg_i."""

    _fields_ = _pointers("get_name get_device_count get_device get_proc_address")


class _Reg(ctypes.Structure):
    """struct ggml_backend_reg."""

    _fields_ = [("api_version", ctypes.c_int), ("interface", _RegInterface), ("context", _Pointer)]


class _TensorHead(ctypes.Structure):
    """The beginning of struct ggml_tensor (ggml.h)."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("buffer", _Pointer),
        ("ne", ctypes.c_int64 * 4),
        ("nb", _Size * 4),
        ("op", ctypes.c_int),
    ]


class _Functions:
    """The functions of ggml-base that sizes and operations are asked of."""

    def __init__(self, ggml: Ggml) -> None:
        self.nbytes, self.row_size = ggml.nbytes, ggml.row_size
        self.is_quantized, self.op_name = ggml.is_quantized, ggml.op_name
        self._rows: dict[int, Callable[[_TensorHead], int]] = {}

    def alloc_size(self, address: int) -> int:
        """Bytes that a tensor takes on a card: its quantized rows are padded."""
        tensor = _TensorHead.from_address(address)
        size = int(self.nbytes(address))
        left = tensor.ne[0] % _ROW_PADDING
        if left and self.is_quantized(tensor.type):
            size += int(self.row_size(tensor.type, _ROW_PADDING - left))
        return size

    def batch_rows(self, address: int) -> int:
        """Rows that an operation treats at once, as ggml_backend_cuda_device_offload_op counts them."""
        tensor = _TensorHead.from_address(address)
        if tensor.op not in self._rows:
            self._rows[tensor.op] = _rows_by_name(self.op_name(tensor.op).decode())
        return self._rows[tensor.op](tensor)


def _rows_by_name(name: str) -> Callable[[_TensorHead], int]:
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
        self._devices: dict[ImaginedDevice, int] = {}
        self._check_version(ggml)
        self._reg = _Reg(api_version=API_VERSION)
        name = self._text("imagined")
        self._reg.interface.get_name = self._function(_Pointer, (_Pointer,), lambda _reg: name)
        self._reg.interface.get_device_count = self._function(_Size, (_Pointer,), lambda _reg: 0)
        self._reg.interface.get_device = self._function(_Pointer, (_Pointer, _Size), lambda _reg, _index: None)
        self._reg.interface.get_proc_address = self._function(
            _Pointer, (_Pointer, ctypes.c_char_p), lambda _reg, _name: None
        )

    def find(self, devices: Sequence[ImaginedDevice]) -> dict[str, int]:
        """The engine's handles of these devices, by name; the same device is made once."""
        for device in devices:
            if device not in self._devices:
                self._devices[device] = self._make(device)
        return {device.name: self._devices[device] for device in devices}

    @staticmethod
    def _check_version(ggml: Ggml) -> None:
        reg = ggml.reg_by_name(b"CPU")
        found = _Reg.from_address(reg).api_version if reg else None
        if found != API_VERSION:
            detail = f"devices of this engine have the version {found}, known is {API_VERSION}"
            raise EngineError(FailureKind.VERSION_MISMATCH, detail)

    def _make(self, about: ImaginedDevice) -> int:
        device, buffers = _Device(reg=ctypes.addressof(self._reg)), _BufferType()
        self._keep += [device, buffers]
        own, functions = ctypes.addressof(buffers), self._functions
        name, described = self._text(about.name), self._text("imagined")
        get_name = self._function(_Pointer, (_Pointer,), lambda _self: name)
        self._fill_buffers(buffers, ctypes.addressof(device), get_name)

        def tell_memory(_device: int, free: int, total: int) -> None:
            _Size.from_address(free).value = about.memory_free
            _Size.from_address(total).value = about.memory_total

        def tell_properties(_device: int, address: int) -> None:
            properties = Properties.from_address(address)
            properties.memory_free, properties.memory_total = about.memory_free, about.memory_total
            properties.type, properties.device_id = _GPU, None
            properties.caps = Capabilities(async_=True, events=True, mmap_support=True)
            for field, text in ((Properties.name, name), (Properties.description, described)):
                _Pointer.from_address(address + field.offset).value = text

        interface, one = device.interface, (_Pointer,)
        interface.get_name = get_name
        interface.get_description = self._function(_Pointer, one, lambda _device: described)
        interface.get_memory = self._function(None, (_Pointer, _Pointer, _Pointer), tell_memory)
        interface.get_type = self._function(ctypes.c_int, one, lambda _device: _GPU)
        interface.get_props = self._function(None, (_Pointer, _Pointer), tell_properties)
        interface.init_backend = self._function(
            _Pointer, (_Pointer, _Pointer), lambda device, _parameters: self._backend(device, get_name)
        )
        interface.get_buffer_type = self._function(_Pointer, one, lambda _device: own)
        two = (_Pointer, _Pointer)
        interface.supports_op = self._function(ctypes.c_bool, two, lambda _device, _op: True)
        interface.supports_buft = self._function(ctypes.c_bool, two, lambda _device, buffers: buffers == own)
        offloads = not about.remote
        interface.offload_op = self._function(
            ctypes.c_bool, two, lambda _device, op: offloads and functions.batch_rows(op) >= _LARGE_BATCH
        )
        return ctypes.addressof(device)

    def _fill_buffers(self, buffers: _BufferType, device: int, get_name: int) -> None:
        one, functions = (_Pointer,), self._functions
        buffers.device = device
        interface = buffers.interface
        interface.get_name = get_name
        interface.alloc_buffer = self._function(_Pointer, (_Pointer, _Size), self._allocate)
        interface.get_alignment = self._function(_Size, one, lambda _type: _ALIGNMENT)
        interface.get_alloc_size = self._function(
            _Size, (_Pointer, _Pointer), lambda _type, tensor: functions.alloc_size(tensor)
        )

    def _allocate(self, own_type: int, size: int) -> int | None:
        """Main memory that says it is of this type; None where it cannot be had, as a device that is full."""
        plain = self._ggml.cpu_buffer_type()
        buffer: int | None = self._ggml.alloc_buffer(plain, size + _ALIGNMENT)  # it may begin at less than that
        if buffer is None:
            return None
        words = (_Pointer * _BUFFER_WORDS).from_address(buffer)
        place = next((place for place in range(_BUFFER_WORDS) if words[place] == plain), None)
        if place is None:
            return None
        words[place] = own_type
        return buffer

    def _backend(self, device: int, get_name: int) -> int:
        backend = _Backend(device=device)
        backend.interface.get_name = get_name
        backend.interface.free = backend.interface.synchronize = self._function(None, (_Pointer,), lambda _self: None)
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
        address = ctypes.cast(function, _Pointer).value
        assert address is not None  # noqa: S101 - ctypes made it a moment ago
        return address
