"""How much of each device may be used: what is free now, minus what the driver takes, minus a margin."""

from collections.abc import Mapping, Sequence

import msgspec

from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice
from desktop.fit.memory.placement import CPU, REMOTE
from desktop.fit.types import DeviceBudget
from desktop.hardware.types import Gpu, HardwareProfile

MARGIN = 256 << 20
"""Bytes that stay free on every device."""

GPU_OVERHEAD = 512 << 20
"""What a GPU backend takes for itself before the first byte of a model; CUDA was seen at 120 to 460 MiB."""

CPU_OVERHEAD = 192 << 20
"""The engine child without a model: Python, libllama, the vocabulary and its tables."""

RPC_OVERHEAD = 64 << 20
"""A worker that serves one device."""

_RAM_MARGIN_PART = 16  # other programs grow and shrink: a sixteenth of the RAM stays free, or the machine swaps


def budgets_of_profile(
    profile: HardwareProfile, *, margin: int = MARGIN, overheads: Mapping[str, int] = {}
) -> tuple[DeviceBudget, ...]:
    """The CPU's budget, then those of the GPUs that the engine uses (all of them while it was not asked).

    overheads: as of `budgets_of_devices`.
    """
    gpus = [gpu for gpu in profile.gpus if _is_used(gpu, profile)]
    discrete = [gpu for gpu in gpus if not gpu.uses_ram]
    cards = (_gpu_budget(gpu, index, margin) for index, gpu in enumerate(discrete or gpus))
    return _with_overheads((_cpu_budget(profile, margin), *cards), overheads)


def budgets_of_devices(
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    *,
    margin: int = MARGIN,
    overheads: Mapping[str, int] = {},
) -> tuple[DeviceBudget, ...]:
    """The CPU's budget, then those of the engine's own devices, in its order (integrated ones only when alone).

    overheads: what a device's driver was seen to take here, in bytes, by the device's name; else a cautious constant.
    """
    gpus = [device for device in devices if _is_rpc(device) or device.kind == DeviceKind.GPU]
    chosen = gpus or [device for device in devices if device.kind == DeviceKind.INTEGRATED]
    budgets = (_cpu_budget(profile, margin), *(_device_budget(device, profile, margin) for device in chosen))
    return _with_overheads(budgets, overheads)


def _with_overheads(budgets: Sequence[DeviceBudget], overheads: Mapping[str, int]) -> tuple[DeviceBudget, ...]:
    return tuple(
        msgspec.structs.replace(budget, overhead=overheads.get(budget.name, budget.overhead)) for budget in budgets
    )


def with_reclaimed(budgets: Sequence[DeviceBudget], held: Sequence[DeviceMemory]) -> tuple[DeviceBudget, ...]:
    """Count as free what a loaded model holds that the new one will replace.

    Weights in RAM are mapped from their file and are not counted as used by the system, so only the rest is added.
    What the driver took for the model, and the engine's child itself, stay and serve the next one: what is free is
    already without them, so that the overhead is not asked for once more.
    """
    back = {
        part.device: part.kv + part.compute + (part.weights if part.device != CPU else 0) for part in held if part.total
    }
    return tuple(
        msgspec.structs.replace(budget, free=min(budget.free + back[budget.name] + budget.overhead, budget.total))
        if budget.name in back
        else budget
        for budget in budgets
    )


def _cpu_budget(profile: HardwareProfile, margin: int) -> DeviceBudget:
    return DeviceBudget(
        name=CPU,
        label=profile.cpu.name,
        total=profile.ram.total,
        free=profile.ram.available,
        is_gpu=False,
        overhead=CPU_OVERHEAD,
        margin=max(margin, profile.ram.total // _RAM_MARGIN_PART),
    )


def _is_used(gpu: Gpu, profile: HardwareProfile) -> bool:
    if gpu.backend is not None:
        return True
    return not profile.backends and gpu.unused_reason is None and not gpu.uses_ram


def _gpu_budget(gpu: Gpu, index: int, margin: int) -> DeviceBudget:
    return DeviceBudget(
        name=gpu.backend or f"GPU{index}",
        label=gpu.name,
        total=gpu.vram_total,
        free=gpu.vram_free,
        is_gpu=True,
        bandwidth=gpu.bandwidth,
        overhead=GPU_OVERHEAD,
        margin=margin,
        shares_ram=gpu.uses_ram,
    )


def _device_budget(device: EngineDevice, profile: HardwareProfile, margin: int) -> DeviceBudget:
    card = next((gpu for gpu in profile.gpus if gpu.backend == device.name), None)
    return DeviceBudget(
        name=device.name,
        label=card.name if card else device.description,
        total=device.memory_total,
        free=_free_now(device, card, profile.system),
        is_gpu=True,
        bandwidth=card.bandwidth if card else None,
        overhead=RPC_OVERHEAD if _is_rpc(device) else GPU_OVERHEAD,
        margin=margin,
        shares_ram=device.kind == DeviceKind.INTEGRATED,
    )


def _free_now(device: EngineDevice, card: Gpu | None, system: str) -> int:
    """What the probe saw, where it sees the card: it is asked at the same moment as the engine, and never busy.

    Windows may tell of a card what this process may use, so that both have to hold there.
    """
    if card is None or card.uses_ram or not card.vram_total:
        return device.memory_free
    return min(card.vram_free, device.memory_free if system.startswith("Windows") else device.memory_total)


def _is_rpc(device: EngineDevice) -> bool:
    return device.name.startswith(REMOTE) or device.backend.upper() == REMOTE
