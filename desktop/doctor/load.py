"""The links of the cards while they work: an idle card lowers its PCIe generation, so only then it says something."""

import asyncio
import logging
from pathlib import Path

from desktop.hardware.probe import probe_hardware
from desktop.hardware.sampler import HardwareSampler
from desktop.hardware.types import GpuSample, HardwareProfile, PcieLink

log = logging.getLogger(__name__)

_WORKS_FROM = 20.0
"""Percent of utilization: a desktop that is drawn stays below it."""

_INTERVAL = 0.25
_PATIENCE = 1.5
"""Seconds until the driver must have told the utilization of its cards."""

_LOOK = 3.0


async def links_under_load(profile: HardwareProfile, models_folder: Path) -> dict[str, PcieLink]:
    """PCI address -> link, of cards that ran below their best generation before and work now; they are read anew.

    Starts nothing on a card itself: somebody else's work, or a model that answers, is the load.
    """
    slow = {gpu.pci_address for gpu in profile.gpus if gpu.pci_address and is_slow(gpu.pcie)}
    if not slow:
        return {}
    busy = {card.pci_address for card in await _cards_now() if (card.utilization or 0.0) >= _WORKS_FROM}
    if not slow & busy:
        return {}
    fresh = await probe_hardware(models_folder=models_folder, timeout=_LOOK)
    return {gpu.pci_address: gpu.pcie for gpu in fresh.gpus if gpu.pci_address in slow & busy and gpu.pcie}


def is_slow(link: PcieLink | None) -> bool:
    """Whether the link runs below its best generation at this moment."""
    return bool(link and link.generation and link.generation_max and link.generation < link.generation_max)


async def _cards_now() -> tuple[GpuSample, ...]:
    """The first sample in which the driver has told its cards; none where it does not in time."""
    try:
        async with asyncio.timeout(_PATIENCE), HardwareSampler(interval=_INTERVAL, own_pids=tuple) as samples:
            async for sample in samples:
                if sample.gpus:
                    return sample.gpus
    except TimeoutError:
        log.info("No sample of the cards came within %.1f s.", _PATIENCE)
    return ()
