"""Intel cards through Level-Zero's sysman (libze_loader), where Intel's compute runtime is installed.

It tells what sysfs does not: the memory of a discrete card under every kernel. Structures and numbers: zes_api.h of
version 1.5 and later. Tested with a stand-in library built from C, never run on a real card.
"""

import ctypes
import functools
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from desktop.hardware.believable import MOST_BYTES, bytes_within, whole
from desktop.hardware.sources import Found, failed_source, impossible_memory
from desktop.hardware.types import Gpu, LostCard, PcieLink

SOURCE = "Level Zero"

_LOADERS = {"win32": "ze_loader.dll", "linux": "libze_loader.so.1"}
_MOST_HANDLES = 64
_PCI_PROPERTIES, _MEMORY_PROPERTIES, _MEMORY_STATE = 0x2, 0xB, 0x1E  # zes_structure_type_t
_ON_DEVICE = 1  # ZES_MEM_LOC_DEVICE


class SysmanCard(msgspec.Struct, frozen=True, kw_only=True):
    """What sysman tells of a card with memory of its own; sizes in bytes, 0 where they cannot be true."""

    pci_address: str
    total: int
    free: int
    told: str
    bandwidth: int | None = None
    bus_width: int | None = None
    generation_max: int | None = None
    width_max: int | None = None


def with_sysman(found: Found) -> Found:
    """Return `found` with what sysman adds; as it is where it is not installed, with a problem where it fails."""
    try:
        known = sysman_cards()
    except (OSError, AttributeError) as error:
        return msgspec.structs.replace(found, problems=(*found.problems, failed_source(SOURCE, error)))
    gpus = tuple(_with(gpu, known.get(gpu.pci_address or "")) for gpu in found.gpus)
    return _revived(msgspec.structs.replace(found, gpus=gpus), known)


def sysman_cards() -> dict[str, SysmanCard]:
    """Cards with memory of their own by PCI address; none where sysman is not installed.

    Raises OSError or AttributeError where it is there and fails.
    """
    library = _library()
    return {} if library is None else {card.pci_address: card for card in read_sysman(library)}


@functools.cache
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(_LOADERS.get(sys.platform, "libze_loader.so.1"))
    except OSError:
        return None


def _with(gpu: Gpu, card: SysmanCard | None) -> Gpu:
    if card is None or gpu.uses_ram:
        return gpu
    return msgspec.structs.replace(gpu, bandwidth=card.bandwidth, bus_width=card.bus_width)


def _revived(found: Found, known: dict[str, SysmanCard]) -> Found:
    """Cards whose memory the kernel does not tell, and sysman does."""
    for lost in found.lost:
        card = known.get(lost.pci_address or "")
        if card is None or lost.reason != "no_memory":
            continue
        others = tuple(each for each in found.problems if dict(each.what.arguments).get("name") != lost.name)
        if not card.total:
            problem = impossible_memory(SOURCE, lost.name, card.told, 0, 0)
            found = msgspec.structs.replace(found, problems=(*others, problem))
            continue
        found = Found(
            gpus=(*found.gpus, _gpu(lost, card)),
            problems=others,
            lost=tuple(each for each in found.lost if each is not lost),
        )
    return found


def _gpu(lost: LostCard, card: SysmanCard) -> Gpu:
    return Gpu(
        name=lost.name,
        vendor="intel",
        vram_total=card.total,
        vram_free=card.free,
        pci_address=card.pci_address,
        driver="Level Zero",
        bandwidth=card.bandwidth,
        bus_width=card.bus_width,
        pcie=PcieLink(generation_max=card.generation_max, width_max=card.width_max),
    )


def read_sysman(library: Any) -> Iterator[SysmanCard]:
    """Yield every card with memory of its own. Raises OSError or AttributeError where the library fails."""
    _check("zesInit", library.zesInit(0))
    for driver in _handles(library.zesDriverGet):
        for device in _handles(library.zesDeviceGet, driver):
            card = _card(library, device)
            if card is not None:
                yield card


def _card(library: Any, device: ctypes.c_void_p) -> SysmanCard | None:
    pci = _PciProperties(stype=_PCI_PROPERTIES)
    _check("zesDevicePciGetProperties", library.zesDevicePciGetProperties(device, ctypes.byref(pci)))
    total = free = width = speed = 0
    for module in _handles(library.zesDeviceEnumMemoryModules, device):
        properties, state = _MemoryProperties(stype=_MEMORY_PROPERTIES), _MemoryState(stype=_MEMORY_STATE)
        _check("zesMemoryGetProperties", library.zesMemoryGetProperties(module, ctypes.byref(properties)))
        if properties.location != _ON_DEVICE:
            continue
        _check("zesMemoryGetState", library.zesMemoryGetState(module, ctypes.byref(state)))
        total, free = total + state.size, free + min(state.free, state.size)
        width, speed = width + max(properties.bus_width, 0), speed + _bandwidth(library, module)
    if not total:
        return None
    believed = total <= MOST_BYTES
    return SysmanCard(
        pci_address=f"{pci.domain & 0xFFFF:04x}:{pci.bus & 0xFF:02x}:{pci.device & 0x1F:02x}.{pci.function & 7}",
        total=total if believed else 0,
        free=free if believed else 0,
        told=str(total),
        bandwidth=whole(speed, 10**9, 10**14),
        bus_width=whole(width, 16, 32_768),
        generation_max=whole(pci.generation, 1, 9),
        width_max=whole(pci.width, 1, 32),
    )


def _bandwidth(library: Any, module: ctypes.c_void_p) -> int:
    """Bytes per second at most; 0 where not told (the counters beside it are for administrators only)."""
    told = _MemoryBandwidth()
    if library.zesMemoryGetBandwidth(module, ctypes.byref(told)):
        return 0
    return bytes_within(told.most) or 0


def _handles(function: Any, *parents: ctypes.c_void_p) -> list[ctypes.c_void_p]:
    """The two steps of every list in Level-Zero: how many, then which."""
    count = ctypes.c_uint32(0)
    _check(function.__name__, function(*parents, ctypes.byref(count), None))
    count.value = min(count.value, _MOST_HANDLES)
    room = (ctypes.c_void_p * _MOST_HANDLES)()
    if count.value:
        _check(function.__name__, function(*parents, ctypes.byref(count), room))
    return [ctypes.c_void_p(handle) for handle in room[: min(count.value, _MOST_HANDLES)]]


def _check(name: str, result: int) -> None:
    if result:
        raise OSError(f"{name} answered 0x{result & 0xFFFFFFFF:08x}")


class _PciProperties(ctypes.Structure):
    """zes_pci_properties_t with its address and its fastest link."""

    _fields_ = (
        ("stype", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("domain", ctypes.c_uint32),
        ("bus", ctypes.c_uint32),
        ("device", ctypes.c_uint32),
        ("function", ctypes.c_uint32),
        ("generation", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("bandwidth", ctypes.c_int64),
        ("counters", ctypes.c_uint8 * 3),
    )


class _MemoryProperties(ctypes.Structure):
    """zes_mem_properties_t."""

    _fields_ = (
        ("stype", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("on_subdevice", ctypes.c_uint8),
        ("subdevice", ctypes.c_uint32),
        ("location", ctypes.c_int),
        ("physical_size", ctypes.c_uint64),
        ("bus_width", ctypes.c_int32),
        ("channels", ctypes.c_int32),
    )


class _MemoryState(ctypes.Structure):
    """zes_mem_state_t."""

    _fields_ = (
        ("stype", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("health", ctypes.c_int),
        ("free", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
    )


class _MemoryBandwidth(ctypes.Structure):
    """zes_mem_bandwidth_t."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("read", "written", "most", "time"))
