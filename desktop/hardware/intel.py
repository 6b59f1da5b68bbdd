"""Intel GPUs: sysfs (i915, xe), and Level-Zero's sysman where it is installed.

Tested on recorded trees and with a stand-in for the library, never run on a real card. The kernel shows no plain file
with a discrete card's memory in every driver version: where neither source tells it, the card is reported as a problem
instead of with an invented size, and the engine (Vulkan, SYCL) tells it later.
"""

import platform
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.believable import MOST_BYTES
from desktop.hardware.drm import DRM_ROOT, cards, pci_address, pci_name, pcie_link, sensor
from desktop.hardware.kernel_files import number, told_figure
from desktop.hardware.sources import Found, impossible_memory
from desktop.hardware.types import Gpu, LostCard, SourceProblem

SOURCE = "Intel"

_INTEGRATED_SLOT = "0000:00:02.0"
"""Intel's integrated graphics has been device 2 of bus 0 on every platform since the i810."""


class IntelMemory(NamedTuple):
    """Bytes of a discrete card as the kernel tells them."""

    total: int
    free: int
    lie: str = ""


def read_intel(root: Path = DRM_ROOT) -> Iterable[Found]:
    """Yield integrated GPUs (their memory is main memory) and discrete cards, then again with what sysman knows."""
    devices = list(cards("intel", root))
    found = _from_files(devices)
    yield found
    if devices:
        from desktop.hardware.level_zero import with_sysman

        yield with_sysman(found)


def _from_files(devices: list[Path]) -> Found:
    gpus: list[Gpu] = []
    problems: list[SourceProblem] = []
    lost: list[LostCard] = []
    for device in devices:
        name, address = intel_name(device), pci_address(device)
        if address == _INTEGRATED_SLOT:
            gpus.append(_integrated(name, address))
            continue
        memory = own_memory(device)
        if memory is not None and memory.lie:
            problems.append(impossible_memory(SOURCE, name, memory.lie, memory.free, memory.total))
        if memory is None or not memory.total:
            lie = memory.lie if memory else ""
            lost.append(LostCard(vendor="intel", name=name, reason="no_memory", detail=lie, pci_address=address))
            if memory is None:
                problems.append(memory_unknown(name))
            continue
        gpus.append(_discrete(device, name, memory))
    return Found(gpus=tuple(gpus), problems=tuple(problems), lost=tuple(lost))


def _integrated(name: str, address: str) -> Gpu:
    ram = psutil.virtual_memory()
    return Gpu(
        name=name,
        vendor="intel",
        vram_total=ram.total,
        vram_free=ram.available,
        pci_address=address,
        driver=_driver(),
        uses_ram=True,
    )


def _discrete(device: Path, name: str, memory: IntelMemory) -> Gpu:
    return Gpu(
        name=name,
        vendor="intel",
        vram_total=memory.total,
        vram_free=memory.free,
        pci_address=pci_address(device),
        driver=_driver(),
        pcie=pcie_link(device),
        temperature=sensor(device, "temp2_input", 1000, 150),
    )


def _driver() -> str:
    return f"Linux {platform.release()}"


def own_memory(device: Path) -> IntelMemory | None:
    """Local memory from i915's lmem files, as far as it can be believed; None where the driver shows none."""
    for folder in sorted(device.glob("drm/card*")):
        total, free = number(folder / "lmem_total_bytes"), number(folder / "lmem_avail_bytes")
        if not total:
            continue
        if total > MOST_BYTES:
            return IntelMemory(0, 0, f"{total} in all")
        if free is None:  # what is not told to be free is not counted on
            return IntelMemory(total, 0, f"{told_figure(folder / 'lmem_avail_bytes')} free of {total}")
        return IntelMemory(total, min(free, total), f"{free} free of {total}" if free > total else "")
    return None


def intel_devices(root: Path = DRM_ROOT) -> Iterator[tuple[Path, IntelMemory]]:
    """Yield the folder and the memory of every discrete card of which the kernel or sysman tells it."""
    devices = [device for device in cards("intel", root) if pci_address(device) != _INTEGRATED_SLOT]
    untold: list[Path] = []
    for device in devices:
        memory = own_memory(device)
        if memory is None:
            untold.append(device)
        elif memory.total:
            yield device, memory
    if untold:
        yield from _told_by_sysman(untold)


def _told_by_sysman(devices: list[Path]) -> Iterator[tuple[Path, IntelMemory]]:
    from desktop.hardware.level_zero import sysman_cards  # most machines have no such card

    try:
        known = sysman_cards()
    except (OSError, AttributeError):
        return  # the probe has said so
    for device in devices:
        card = known.get(pci_address(device) or "")
        if card is not None and card.total:
            yield device, IntelMemory(card.total, card.free)


def intel_name(device: Path) -> str:
    """The name in the product database."""
    return pci_name(device) or "Intel GPU"


def memory_unknown(name: str) -> SourceProblem:
    """The card is there, and no source tells the size of its memory."""
    what = QT_TRANSLATE_NOOP("core", "The driver of {name} does not tell how much memory the card has.")
    return SourceProblem(source=SOURCE, what=Phrase.of(what, name=name))
