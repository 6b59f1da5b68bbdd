"""NVIDIA cards through NVML; the only importer of pynvml.

Call this in a child only: a driver that hangs cannot be interrupted. `SNUG_NVML_LIBRARY` names another library to
load in place of the driver's own (an absolute path; for drivers in unusual places, and for tests).
"""

import contextlib
import ctypes
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pynvml

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.sources import Found, failed_source
from desktop.hardware.types import Gpu, GpuSample, PcieLink, SourceProblem

LIBRARY_VARIABLE = "SNUG_NVML_LIBRARY"
SOURCE = "NVML"

_MOST_BYTES = 1 << 44
"""16 TiB: more than any card has; beyond it the driver's figure is noise."""

_NOT_TOLD = frozenset({
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
    pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
})  # fmt: skip
"""Errors that mean "this card or driver does not tell", not "something is broken"."""

_ABSENT = frozenset({pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})


@contextlib.contextmanager
def nvml() -> Iterator[bool]:
    """Open NVML for the block; yields False where this machine has no NVIDIA driver.

    Raises pynvml.NVMLError when the driver is there and broken, OSError or ValueError for a bad SNUG_NVML_LIBRARY.
    """
    _load_named_library()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value not in _ABSENT:
            raise
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


def _load_named_library() -> None:
    path = os.environ.get(LIBRARY_VARIABLE)
    if not path or pynvml.nvmlLib is not None:
        return
    if not Path(path).is_absolute():
        raise ValueError(f"{LIBRARY_VARIABLE} must be an absolute path, not {path!r}")
    # pynvml offers no way to name the library; it loads its own only while this is None.
    pynvml.nvmlLib = ctypes.CDLL(path)


def read_nvidia() -> Found:
    """Return every NVIDIA card NVML knows; a card that fails is a problem and the others stand."""
    with nvml() as present:
        if not present:
            return Found()
        gpus: list[Gpu] = []
        problems: list[SourceProblem] = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            try:
                gpu = _read_card(pynvml.nvmlDeviceGetHandleByIndex(index), problems)
            except pynvml.NVMLError as error:
                problems.append(failed_source(f"{SOURCE} card {index}", error))
                continue
            if gpu is not None:
                gpus.append(gpu)
        return Found(gpus=tuple(gpus), problems=tuple(problems))


def _read_card(handle: Any, problems: list[SourceProblem]) -> Gpu | None:
    name = _name(handle)
    memory = _memory(handle)
    if memory.lie:
        problems.append(_impossible(name, memory))
    if not memory.total:
        return None
    return Gpu(
        name=name,
        vendor="nvidia",
        vram_total=memory.total,
        vram_free=memory.free,
        pci_address=_pci_address(handle),
        bandwidth=_bandwidth(handle),
        driver=_ask(pynvml.nvmlSystemGetDriverVersion),
        cuda_version=_cuda_version(),
        compute_capability=_compute_capability(handle),
        pcie=_pcie(handle),
        resizable_bar=None if memory.is_ram else _resizable_bar(handle, memory.total),
        uses_ram=memory.is_ram,
    )


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call NVML; None where the card or the driver does not tell. Raises pynvml.NVMLError where it is broken."""
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        if error.value in _NOT_TOLD:
            return None
        raise


def _name(handle: Any) -> str:
    try:
        name = _ask(pynvml.nvmlDeviceGetName, handle)
    except UnicodeDecodeError:
        name = None
    printable = "".join(sign for sign in name or "" if sign.isprintable()).strip()
    return printable or "NVIDIA GPU"


class _Memory(NamedTuple):
    """A card's memory in bytes, as far as it can be believed; `lie` is what the driver said where it cannot."""

    total: int
    free: int
    is_ram: bool = False
    lie: str = ""


def _memory(handle: Any) -> _Memory:
    """Version 2 tells what the driver reserves apart from what is used; older drivers have version 1 only."""
    told = _ask(pynvml.nvmlDeviceGetMemoryInfo, handle, pynvml.nvmlMemory_v2) or _ask(
        pynvml.nvmlDeviceGetMemoryInfo, handle
    )
    if told is None:  # Tegra and GB10 have no memory of their own and answer "not supported"
        ram = psutil.virtual_memory()
        return _Memory(ram.total, ram.available, is_ram=True)
    # Free and used are told apart, and in a sound answer they agree.
    unused = told.total - told.used - getattr(told, "reserved", 0)
    total = told.total if told.total <= _MOST_BYTES else 0
    free = max(min(told.free, unused, total), 0)
    if total and told.free <= told.total:
        return _Memory(total, free)
    return _Memory(total, free, lie=f"{told.free} of {told.total}")


def _impossible(name: str, memory: _Memory) -> SourceProblem:
    what = QT_TRANSLATE_NOOP(
        "core",
        "The driver of {name} says that {told} bytes are free, which cannot be. Snug counts on {free} of {total}.",
    )
    phrase = Phrase.of(what, name=name, told=memory.lie, free=memory.free, total=memory.total)
    return SourceProblem(source=SOURCE, what=phrase)


def _pci_address(handle: Any) -> str | None:
    info = _ask(pynvml.nvmlDeviceGetPciInfo_v3, handle)
    # NVML writes an 8-digit upper-case domain; sysfs and ggml four digits, lower case. A GPU is always function 0.
    return f"{info.domain:04x}:{info.bus:02x}:{info.device:02x}.0" if info else None


def _bandwidth(handle: Any) -> int | None:
    """2 (double data rate) * memory clock in MHz * bus width in bits / 8: 1008 GB/s on an RTX 4090."""
    clock = _ask(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_MEM)
    width = _ask(pynvml.nvmlDeviceGetMemoryBusWidth, handle)
    return 2 * clock * 1_000_000 * width // 8 if clock and width else None


def _cuda_version() -> str | None:
    version = _ask(pynvml.nvmlSystemGetCudaDriverVersion_v2)
    return f"{version // 1000}.{version % 1000 // 10}" if version else None


def _compute_capability(handle: Any) -> str | None:
    capability = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    return f"{capability[0]}.{capability[1]}" if capability else None


def _pcie(handle: Any) -> PcieLink:
    return PcieLink(
        generation=_ask(pynvml.nvmlDeviceGetCurrPcieLinkGeneration, handle),
        generation_max=_ask(pynvml.nvmlDeviceGetMaxPcieLinkGeneration, handle),
        width=_ask(pynvml.nvmlDeviceGetCurrPcieLinkWidth, handle),
        width_max=_ask(pynvml.nvmlDeviceGetMaxPcieLinkWidth, handle),
    )


def _resizable_bar(handle: Any, vram_total: int) -> bool | None:
    """On when the CPU's window reaches (nearly) the whole memory; without it the window is 256 MiB."""
    window = _ask(pynvml.nvmlDeviceGetBAR1MemoryInfo, handle)
    return window.bar1Total >= vram_total * 0.95 if window and vram_total else None


# --- Sampling -------------------------------------------------------------------------------------------------------


def sample_nvidia(own_pids: Collection[int]) -> tuple[GpuSample, ...]:
    """Return one sample per card; call inside `nvml()`. Raises pynvml.NVMLError when a card is lost."""
    handles = (pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount()))
    samples = (_sample_card(handle, own_pids) for handle in handles)
    return tuple(sample for sample in samples if sample.vram_total)  # the probe has said what is wrong with the others


def _sample_card(handle: Any, own_pids: Collection[int]) -> GpuSample:
    memory = _memory(handle)
    utilization = _ask(pynvml.nvmlDeviceGetUtilizationRates, handle)
    power = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    return GpuSample(
        name=_name(handle),
        vram_total=memory.total,
        vram_used=memory.total - memory.free,
        used_by_us=_used_by(handle, own_pids),
        utilization=float(utilization.gpu) if utilization else None,
        temperature=_temperature(handle),
        power=power / 1000 if power is not None else None,
        pci_address=_pci_address(handle),
        uses_ram=memory.is_ram,
    )


def _temperature(handle: Any) -> float | None:
    celsius = _ask(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    return float(celsius) if celsius is not None else None


def _used_by(handle: Any, pids: Collection[int]) -> int | None:
    """Bytes of `pids` on the card; None where the driver does not tell (Windows' display driver model)."""
    compute = _ask(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    graphics = _ask(pynvml.nvmlDeviceGetGraphicsRunningProcesses_v3, handle)
    if compute is None and graphics is None:
        return None
    # A process that computes and draws stands in both lists with the same figure.
    ours = {
        process.pid: process.usedGpuMemory for process in [*(compute or ()), *(graphics or ())] if process.pid in pids
    }
    return None if None in ours.values() else sum(ours.values())
