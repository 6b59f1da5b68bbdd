"""Windows: graphics adapters through DXGI. Written from the SDK's headers, never run on Windows.

Only `found_in_adapters` is tested, on recorded adapters; NVML's figures replace those of NVIDIA cards where it works.
"""

import ctypes
import sys
from collections.abc import Iterable, Iterator

import msgspec

from desktop.hardware.believable import bytes_within, words
from desktop.hardware.sources import Found, impossible_memory
from desktop.hardware.types import Gpu, LostCard, SourceProblem, Vendor

_VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
SOURCE = "DXGI"
_MOST_ADAPTERS = 64
_SOFTWARE = 2  # DXGI_ADAPTER_FLAG_SOFTWARE
_SMALLEST_OWN_MEMORY = 512 << 20
"""An adapter with less dedicated memory is integrated: firmware sets a little of main memory aside for it."""


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """What DXGI tells of an adapter; sizes in bytes.

    budget: what the system lets this process use of the adapter's own memory, which shrinks while others use it, 0 if
    untold; usage: what this process uses of that. luid: the adapter's number since the system started.
    """

    name: str
    vendor_id: int
    dedicated: int
    shared: int
    budget: int = 0
    usage: int = 0
    flags: int = 0
    luid: int = 0
    driver: str | None = None


def read_windows() -> Found:
    """Return every hardware adapter. Raises OSError when DXGI fails."""
    return found_in_adapters(_adapters())


def found_in_adapters(adapters: Iterable[Adapter]) -> Found:
    """Return the hardware adapters as GPUs, each once; one whose memory cannot be true is a problem instead."""
    gpus: list[Gpu] = []
    problems: list[SourceProblem] = []
    lost: list[LostCard] = []
    seen: set[int] = set()
    for adapter in adapters:
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


class _Guid(ctypes.Structure):
    _fields_ = (
        ("data1", ctypes.c_uint32),
        ("data2", ctypes.c_uint16),
        ("data3", ctypes.c_uint16),
        ("data4", ctypes.c_uint8 * 8),
    )


class _AdapterDescription(ctypes.Structure):
    """DXGI_ADAPTER_DESC1."""

    _fields_ = (
        ("description", ctypes.c_wchar * 128),
        ("vendor_id", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subsystem_id", ctypes.c_uint),
        ("revision", ctypes.c_uint),
        ("dedicated_video", ctypes.c_size_t),
        ("dedicated_system", ctypes.c_size_t),
        ("shared_system", ctypes.c_size_t),
        ("luid_low", ctypes.c_uint32),
        ("luid_high", ctypes.c_int32),
        ("flags", ctypes.c_uint),
    )


class _MemoryInfo(ctypes.Structure):
    """DXGI_QUERY_VIDEO_MEMORY_INFO."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("budget", "usage", "available", "reserved"))


_FACTORY1 = _Guid(0x770AAE78, 0xF26F, 0x4DBA, (0xA8, 0x29, 0x25, 0x3C, 0x83, 0xD1, 0xB3, 0x87))
_ADAPTER3 = _Guid(0x645967A4, 0x1392, 0x4310, (0xA7, 0x98, 0x80, 0x53, 0xCE, 0x3E, 0x93, 0xFD))

_DEVICE = _Guid(0x54EC77FA, 0x1377, 0x44E6, (0x8C, 0x32, 0x88, 0xFD, 0x5F, 0x44, 0xC8, 0x4C))

# Places in the COM tables, counted in dxgi.h and dxgi1_4.h.
_QUERY_INTERFACE, _RELEASE, _CHECK_SUPPORT, _GET_DESC1, _ENUM_ADAPTERS1, _QUERY_MEMORY = 0, 2, 9, 10, 12, 14


if sys.platform == "win32":

    def _adapters() -> Iterator[Adapter]:
        factory = ctypes.c_void_p()
        result = ctypes.WinDLL("dxgi").CreateDXGIFactory1(ctypes.byref(_FACTORY1), ctypes.byref(factory))
        if result < 0:
            raise OSError(f"CreateDXGIFactory1 failed: 0x{result & 0xFFFFFFFF:08x}")
        adapter = ctypes.c_void_p()
        for index in range(_MOST_ADAPTERS):
            if _call(factory, _ENUM_ADAPTERS1, ctypes.c_uint(index), ctypes.byref(adapter)) < 0:
                break
            yield _describe(adapter)
            _call(adapter, _RELEASE)
        _call(factory, _RELEASE)

    def _describe(adapter: ctypes.c_void_p) -> Adapter:
        description = _AdapterDescription()
        _call(adapter, _GET_DESC1, ctypes.byref(description))
        memory = _own_memory(adapter)
        return Adapter(
            name=description.description,
            vendor_id=description.vendor_id,
            dedicated=description.dedicated_video,
            shared=description.shared_system,
            budget=int(memory.budget),
            usage=int(memory.usage),
            flags=description.flags,
            luid=description.luid_low | (description.luid_high & 0xFFFFFFFF) << 32,
            driver=_driver(adapter),
        )

    def _own_memory(adapter: ctypes.c_void_p) -> _MemoryInfo:
        """Budget and usage of the adapter's own memory for this process; zeros before Windows 10."""
        newer, info = ctypes.c_void_p(), _MemoryInfo()
        if _call(adapter, _QUERY_INTERFACE, ctypes.byref(_ADAPTER3), ctypes.byref(newer)) < 0:
            return info
        result = _call(newer, _QUERY_MEMORY, ctypes.c_uint(0), ctypes.c_uint(0), ctypes.byref(info))
        _call(newer, _RELEASE)
        return info if result >= 0 else _MemoryInfo()

    def _driver(adapter: ctypes.c_void_p) -> str | None:
        """The version of the adapter's driver, four numbers of 16 bits."""
        version = ctypes.c_uint64()
        if _call(adapter, _CHECK_SUPPORT, ctypes.byref(_DEVICE), ctypes.byref(version)) < 0:
            return None
        return ".".join(str(version.value >> shift & 0xFFFF) for shift in (48, 32, 16, 0))

    def _call(instance: ctypes.c_void_p, place: int, *arguments: object) -> int:
        """Call the method at `place` of a COM object; returns its HRESULT (negative is a failure)."""
        table = ctypes.cast(instance, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
        method = ctypes.WINFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(table[place])
        method.argtypes = None
        return int(method(instance, *arguments))

else:

    def _adapters() -> Iterator[Adapter]:
        raise OSError("DXGI exists on Windows only")
