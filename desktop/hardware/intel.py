"""Intel GPUs through sysfs (i915 and xe). Tested on a recorded tree only, never run on a real card.

The kernel shows no plain file with a discrete card's memory in every driver version: where it does not, the card is
reported as a problem instead of with an invented size, and the engine (Vulkan, SYCL) tells it later.
"""

import platform
from pathlib import Path

import psutil

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.drm import DRM_ROOT, cards, pci_address, pci_name, pcie_link
from desktop.hardware.kernel_files import number
from desktop.hardware.sources import Found
from desktop.hardware.types import Gpu, SourceProblem

_INTEGRATED_SLOT = "0000:00:02.0"
"""Intel's integrated graphics has been device 2 of bus 0 on every platform since the i810."""


def read_intel(root: Path = DRM_ROOT) -> Found:
    """Return integrated GPUs (their memory is main memory) and discrete cards whose memory the driver shows."""
    gpus: list[Gpu] = []
    problems: list[SourceProblem] = []
    for device in cards("intel", root):
        gpu = _read_card(device)
        if gpu is None:
            problems.append(_memory_unknown(device))
        else:
            gpus.append(gpu)
    return Found(gpus=tuple(gpus), problems=tuple(problems))


def _read_card(device: Path) -> Gpu | None:
    integrated = pci_address(device) == _INTEGRATED_SLOT
    memory = _main_memory() if integrated else _own_memory(device)
    if memory is None:
        return None
    return Gpu(
        name=_name(device),
        vendor="intel",
        vram_total=memory[0],
        vram_free=memory[1],
        pci_address=pci_address(device),
        driver=f"Linux {platform.release()}",
        pcie=None if integrated else pcie_link(device),
        uses_ram=integrated,
    )


def _own_memory(device: Path) -> tuple[int, int] | None:
    """Total and free bytes of local memory (i915's lmem files), None where the driver shows none."""
    for folder in device.glob("drm/card*"):
        total, free = number(folder / "lmem_total_bytes"), number(folder / "lmem_avail_bytes")
        if total:
            return total, min(free if free is not None else total, total)
    return None


def _main_memory() -> tuple[int, int]:
    ram = psutil.virtual_memory()
    return ram.total, ram.available


def _name(device: Path) -> str:
    return pci_name(device) or "Intel GPU"


def _memory_unknown(device: Path) -> SourceProblem:
    what = QT_TRANSLATE_NOOP("core", "The driver of {name} does not tell how much memory the card has.")
    return SourceProblem(source="Intel", what=Phrase.of(what, name=_name(device)))
