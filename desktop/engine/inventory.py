"""What the engine can use of the hardware: its own list of devices, joined with what the probes found."""

import asyncio

import msgspec

from desktop.engine.failure import explain_failure
from desktop.engine.process import EngineProcess
from desktop.engine.protocol import (
    DeviceKind,
    EngineDevice,
    EngineFailure,
    EngineInfo,
    EngineMessage,
    FailureKind,
    Hello,
    Open,
)
from desktop.errors import QT_TRANSLATE_NOOP
from desktop.hardware.types import Gpu, HardwareProfile

TIMEOUT = 60.0
"""Seconds for a throw-away child: drivers take their time to wake up."""
REASON_CPU_BUILD = QT_TRANSLATE_NOOP("core", "The engine on this machine was built for the processor only.")
REASON_NOT_SEEN = QT_TRANSLATE_NOOP("core", "The engine does not see this card: its driver is missing or too old.")
_GRAPHICS = {DeviceKind.GPU, DeviceKind.INTEGRATED}


def normal_pci_address(address: str | None) -> str:
    """Return "0000:c1:00.0" for every way it is written: NVML has eight digits of domain in capitals."""
    if not address:
        return ""
    domain, _, rest = address.strip().lower().partition(":")
    if not rest.count(":"):
        return f"0000:{domain}:{rest}"  # without a domain
    return f"{domain[-4:].zfill(4)}:{rest}"


def join_devices(profile: HardwareProfile, engine: EngineInfo) -> HardwareProfile:
    """Tell for each GPU which engine device drives it, and for the profile which backends the engine has.

    Joined on the PCI address; a device without one is joined by its description, each device once.
    """
    free = [device for device in engine.devices if device.kind in _GRAPHICS and device.backend != "RPC"]
    gpus = tuple(_joined(gpu, free, engine) for gpu in profile.gpus)
    backends = tuple(dict.fromkeys(device.backend for device in engine.devices))
    return msgspec.structs.replace(profile, gpus=gpus, backends=backends)


def _joined(gpu: Gpu, free: list[EngineDevice], engine: EngineInfo) -> Gpu:
    device = _match(gpu, free)
    if device is not None:
        free.remove(device)
        return msgspec.structs.replace(gpu, backend=device.name, unused_reason=None)
    return msgspec.structs.replace(gpu, backend=None, unused_reason=_reason(engine))


def _match(gpu: Gpu, free: list[EngineDevice]) -> EngineDevice | None:
    address = normal_pci_address(gpu.pci_address)
    for device in free:
        if address and normal_pci_address(device.pci_address) == address:
            return device
    for device in free:
        known = address and device.pci_address
        if not known and gpu.name.lower() in device.description.lower():
            return device
    return None


def _reason(engine: EngineInfo) -> str:
    if not engine.supports_gpu_offload or all(device.kind not in _GRAPHICS for device in engine.devices):
        return REASON_CPU_BUILD
    return REASON_NOT_SEEN


async def list_devices() -> EngineInfo:
    """Ask a throw-away child what the engine can use. Raises AppError from engine/failure.py."""
    answer: asyncio.Future[EngineInfo] = asyncio.get_running_loop().create_future()

    def on_message(message: EngineMessage) -> None:
        if isinstance(message, Hello) and not answer.done():
            answer.set_result(message.engine)

    def on_end(failure: EngineFailure) -> None:
        if not answer.done():
            answer.set_exception(explain_failure(failure))

    try:
        process = await EngineProcess.spawn(on_message=on_message, on_end=on_end)
    except OSError as error:
        raise explain_failure(EngineFailure(kind=FailureKind.ENGINE_MISSING, detail=str(error))) from error
    try:
        process.send(Open())
        return await asyncio.wait_for(answer, TIMEOUT)
    except TimeoutError as error:
        raise explain_failure(EngineFailure(kind=FailureKind.UNRESPONSIVE)) from error
    finally:
        await process.stop()
