"""Windows: graphics adapters through DXGI; NVML's figures replace those of NVIDIA cards where it works.

Tested on recorded adapters and with a stand-in for DXGI, never run on Windows.
"""

from collections.abc import Iterable

from desktop.hardware.believable import bytes_within, words
from desktop.hardware.dxgi import Adapter, adapters, open_dxgi
from desktop.hardware.sources import Found, impossible_memory
from desktop.hardware.types import Gpu, LostCard, SourceProblem, Vendor

_VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
SOURCE = "DXGI"
_SOFTWARE = 2  # DXGI_ADAPTER_FLAG_SOFTWARE
_SMALLEST_OWN_MEMORY = 512 << 20
"""An adapter with less dedicated memory is integrated: firmware sets a little of main memory aside for it."""


def read_windows() -> Found:
    """Return every hardware adapter. Raises OSError when DXGI fails."""
    return found_in_adapters(adapters(open_dxgi()))


def found_in_adapters(described: Iterable[Adapter]) -> Found:
    """Return the hardware adapters as GPUs, each once; one whose memory cannot be true is a problem instead."""
    gpus: list[Gpu] = []
    problems: list[SourceProblem] = []
    lost: list[LostCard] = []
    seen: set[int] = set()
    for adapter in described:
        if adapter.flags & _SOFTWARE or (adapter.luid and adapter.luid in seen):
            continue
        seen.add(adapter.luid)
        if bytes_within(_size(adapter)) is None:
            name, told = _name(adapter), str(_size(adapter))
            problems.append(impossible_memory(SOURCE, name, told, 0, 0))
            lost.append(LostCard(vendor=_vendor(adapter), name=name, reason="no_memory", detail=told))
        else:
            gpus.append(_gpu(adapter))
    return Found(gpus=tuple(gpus), problems=tuple(problems), lost=tuple(lost))


def _integrated(adapter: Adapter) -> bool:
    return adapter.dedicated < _SMALLEST_OWN_MEMORY


def _size(adapter: Adapter) -> int:
    return adapter.shared if _integrated(adapter) else adapter.dedicated


def _name(adapter: Adapter) -> str:
    return words(adapter.name) or "GPU"


def _vendor(adapter: Adapter) -> Vendor:
    return _VENDORS.get(adapter.vendor_id, "other")


def _gpu(adapter: Adapter) -> Gpu:
    total = _size(adapter)
    return Gpu(
        name=_name(adapter),
        vendor=_vendor(adapter),
        vram_total=total,
        vram_free=min(max(adapter.budget - adapter.usage, 0), total) if adapter.budget else total,
        driver=words(adapter.driver) or SOURCE,
        uses_ram=_integrated(adapter),
    )
