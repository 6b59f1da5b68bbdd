"""Apple silicon: one GPU that shares main memory. Tested on recorded output only, never run on a Mac."""

import subprocess
from typing import Any

import msgspec
import psutil

from desktop.hardware.sources import Found
from desktop.hardware.types import Gpu

_DEFAULT_SHARE = (2, 3)
"""Part of main memory Metal lets the GPU use when iogpu.wired_limit_mb is 0; larger Macs give three quarters, so this
is the careful side. The engine's Metal device tells the exact figure (recommendedMaxWorkingSetSize)."""


def read_apple() -> Found:
    """Return the Mac's GPU. Raises OSError, subprocess.SubprocessError or msgspec.DecodeError."""
    displays = _run("/usr/sbin/system_profiler", "SPDisplaysDataType", "-json")
    limit = _run("/usr/sbin/sysctl", "-n", "iogpu.wired_limit_mb").strip()
    memory = psutil.virtual_memory()
    return Found(gpus=parse_displays(displays, _mebibytes(limit), memory.total, memory.available))


def parse_displays(report: str, wired_limit: int, ram_total: int, ram_available: int) -> tuple[Gpu, ...]:
    """Return the Apple GPUs in system_profiler's JSON; `wired_limit` in bytes, 0 for the system's default."""
    entries: list[dict[str, Any]] = msgspec.json.decode(report).get("SPDisplaysDataType", [])
    budget = wired_limit or ram_total * _DEFAULT_SHARE[0] // _DEFAULT_SHARE[1]
    return tuple(
        Gpu(
            name=str(entry.get("sppci_model") or entry.get("_name") or "Apple GPU"),
            vendor="apple",
            vram_total=budget,
            vram_free=min(budget, ram_available),
            driver=str(entry.get("spdisplays_mtlgpufamilysupport") or "Metal"),
            uses_ram=True,
        )
        for entry in entries
        if "apple" in str(entry.get("spdisplays_vendor", "")).lower()
    )


def _mebibytes(text: str) -> int:
    """Bytes of a figure in MiB; 0 where the key does not exist (older systems)."""
    return int(text) << 20 if text.isdecimal() else 0


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
