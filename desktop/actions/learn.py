"""What a load teaches beside its figures: the bytes that a driver takes for itself."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from desktop.engine.inventory import normal_pci_address
from desktop.services import Services
from desktop.sizes import gib

if TYPE_CHECKING:
    from desktop.engine.protocol import EngineDevice, LoadedModel
    from desktop.hardware.types import HardwareSample

_SETTLED = 3
"""Samples after a load before it is learned from: the first may be of the moment before."""
_PLAUSIBLE = 4 << 30
"""Bytes; what seems to be more is a fault of some source and is not learned."""

log = logging.getLogger(__name__)


class OverheadLearner:
    """Compares, once per load, what our processes take on each card with what the engine says of its buffers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._model: LoadedModel | None = None
        self._samples = 0

    async def see(self, sample: "HardwareSample") -> None:
        """Take the sampler's newest sample into account; cheap where there is nothing to learn."""
        engine = self._services.engine
        if engine.loaded is not self._model:
            self._model, self._samples = engine.loaded, 0
        self._samples += 1
        if self._model is None or engine.info is None or self._samples != _SETTLED:
            return
        found = seen_overheads(self._model, engine.info.devices, sample)
        for device in engine.info.devices:
            if device.name in found:
                await asyncio.to_thread(self._note, device, engine.info.version, found[device.name])

    def _note(self, device: "EngineDevice", engine: str, size: int) -> None:
        from desktop.fit.speeds.known_speeds import driver_of

        survey = self._services.surveys.latest
        cards = survey.profile.gpus if survey else ()
        driver = driver_of(device.name, cards)
        log.info("%s takes %s on %s beside the model", engine, gib(size), device.name)
        self._services.observed.note_overhead(device.description, driver, engine, size)


def seen_overheads(
    model: "LoadedModel", devices: "tuple[EngineDevice, ...]", sample: "HardwareSample"
) -> Mapping[str, int]:
    """Bytes per engine device that our processes take beyond the engine's own buffers.

    Only where the driver tells our part of a card, and the card is found by its PCI address.
    """
    cards = {normal_pci_address(gpu.pci_address): gpu for gpu in sample.gpus if gpu.pci_address}
    held = {part.device: part.weights + part.kv + part.compute for part in model.memory}
    found = {}
    for device in devices:
        card = cards.get(normal_pci_address(device.pci_address)) if device.pci_address else None
        if card is None or not card.used_by_us or device.name not in held:
            continue
        beyond = card.used_by_us - held[device.name]
        if 0 <= beyond <= _PLAUSIBLE:
            found[device.name] = beyond
        else:
            log.warning("not learned: %s seems to take %s beside the model", device.name, gib(beyond))
    return found
