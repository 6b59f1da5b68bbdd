"""Windows: graphics adapters through DXGI. Written from the SDK's headers, never run on Windows.

Only `gpus_from_adapters` is tested, on recorded adapters; NVML's figures replace those of NVIDIA cards where it works.
"""

import ctypes
import sys
from collections.abc import Iterable, Iterator

import msgspec

from desktop.hardware.sources import Found
from desktop.hardware.types import Gpu, Vendor

_VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
_SOFTWARE = 2  # DXGI_ADAPTER_FLAG_SOFTWARE
_SMALLEST_OWN_MEMORY = 512 << 20
"""An adapter with less dedicated memory is integrated: firmware sets a little of main memory aside for it."""


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """What DXGI tells of an adapter; sizes in bytes. `budget` is what the system lets one program use, 0 if untold."""

    name: str
    vendor_id: int
    dedicated: int
    shared: int
    budget: int = 0
    flags: int = 0


def read_windows() -> Found:
    """Return every hardware adapter. Raises OSError when DXGI fails."""
    return Found(gpus=gpus_from_adapters(_adapters()))


def gpus_from_adapters(adapters: Iterable[Adapter]) -> tuple[Gpu, ...]:
    """Return the hardware adapters as GPUs; an integrated one shares main memory."""
    return tuple(_gpu(adapter) for adapter in adapters if not adapter.flags & _SOFTWARE)


def _gpu(adapter: Adapter) -> Gpu:
    integrated = adapter.dedicated < _SMALLEST_OWN_MEMORY
    total = adapter.shared if integrated else adapter.dedicated
    return Gpu(
        name=adapter.name,
        vendor=_VENDORS.get(adapter.vendor_id, "other"),
        vram_total=total,
        vram_free=min(adapter.budget or total, total),
        driver="DXGI",
        uses_ram=integrated,
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

# Places in the COM tables, counted in dxgi.h and dxgi1_4.h.
_QUERY_INTERFACE, _RELEASE, _GET_DESC1, _ENUM_ADAPTERS1, _QUERY_MEMORY = 0, 2, 10, 12, 14


if sys.platform == "win32":

    def _adapters() -> Iterator[Adapter]:
        factory = ctypes.c_void_p()
        result = ctypes.WinDLL("dxgi").CreateDXGIFactory1(ctypes.byref(_FACTORY1), ctypes.byref(factory))
        if result < 0:
            raise OSError(f"CreateDXGIFactory1 failed: 0x{result & 0xFFFFFFFF:08x}")
        index = 0
        adapter = ctypes.c_void_p()
        while _call(factory, _ENUM_ADAPTERS1, ctypes.c_uint(index), ctypes.byref(adapter)) >= 0:
            yield _describe(adapter)
            _call(adapter, _RELEASE)
            index += 1
        _call(factory, _RELEASE)

    def _describe(adapter: ctypes.c_void_p) -> Adapter:
        description = _AdapterDescription()
        _call(adapter, _GET_DESC1, ctypes.byref(description))
        return Adapter(
            name=description.description,
            vendor_id=description.vendor_id,
            dedicated=description.dedicated_video,
            shared=description.shared_system,
            budget=_budget(adapter),
            flags=description.flags,
        )

    def _budget(adapter: ctypes.c_void_p) -> int:
        """Bytes of local memory the system lets this process use; 0 before Windows 10."""
        newer = ctypes.c_void_p()
        if _call(adapter, _QUERY_INTERFACE, ctypes.byref(_ADAPTER3), ctypes.byref(newer)) < 0:
            return 0
        info = _MemoryInfo()
        _call(newer, _QUERY_MEMORY, ctypes.c_uint(0), ctypes.c_uint(0), ctypes.byref(info))
        _call(newer, _RELEASE)
        return int(info.budget)

    def _call(instance: ctypes.c_void_p, place: int, *arguments: object) -> int:
        """Call the method at `place` of a COM object; returns its HRESULT (negative is a failure)."""
        table = ctypes.cast(instance, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
        method = ctypes.WINFUNCTYPE(ctypes.c_long, ctypes.c_void_p)(table[place])
        method.argtypes = None
        return int(method(instance, *arguments))

else:

    def _adapters() -> Iterator[Adapter]:
        raise OSError("DXGI exists on Windows only")
