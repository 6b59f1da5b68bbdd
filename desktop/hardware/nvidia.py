"""NVML, NVIDIA's library of facts: opened, asked and closed here; the only importer of pynvml.

What is asked stands in nvidia_cards.py, nvidia_details.py and nvidia_samples.py. Call all of it in a child only: a
driver that hangs cannot be interrupted. `SNUG_NVML_LIBRARY` names another library to load in place of the driver's own
(an absolute path; for drivers in unusual places, and for tests).
"""

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynvml

LIBRARY_VARIABLE = "SNUG_NVML_LIBRARY"
SOURCE = "NVML"

NvmlError = pynvml.NVMLError
GPU_IS_LOST: int = pynvml.NVML_ERROR_GPU_IS_LOST
RESET_REQUIRED: int = pynvml.NVML_ERROR_RESET_REQUIRED
NO_PERMISSION: int = pynvml.NVML_ERROR_NO_PERMISSION
VERSION_MISMATCH: int = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
NO_SUCH_CARD: int = pynvml.NVML_ERROR_INVALID_ARGUMENT
"""What a driver answers to an index at which it has none."""
NOT_SUPPORTED: int = pynvml.NVML_ERROR_NOT_SUPPORTED
NOT_FOUND: int = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
OTHER_VERSION: int = pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH
MEMORY_V2: int = pynvml.nvmlMemory_v2
CLOCK_MEMORY: int = pynvml.NVML_CLOCK_MEM
TEMPERATURE_GPU: int = pynvml.NVML_TEMPERATURE_GPU
RECOVERY_ACTION: int = pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION

_NOT_TOLD = frozenset({
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
    pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
    pynvml.NVML_ERROR_NO_DATA,
    pynvml.NVML_ERROR_NOT_READY,
    pynvml.NVML_ERROR_DEPRECATED,
    pynvml.NVML_ERROR_INVALID_STATE,
})  # fmt: skip
"""Errors that mean "this card or driver does not tell", not "something is broken"."""

_ABSENT = frozenset({pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})

_PREDECESSORS: dict[str, tuple[str, ...]] = {
    "nvmlInitWithFlags": ("nvmlInit_v2", "nvmlInit"),
    "nvmlDeviceGetCount_v2": ("nvmlDeviceGetCount",),
    "nvmlDeviceGetHandleByIndex_v2": ("nvmlDeviceGetHandleByIndex",),
    "nvmlDeviceGetPciInfo_v3": ("nvmlDeviceGetPciInfo_v2", "nvmlDeviceGetPciInfo"),
    "nvmlDeviceGetNvLinkRemotePciInfo_v2": ("nvmlDeviceGetNvLinkRemotePciInfo",),
    "nvmlSystemGetCudaDriverVersion_v2": ("nvmlSystemGetCudaDriverVersion",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("nvmlDeviceGetCurrentClocksThrottleReasons",),
}
"""Calls and what older drivers have in their place: the same arguments, answers that begin the same way (nvml.h).
An argument that the older one does not take (the flags of Init) is not looked at: NVML is cdecl everywhere."""


class _Library:
    """NVML's functions by name; one that a driver lacks is answered by its predecessor, noted in `older`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.older: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        for each in (name, *_PREDECESSORS.get(name, ())):
            with contextlib.suppress(AttributeError):
                function = getattr(self._library, each)
                if each != name:
                    self.older.add(each)
                return function
        raise AttributeError(name)


@contextlib.contextmanager
def nvml() -> Iterator[bool]:
    """Open NVML for the block; yields False where this machine has no NVIDIA driver.

    Raises NvmlError when the driver is there and broken, OSError or ValueError for a library that cannot be loaded.
    """
    if not _load_library():
        yield False
        return
    try:
        pynvml.nvmlInit()
    except NvmlError as error:
        if error.value not in _ABSENT:
            raise
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


def older_calls() -> tuple[str, ...]:
    """Predecessors of today's calls that were used because the driver lacks these."""
    return tuple(sorted(pynvml.nvmlLib.older)) if isinstance(pynvml.nvmlLib, _Library) else ()


def note_older_call(name: str) -> None:
    """Note a predecessor that takes other arguments, so that it is not in the table here."""
    if isinstance(pynvml.nvmlLib, _Library):
        pynvml.nvmlLib.older.add(name)


def function(name: str) -> Any:
    """The C function itself, None where this driver has none of that name."""
    try:
        return getattr(pynvml.nvmlLib, name)
    except AttributeError:
        return None


def ask(name: str, *arguments: Any) -> Any:
    """Call NVML; None where the card or the driver does not tell. Raises NvmlError where it is broken."""
    call = getattr(pynvml, name, None)
    if call is None:
        return None  # an older binding
    try:
        return call(*arguments)
    except NvmlError as error:
        if error.value in _NOT_TOLD:
            return None
        raise
    except UnicodeDecodeError:
        return None


def ask_length(name: str, *arguments: Any) -> int | None:
    """How long one of NVML's lists is, without fetching it: pynvml makes room for whatever number a driver states.

    None where it is not told. Raises NvmlError where the card or the driver is broken.
    """
    call = function(name)
    if call is None:
        return None
    length = ctypes.c_uint(0)
    result = call(*arguments, ctypes.byref(length), None)
    if result in _NOT_TOLD:
        return None
    if result not in {pynvml.NVML_SUCCESS, pynvml.NVML_ERROR_INSUFFICIENT_SIZE}:
        raise NvmlError(result)
    return length.value


def demand(name: str, *arguments: Any) -> Any:
    """Call NVML; raises NvmlError for whatever it answers but success."""
    return getattr(pynvml, name)(*arguments)


def _load_library() -> bool:
    """Load the library once; False where there is none. pynvml loads its own only while `nvmlLib` is None."""
    if pynvml.nvmlLib is not None:
        return True
    path = os.environ.get(LIBRARY_VARIABLE)
    if path and not Path(path).is_absolute():
        raise ValueError(f"{LIBRARY_VARIABLE} must be an absolute path, not {path!r}")
    for name in [path] if path else _library_names():
        try:
            pynvml.nvmlLib = _Library(ctypes.CDLL(name))
        except OSError:
            if path or (Path(name).is_absolute() and Path(name).exists()):
                raise  # it is there and cannot be loaded, which is worth a word
        else:
            return True
    return False


def _library_names() -> list[str]:
    """Where the driver puts it; on Windows the two places that the driver's versions use."""
    if platform.system() != "Windows":
        return ["libnvidia-ml.so.1"]
    windows, programs = os.environ.get("WINDIR", "C:/Windows"), os.environ.get("PROGRAMFILES", "C:/Program Files")
    return [f"{windows}/System32/nvml.dll", f"{programs}/NVIDIA Corporation/NVSMI/nvml.dll"]
