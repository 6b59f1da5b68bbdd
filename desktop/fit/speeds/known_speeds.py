"""What is remembered of this machine's speed, for a model of it: the probe's figures of each device, and its runs."""

import hashlib
from collections.abc import Sequence

from desktop.engine.protocol import DeviceKind, DeviceSpeeds, EngineDevice, EngineInfo
from desktop.fit.remembered.observed import Observed
from desktop.fit.speeds.measured import MeasuredDevice, Probes
from desktop.gguf.header import GgufHeader
from desktop.hardware.types import Gpu


def known_probes(observed: Observed, engine: EngineInfo, cards: Sequence[Gpu], *, threads: int = 0) -> Probes | None:
    """What was measured with this engine and these drivers; None where nothing was.

    threads: of the processor, as the setting says; 0 takes the newest figures. Blocking.
    """
    found = {}
    for device in engine.devices:
        count = threads if device.kind == DeviceKind.CPU else 0
        driver = driver_of(device.name, cards)
        speeds = observed.probe(device=device.description, driver=driver, engine=engine.version, threads=count)
        if speeds is not None:
            found[device.name] = MeasuredDevice(speeds)
    return Probes(found, observed.runs(engine=engine.version)) if found else None


def remember_probes(observed: Observed, speeds: Sequence[DeviceSpeeds], *, engine: str, cards: Sequence[Gpu]) -> None:
    """Keep what the probe measured. Blocking."""
    for device in speeds:
        observed.note_probe(device, driver=driver_of(device.device, cards), engine=engine)


def unmeasured(probes: Probes | None, devices: Sequence[EngineDevice]) -> bool:
    """Whether a device that computes was not measured yet."""
    names = {device.name for device in devices if device.kind != DeviceKind.ACCELERATOR}
    return not names <= (probes.devices.keys() if probes else set())


def driver_of(device: str, cards: Sequence[Gpu]) -> str:
    """Version of the driver behind an engine's device; "" where there is none, or nobody tells."""
    return next((card.driver or "" for card in cards if card.backend == device), "")


def tensors_key(header: GgufHeader) -> str:
    """Identify a model file by its tensors, so that its runs are found again wherever it lies."""
    digest = hashlib.sha256(f"{header.architecture} {header.text('general.name')}".encode())
    for tensor in header.tensors:
        digest.update(f"{tensor.name} {tensor.shape} {tensor.kind.code}".encode())
    return digest.hexdigest()[:32]
