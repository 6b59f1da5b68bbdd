"""DXGI's adapters, asked through COM with ctypes. Written from dxgi.h and dxgi1_4.h, never run on Windows.

A COM object begins with the address of its table of functions; each takes the object itself as its first argument.
Where there is no calling convention of its own (64-bit Windows, the stand-in that the tests build), it is C's.
"""

import ctypes
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

_MOST_ADAPTERS = 64


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

# Places in the tables, counted in the headers.
_QUERY_INTERFACE, _RELEASE, _CHECK_SUPPORT, _GET_DESC1, _ENUM_ADAPTERS1, _QUERY_MEMORY = 0, 2, 9, 10, 12, 14


if sys.platform == "win32":

    def open_dxgi() -> Any:
        """Load DXGI. Raises OSError where there is none."""
        return ctypes.WinDLL("dxgi")

else:

    def open_dxgi() -> Any:
        """Load DXGI. Raises OSError: it exists on Windows only."""
        raise OSError("DXGI exists on Windows only")


def adapters(library: Any) -> Iterator[Adapter]:
    """Yield every adapter. Raises OSError when DXGI fails."""
    create = library.CreateDXGIFactory1
    create.restype, create.argtypes = ctypes.c_int32, (ctypes.c_void_p, ctypes.c_void_p)
    factory, adapter = ctypes.c_void_p(), ctypes.c_void_p()
    result = create(ctypes.byref(_FACTORY1), ctypes.byref(factory))
    if result < 0:
        raise OSError(f"CreateDXGIFactory1 failed: 0x{result & 0xFFFFFFFF:08x}")
    try:
        for index in range(_MOST_ADAPTERS):
            if _call(factory, _ENUM_ADAPTERS1, ctypes.c_uint(index), ctypes.byref(adapter)) < 0:
                return
            try:
                yield _describe(adapter)
            finally:
                _call(adapter, _RELEASE)
    finally:
        _call(factory, _RELEASE)


def _describe(adapter: ctypes.c_void_p) -> Adapter:
    description = _AdapterDescription()
    result = _call(adapter, _GET_DESC1, ctypes.byref(description))
    if result < 0:
        raise OSError(f"IDXGIAdapter1.GetDesc1 failed: 0x{result & 0xFFFFFFFF:08x}")
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


def _call(instance: ctypes.c_void_p, place: int, *arguments: Any) -> int:
    """Call the method at `place` of a COM object; returns its HRESULT (negative is a failure).

    Every argument has its type: under Windows' convention ctypes takes exactly as many as were declared.
    """
    table = ctypes.cast(instance, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    kinds = (ctypes.c_uint if isinstance(argument, ctypes.c_uint) else ctypes.c_void_p for argument in arguments)
    prototype = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
    return int(prototype(ctypes.c_int32, ctypes.c_void_p, *kinds)(table[place])(instance, *arguments))
