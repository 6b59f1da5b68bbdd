"""AMD cards through the amdgpu driver's files (sysfs and KFD), and amdsmi where it is installed.

Tested on recorded trees only, never run on a real card. What amdsmi adds, and its absence, changes no size of memory.
"""

import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psutil

from desktop.hardware.amd_nodes import KFD_ROOT, Node, read_nodes
from desktop.hardware.believable import MOST_BYTES, bytes_within, words
from desktop.hardware.drm import DRM_ROOT, cards, pci_address, pci_name, pcie_link, sensor
from desktop.hardware.kernel_files import number, text, told_figure
from desktop.hardware.sources import Found, impossible_memory
from desktop.hardware.types import Gpu, LostCard, SourceProblem

SOURCE = "AMD"

_MOST_CARVED_OUT = 4 << 30
"""An integrated GPU's own memory is carved out of main memory; firmware gives it at most this much by default."""


class AmdMemory(msgspec.Struct, frozen=True):
    """Bytes of a card as the driver tells them; an integrated GPU's window into main memory (GTT) is in them."""

    total: int
    free: int
    integrated: bool
    lie: str = ""


def read_amd(root: Path = DRM_ROOT, kfd: Path = KFD_ROOT) -> Iterable[Found]:
    """Yield every card the amdgpu driver shows with its memory, then again with what amdsmi knows of them."""
    found = _from_files(root, kfd)
    yield found
    if found.gpus:
        from desktop.hardware.amd_smi import with_amdsmi

        yield with_amdsmi(found)


def _from_files(root: Path, kfd: Path) -> Found:
    nodes = read_nodes(kfd)
    gpus: list[Gpu] = []
    problems: list[SourceProblem] = []
    lost: list[LostCard] = []
    for device in cards("amd", root):
        memory = read_memory(device)
        if memory is None:
            continue  # the old radeon driver: ggml has no backend for its cards
        name = card_name(device)
        if memory.lie:
            problems.append(impossible_memory(SOURCE, name, memory.lie, memory.free, memory.total))
        if not memory.total:
            address = pci_address(device)
            lost.append(LostCard(vendor="amd", name=name, reason="no_memory", detail=memory.lie, pci_address=address))
            continue
        gpus.append(_card(device, name, memory, nodes.get(pci_address(device) or "")))
    return Found(gpus=tuple(gpus), problems=tuple(problems), lost=tuple(lost))


def _card(device: Path, name: str, memory: AmdMemory, node: Node | None) -> Gpu:
    visible = bytes_within(number(device / "mem_info_vis_vram_total"))
    return Gpu(
        name=name,
        vendor="amd",
        vram_total=memory.total,
        vram_free=memory.free,
        pci_address=pci_address(device),
        driver=_driver(),
        pcie=None if memory.integrated else pcie_link(device),
        bar1_total=None if memory.integrated else visible,
        resizable_bar=None if memory.integrated or visible is None else visible >= memory.total,
        uses_ram=memory.integrated,
        uuid=words(text(device / "unique_id")),
        temperature=sensor(device, "temp1_input", 1000, 150),
        power_limit=sensor(device, "power1_cap", 1_000_000, 5000),
        bandwidth=node.bandwidth if node and not memory.integrated else None,
        bus_width=node.bus_width if node else None,
        memory_clock_max=node.memory_clock_max if node else None,
        compute_capability=node.architecture if node else None,
    )


def card_name(device: Path) -> str:
    """The name that the card's maker wrote into it (what of it can be printed), else that of the database."""
    return words(text(device / "product_name")) or pci_name(device) or "AMD GPU"


def _driver() -> str:
    """The driver's own version, where it was not built with the kernel."""
    version = words(text(Path("/sys/module/amdgpu/version")))
    return f"amdgpu {version}" if version else f"amdgpu, Linux {platform.release()}"


def read_memory(device: Path) -> AmdMemory | None:
    """Return the card's memory as far as it can be believed; None where the driver tells none."""
    total, used = number(device / "mem_info_vram_total"), number(device / "mem_info_vram_used")
    if total is None or total == 0:
        return None
    if total > MOST_BYTES:
        return AmdMemory(0, 0, integrated=False, lie=f"{total} in all")
    lie = ""
    if used is None or used > total:
        lie = f"{told_figure(device / 'mem_info_vram_used')} used of {total}"
        used = total  # nothing that is not told to be free is counted on
    free = total - used
    integrated = _integrated(device, total)
    if integrated:
        window = min(number(device / "mem_info_gtt_total") or 0, psutil.virtual_memory().total)
        total, free = total + window, free + window - min(number(device / "mem_info_gtt_used") or 0, window)
        free = min(free, psutil.virtual_memory().available)
    return AmdMemory(total, free, integrated=integrated, lie=lie)


def _integrated(device: Path, vram_total: int) -> bool:
    """A small carve-out beside a larger window into main memory (GTT); the driver has no plainer sign."""
    return vram_total <= _MOST_CARVED_OUT and (number(device / "mem_info_gtt_total") or 0) > vram_total


def amd_devices(root: Path = DRM_ROOT) -> Iterator[tuple[Path, AmdMemory]]:
    """Yield the folder and the memory of every card that has a believable one."""
    for device in cards("amd", root):
        memory = read_memory(device)
        if memory is not None and memory.total:
            yield device, memory
