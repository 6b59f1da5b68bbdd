"""Devices as the engine names them, and what a model needs on each. Sizes are bytes."""

from enum import StrEnum

import msgspec


class DeviceKind(StrEnum):
    """What ggml says a device is."""

    CPU = "cpu"
    GPU = "gpu"
    INTEGRATED = "igpu"
    ACCELERATOR = "accel"


class EngineDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device the engine can compute on, in the engine's own order and with its own name ("CUDA0", "RPC0[...]")."""

    name: str
    description: str
    kind: DeviceKind
    backend: str
    memory_total: int
    memory_free: int
    pci_address: str | None = None


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine a child runs."""

    version: str
    system_info: str
    supports_gpu_offload: bool
    supports_rpc: bool
    devices: tuple[EngineDevice, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where each layer of a model lives.

    layers: one device name per layer; the last entry (index n_layer) is the output head.
    tensor_split: layers per GPU, in the engine's device order; integers, so that it never depends on free memory.
    """

    layers: tuple[str, ...]
    tensor_split: tuple[int, ...] = ()


class DeviceMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a model needs on one device, in bytes."""

    device: str
    weights: int = 0
    kv: int = 0
    compute: int = 0
    overhead: int = 0

    @property
    def total(self) -> int:
        """Sum of all parts, in bytes."""
        return self.weights + self.kv + self.compute + self.overhead
