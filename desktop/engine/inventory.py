"""What the engine can use of the hardware: its own list of devices, joined with what the probes found."""

import asyncio
import os
from collections.abc import Mapping

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
from desktop.hardware.types import Gpu, HardwareProfile, Vendor

TIMEOUT = 60.0
"""Seconds for a throw-away child: drivers take their time to wake up."""
REASON_CPU_BUILD = QT_TRANSLATE_NOOP("core", "The engine on this machine was built for the processor only.")
REASON_NOT_SEEN = QT_TRANSLATE_NOOP("core", "The engine does not see this card: its driver is missing or too old.")
REASON_OTHER_MAKER = QT_TRANSLATE_NOOP("core", "The engine on this machine was built for cards of another maker.")
REASON_HIDDEN = QT_TRANSLATE_NOOP(
    "core", "An environment variable such as CUDA_VISIBLE_DEVICES hides this card from the engine."
)
REASON_INTEGRATED = QT_TRANSLATE_NOOP(
    "core", "Integrated graphics is left to the screen while a card with memory of its own is there."
)
REASON_DIVIDED = QT_TRANSLATE_NOOP("core", "This card is set to be divided (MIG) and has no parts.")

_MAKERS: dict[str, Vendor] = {
    "CUDA": "nvidia",
    "ROCm": "amd",
    "HIP": "amd",
    "SYCL": "intel",
    "MTL": "apple",
    "Metal": "apple",
}
"""Backends of ggml that drive cards of one maker; Vulkan drives all."""

_NAMES: dict[str, Vendor] = {
    "nvidia": "nvidia", "geforce": "nvidia", "amd": "amd", "radeon": "amd", "intel": "intel", "apple": "apple",
}  # fmt: skip

_HIDING: dict[Vendor, tuple[str, ...]] = {
    "nvidia": ("CUDA_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES"),
    "amd": ("HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES"),
    "intel": ("ONEAPI_DEVICE_SELECTOR", "GGML_VK_VISIBLE_DEVICES"),
}
_ALIKE = 0.1
_GRAPHICS = {DeviceKind.GPU, DeviceKind.INTEGRATED}


def normal_pci_address(address: str | None) -> str:
    """Return "0000:c1:00.0" for every way it is written: NVML has eight digits of domain in capitals."""
    if not address:
        return ""
    domain, _, rest = address.strip().lower().partition(":")
    if not rest.count(":"):
        return f"0000:{domain}:{rest}"  # without a domain
    return f"{domain[-4:].zfill(4)}:{rest}"


def join_devices(
    profile: HardwareProfile, engine: EngineInfo, environment: Mapping[str, str] = os.environ
) -> HardwareProfile:
    """Tell for each GPU which engine device drives it, and for the profile which backends the engine has.

    Joined on the PCI address; a device without one is joined by its description, each device once. A card that the
    engine sees and the system's sources do not is added as the engine tells it. environment: the engine's variables,
    some of which hide cards.
    """
    free = [device for device in engine.devices if device.kind in _GRAPHICS and device.backend != "RPC"]
    matches = _matches(profile.gpus, free)
    discrete = any(not profile.gpus[place].uses_ram for place in matches)
    gpus = tuple(
        _joined(gpu, matches.get(place), discrete, engine, environment) for place, gpu in enumerate(profile.gpus)
    )
    everyone = all(place in matches or _is_useless(gpu) for place, gpu in enumerate(profile.gpus))
    left = _only_the_engines(profile.gpus, free) if everyone else ()
    backends = tuple(dict.fromkeys(device.backend for device in engine.devices))
    return msgspec.structs.replace(profile, gpus=(*gpus, *left), backends=backends)


def _matches(gpus: tuple[Gpu, ...], free: list[EngineDevice]) -> dict[int, EngineDevice]:
    """The device of each card, by the card's place; a device that is given away leaves `free`."""
    matches: dict[int, EngineDevice] = {}
    for match in (_same_address, _same_name, _alone):
        for place, gpu in enumerate(gpus):
            if place in matches or _is_useless(gpu):
                continue
            rest = [each for other, each in enumerate(gpus) if other not in matches]
            device = match(gpu, rest, free)
            if device is not None:
                matches[place] = device
                free.remove(device)
    return matches


def _same_address(gpu: Gpu, _rest: list[Gpu], free: list[EngineDevice]) -> EngineDevice | None:
    address = normal_pci_address(gpu.pci_address)
    return next((device for device in free if address and normal_pci_address(device.pci_address) == address), None)


def _same_name(gpu: Gpu, _rest: list[Gpu], free: list[EngineDevice]) -> EngineDevice | None:
    candidates = (device for device in free if not (gpu.pci_address and device.pci_address))
    return next((device for device in candidates if gpu.name.lower() in device.description.lower()), None)


def _alone(gpu: Gpu, rest: list[Gpu], free: list[EngineDevice]) -> EngineDevice | None:
    """One card of a maker left, and one such device of about its size: they are written differently, and the same."""
    devices = [device for device in free if _vendor(device) == gpu.vendor]
    if len(devices) != 1 or sum(other.vendor == gpu.vendor for other in rest) != 1:
        return None
    (device,) = devices
    if gpu.pci_address and device.pci_address:
        return None
    alike = abs(device.memory_total - gpu.vram_total) <= gpu.vram_total * _ALIKE
    return device if alike else None


def _joined(
    gpu: Gpu, device: EngineDevice | None, discrete: bool, engine: EngineInfo, environment: Mapping[str, str]
) -> Gpu:
    if device is None:
        reason = _reason(gpu, engine, environment)
        return msgspec.structs.replace(gpu, backend=None, unused_reason=reason)
    if gpu.uses_ram and discrete:  # libllama's own rule: integrated ones only when there is no other
        return msgspec.structs.replace(gpu, backend=None, unused_reason=REASON_INTEGRATED)
    return msgspec.structs.replace(gpu, backend=device.name, unused_reason=None)


def _is_useless(gpu: Gpu) -> bool:
    """A card that is to be divided and has no parts: no program can use it."""
    return gpu.mig is not None and gpu.mig.enabled and not gpu.mig.parts


def _reason(gpu: Gpu, engine: EngineInfo, environment: Mapping[str, str]) -> str:
    if _is_useless(gpu):
        return REASON_DIVIDED
    if any(variable in environment for variable in _HIDING.get(gpu.vendor, ())):
        return REASON_HIDDEN
    if not _built_for_cards(engine):
        return REASON_CPU_BUILD
    drives = {_MAKERS.get(_letters(device.backend)) for device in engine.devices if device.kind in _GRAPHICS}
    if drives and None not in drives and gpu.vendor not in drives:
        return REASON_OTHER_MAKER
    return REASON_NOT_SEEN


def _built_for_cards(engine: EngineInfo) -> bool:
    """Whether the engine has a backend for cards. That it offloads says nothing: workers elsewhere make it say so."""
    if any(device.kind in _GRAPHICS and device.backend != "RPC" for device in engine.devices):
        return True
    return engine.supports_gpu_offload and any(name in engine.system_info for name in _MAKERS)


def _only_the_engines(gpus: tuple[Gpu, ...], free: list[EngineDevice]) -> tuple[Gpu, ...]:
    """Cards of which only the engine knows (in a container without the driver's library, say).

    A second device of a card that is known (CUDA and Vulkan both drive it) is none of them.
    """
    places = {normal_pci_address(gpu.pci_address) for gpu in gpus if gpu.pci_address}
    names = [gpu.name.lower() for gpu in gpus]
    found: list[Gpu] = []
    for device in free:
        address = normal_pci_address(device.pci_address)
        if (address in places) if address else any(name in device.description.lower() for name in names):
            continue
        places.add(address)
        names.append(device.description.lower())
        found.append(_card_of(device, address or None))
    return tuple(found)


def _card_of(device: EngineDevice, address: str | None) -> Gpu:
    return Gpu(
        name=device.description or device.name,
        vendor=_vendor(device),
        vram_total=device.memory_total,
        vram_free=min(device.memory_free, device.memory_total),
        pci_address=address,
        uses_ram=device.kind == DeviceKind.INTEGRATED,
        backend=device.name,
    )


def _vendor(device: EngineDevice) -> Vendor:
    text = device.description.lower()
    by_name = next((vendor for word, vendor in _NAMES.items() if word in text), None)
    return by_name or _MAKERS.get(_letters(device.backend)) or "other"


def _letters(backend: str) -> str:
    return backend.rstrip("0123456789")


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
