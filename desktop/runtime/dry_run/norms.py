"""Keeps the first operation of a layer on the layer's own device while a dry run measures.

WORKAROUND: libllama assigns the first norm of each layer to that layer's device (llama_context::graph_get_cb), because
the scheduler by itself would leave it on the device before, and then two tensors cross instead of one. Where nothing
is allocated, ggml_backend_sched_reserve_size begins with a reset that forgets the assignment (ggml-backend.cpp of
ggml 0.25.3), so that each device but the first is measured with a hidden state too much: four copies of it where the
devices work as a pipeline, 16 bytes x micro-batch x embedding. Here the device before says for that time that it
cannot compute it, which leaves the scheduler the same choice.
"""

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from desktop.engine.protocol import LoadPlan
from desktop.runtime.devices.backends import Ggml
from desktop.runtime.dry_run.structs import API_VERSION, Device, TensorHead, api_version

_Operation = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p)
_BEGINNINGS = tuple(int.from_bytes(word, "little") for word in (b"norm", b"l_la"))  # "norm-7", "l_last-7"
_NAMES = (b"norm", b"l_last")
_FEW_TOKENS = 32
_CPU = "CPU"


class _Gate:
    """What a device says that it computes: what it said before, but for the norms of one layer."""

    def __init__(self, address: int, layer: int) -> None:
        self._interface = Device.from_address(address).interface
        self._names = {name + b"-%d" % layer for name in _NAMES}
        self._before = int(self._interface.supports_op)
        self._ask = _Operation(self._before)
        self._own = _Operation(self._supports)

    def close(self) -> None:
        self._interface.supports_op = ctypes.cast(self._own, ctypes.c_void_p).value

    def open(self) -> None:
        self._interface.supports_op = self._before

    def _supports(self, device: int, operation: int) -> bool:
        place = operation + TensorHead.name.offset
        # Of thousands of questions few are about such a name: a number is read before a text is.
        if ctypes.c_uint32.from_address(place).value in _BEGINNINGS and ctypes.string_at(place) in self._names:
            return False
        return bool(self._ask(device, operation))


def norms_are_assigned(plan: LoadPlan, layers: Sequence[str]) -> bool:
    """Whether libllama assigns norms for the largest step of this plan (llama_context::graph_get_cb)."""
    return not 0 <= plan.n_gpu_layers < len(layers) or min(plan.n_ctx, plan.n_ubatch) < _FEW_TOKENS


@contextmanager
def norms_at_home(ggml: Ggml, devices: Mapping[str, int], layers: Sequence[str]) -> Iterator[None]:
    """Within, no device computes the norm of the layer after its own last one.

    devices: the engine's handles by name; the CPU, which gives way by itself, is none of them. layers: device of each,
    the head last. With an engine whose structs are not known nothing is changed, and compute buffers are stated too
    large.
    """
    borders = [index for index in range(1, len(layers)) if layers[index - 1] not in (layers[index], _CPU)]
    known = bool(borders) and api_version(ggml) == API_VERSION
    gates = [_Gate(devices[layers[index - 1]], index) for index in borders if known]
    for gate in gates:
        gate.close()
    try:
        yield
    finally:
        for gate in gates:
            gate.open()
