"""Memory of NVIDIA cards and who holds it, as far as the driver's answers can be believed."""

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import psutil

from desktop.hardware.believable import MOST_BYTES
from desktop.hardware.nvidia import (
    GPU_IS_LOST,
    MEMORY_V2,
    NOT_FOUND,
    NOT_SUPPORTED,
    OTHER_VERSION,
    RESET_REQUIRED,
    NvmlError,
    ask,
    demand,
    function,
    note_older_call,
)
from desktop.hardware.types import GpuProcess

_MOST_PARTS = 16
"""More parts than any card can be divided into (7 on an H100)."""

_MOST_PROCESSES = 512
_NOT_AVAILABLE = (1 << 64) - 1
_DISAGREEMENT = 0.01
_SUCCESS = 0
_GONE = frozenset({GPU_IS_LOST, RESET_REQUIRED})
_NO_OWN_MEMORY = frozenset({NOT_SUPPORTED})
_OLDER = _NO_OWN_MEMORY | {NOT_FOUND, OTHER_VERSION}
"""Answers to version 2 after which version 1 is asked."""


class Memory(NamedTuple):
    """A card's memory in bytes, as far as it can be believed; `lie` is what the driver said where it cannot."""

    total: int
    free: int
    is_ram: bool = False
    lie: str = ""


def read_memory(handle: Any) -> Memory:
    """Version 2 tells what the driver reserves apart from what is used; older drivers have version 1 only.

    A card whose driver supports neither has no memory of its own (Tegra, GB10): there it is main memory. Raises
    NvmlError where the driver does not let us see it, or is broken.
    """
    for version in (MEMORY_V2, None):
        try:
            told = demand("nvmlDeviceGetMemoryInfo", handle, version)
        except NvmlError as error:
            if error.value not in (_OLDER if version else _NO_OWN_MEMORY):
                raise
            continue
        if version is None:
            note_older_call("nvmlDeviceGetMemoryInfo")
        return _believed(told)
    ram = psutil.virtual_memory()
    return Memory(ram.total, ram.available, is_ram=True)


def cross_checked(handle: Any, memory: Memory) -> Memory:
    """Compare the total with that of version 1: where they differ, the smaller one is counted on, and it is said."""
    if memory.is_ram or memory.lie:
        return memory
    told = ask("nvmlDeviceGetMemoryInfo", handle)
    if (
        told is None
        or not 0 < told.total <= MOST_BYTES
        or abs(told.total - memory.total) <= memory.total * _DISAGREEMENT
    ):
        return memory
    lie = f"{told.total} or {memory.total} in all"
    total = min(memory.total, told.total)
    return Memory(total, min(memory.free, total), lie=lie)


def _believed(told: Any) -> Memory:
    total = told.total if told.total <= MOST_BYTES else 0
    # Free and used are told apart, and in a sound answer they agree.
    unused = told.total - told.used - getattr(told, "reserved", 0)
    free = max(min(told.free, unused, total), 0)
    if total and told.free <= told.total and told.used <= told.total:
        return Memory(total, free)
    return Memory(total, free, lie=f"{told.free} free and {told.used} used of {told.total}")


def parts(handle: Any) -> Iterator[Any]:
    """Handles of the parts of a card that is divided (multi-instance GPU), in the driver's order."""
    most = ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    for number in range(min(most, _MOST_PARTS)):
        part = ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, number)
        if part is not None:
            yield part


def seen_parts(handle: Any) -> Iterator[tuple[Any, Memory]]:
    """The parts whose memory the driver tells this user, with it. Raises NvmlError where the card itself is gone."""
    for part in parts(handle):
        try:
            yield part, read_memory(part)
        except NvmlError as error:
            if error.value in _GONE:
                raise


def first_part(handle: Any) -> Any:
    """The part that a program is given: CUDA takes the first that may be seen. None for a card without parts.

    Where none may be seen it is the first, which says why when it is asked.
    """
    return next((part for part, _ in seen_parts(handle)), None) or next(parts(handle), None)


def is_divided(handle: Any) -> bool | None:
    """Whether multi-instance mode is on; None for a card that cannot be divided."""
    mode = ask("nvmlDeviceGetMigMode", handle)
    return bool(mode[0] == 1) if mode else None


class _Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t, the same in version 3."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class _ProcessV1(ctypes.Structure):
    """nvmlProcessInfo_v1_t."""

    _fields_ = (("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong))


_VERSIONS: tuple[tuple[str, type[_Process] | type[_ProcessV1]], ...] = (
    ("_v3", _Process),
    ("_v2", _Process),
    ("", _ProcessV1),
)


def processes(handle: Any, vram_total: int) -> tuple[GpuProcess, ...] | None:
    """Who holds memory of the card, by process id; None where the driver does not tell."""
    compute, graphics = _listed(handle, "Compute"), _listed(handle, "Graphics")
    if compute is None and graphics is None:
        return None
    # A process that computes and draws stands in both lists with the same figure.
    used = {process.pid: process.used for process in [*(compute or ()), *(graphics or ())] if process.pid}
    return tuple(
        GpuProcess(pid=pid, used=size if size != _NOT_AVAILABLE and size <= vram_total else None)
        for pid, size in sorted(used.items())
    )


def _listed(handle: Any, kind: str) -> list[Any] | None:
    """One list of processes. Not through pynvml: it believes any count, and asks twice.

    What goes wrong here is "not told": the card's memory has been read before, and is what matters.
    """
    for version, structure in _VERSIONS:
        call = function(f"nvmlDeviceGet{kind}RunningProcesses{version}")
        if call is None:
            continue
        if version == "":
            note_older_call(f"nvmlDeviceGet{kind}RunningProcesses")
        count, room = ctypes.c_uint(_MOST_PROCESSES), (structure * _MOST_PROCESSES)()
        if call(handle, ctypes.byref(count), room) != _SUCCESS:
            return None
        return list(room[: min(count.value, _MOST_PROCESSES)])
    return None
