"""What amdsmi, the Python binding that ROCm installs, knows of AMD cards beyond the kernel's files.

Written from its documentation, tested with a module of the same names, never run on a real card. It comes with
ROCm, not with Snug: where it is missing nothing is lost but these details.
"""

import importlib
from typing import Any

import msgspec

from desktop.hardware.believable import whole, words
from desktop.hardware.sources import Found, failed_source
from desktop.hardware.types import Gpu, GpuProcess, SourceProblem

SOURCE = "amdsmi"
_MOST_CARDS = 64


def with_amdsmi(found: Found) -> Found:
    """Return `found` with what amdsmi adds; as it is where amdsmi is not installed, with a problem where it fails."""
    try:
        smi: Any = importlib.import_module("amdsmi")
    except ImportError:
        return found
    except Exception as error:  # noqa: BLE001 - it loads a library at import, and raises what it likes
        return _and_problem(found, error)
    try:
        smi.amdsmi_init()
        try:
            known = dict(_read(smi))
        finally:
            smi.amdsmi_shut_down()
    except Exception as error:  # noqa: BLE001 - its exceptions have no common base across versions
        return _and_problem(found, error)
    gpus = tuple(_with(gpu, known.get((gpu.pci_address or "").lower(), {})) for gpu in found.gpus)
    return msgspec.structs.replace(found, gpus=gpus)


def _and_problem(found: Found, error: Exception) -> Found:
    problem: SourceProblem = failed_source(SOURCE, error)
    return msgspec.structs.replace(found, problems=(*found.problems, problem))


def _with(gpu: Gpu, facts: dict[str, Any]) -> Gpu:
    return msgspec.structs.replace(gpu, **{name: value for name, value in facts.items() if value is not None})


def _read(smi: Any) -> list[tuple[str, dict[str, Any]]]:
    handles = list(smi.amdsmi_get_processor_handles())[:_MOST_CARDS]
    return [(str(smi.amdsmi_get_gpu_device_bdf(handle)).lower(), _card(smi, handle)) for handle in handles]


def _card(smi: Any, handle: Any) -> dict[str, Any]:
    asic, driver = _ask(smi, "amdsmi_get_gpu_asic_info", handle), _ask(smi, "amdsmi_get_gpu_driver_info", handle)
    vram = _ask(smi, "amdsmi_get_gpu_vram_info", handle)
    gigabytes = whole(_number(vram.get("vram_max_bandwidth")), 1, 100_000)
    return {
        "name": words(_text(asic.get("market_name"))),
        "driver": words(_text(driver.get("driver_version"))),
        "bandwidth": gigabytes * 10**9 if gigabytes else None,
        "bus_width": whole(_number(vram.get("vram_bit_width")), 16, 32_768),
        "processes": _processes(smi, handle),
    }


def _processes(smi: Any, handle: Any) -> tuple[GpuProcess, ...] | None:
    listed = _ask(smi, "amdsmi_get_gpu_process_list", handle)
    if not isinstance(listed, list):
        return None
    used: dict[int, int | None] = {}
    for each in listed:
        if isinstance(each, dict) and (pid := _number(each.get("pid"))):
            memory = each.get("memory_usage")
            used[pid] = _number(memory.get("vram_mem")) if isinstance(memory, dict) else None
    return tuple(GpuProcess(pid=pid, used=size) for pid, size in sorted(used.items()))


def _ask(smi: Any, name: str, handle: Any) -> Any:
    """One answer; an empty one where this version or this card does not tell."""
    try:
        return getattr(smi, name)(handle) or {}
    except Exception:  # noqa: BLE001 - "not supported" is an exception of its own, of a class that moved
        return {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value not in {"N/A", ""} else None
