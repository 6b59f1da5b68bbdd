"""The processor: its name, what of it this program may use, and the instruction sets that matter to ggml.

Linux reads /proc/cpuinfo, macOS sysctl, Windows IsProcessorFeaturePresent and the registry. The macOS and Windows
branches were written from documentation and tested on recorded output only.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from desktop.hardware.cgroup import Cgroup
from desktop.hardware.types import Cpu

_LINUX_FEATURES = {
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512f",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx",
    "asimd": "neon",
    "asimddp": "dotprod",
    "sve": "sve",
    "i8mm": "i8mm",
}
"""Flag in /proc/cpuinfo -> our name."""

_MACOS_FEATURES = {
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.avx1_0": "avx",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.fma": "fma",
    "hw.optional.f16c": "f16c",
    "hw.optional.avx512f": "avx512f",
}

_WINDOWS_FEATURES = {39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "dotprod", 46: "sve"}
"""PF_* numbers of IsProcessorFeaturePresent (winnt.h)."""


def read_cpu(cgroup: Cgroup | None = None) -> Cpu:
    """Return the processor as this program may use it."""
    name, features = _identity()
    machine_threads = psutil.cpu_count(logical=True) or os.cpu_count() or 1
    machine_cores = psutil.cpu_count(logical=False) or machine_threads
    threads = usable_threads(machine_threads, cgroup or Cgroup())
    return Cpu(
        name=name,
        cores=min(machine_cores, threads),
        threads=threads,
        features=features,
        machine_threads=machine_threads if threads < machine_threads else None,
    )


def usable_threads(machine_threads: int, cgroup: Cgroup) -> int:
    """Logical processors left by the affinity mask and the quota; at least 1."""
    threads = len(os.sched_getaffinity(0)) if sys.platform == "linux" else machine_threads
    quota = cgroup.cpu_limit()
    if quota is not None:
        threads = min(threads, int(quota))
    return max(min(threads, machine_threads), 1)


def _identity() -> tuple[str, tuple[str, ...]]:
    system = platform.system()
    if system == "Linux":
        return parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    if system == "Darwin":
        return parse_sysctl(_sysctl())
    return _windows_identity()


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """Return name and features from the text of /proc/cpuinfo (x86 "flags", Arm "Features")."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    name = fields.get("model name") or fields.get("Model") or fields.get("Hardware") or platform.machine()
    return name, tuple(ours for theirs, ours in _LINUX_FEATURES.items() if theirs in flags)


def parse_sysctl(values: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return name and features from sysctl's values."""
    name = values.get("machdep.cpu.brand_string") or platform.machine()
    return name, tuple(ours for theirs, ours in _MACOS_FEATURES.items() if values.get(theirs) == "1")


def _sysctl() -> dict[str, str]:
    """One call for all keys; a key this machine does not have goes to stderr and is left out."""
    keys = ["machdep.cpu.brand_string", *_MACOS_FEATURES]
    answer = subprocess.run(["/usr/sbin/sysctl", *keys], capture_output=True, text=True, timeout=5, check=False)
    lines = (line.partition(": ") for line in answer.stdout.splitlines())
    return {key: value.strip() for key, _, value in lines}


if sys.platform == "win32":

    def _windows_identity() -> tuple[str, tuple[str, ...]]:
        import ctypes
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
            name = str(winreg.QueryValueEx(key, "ProcessorNameString")[0]).strip()
        present = ctypes.WinDLL("kernel32").IsProcessorFeaturePresent
        return name, tuple(feature for number, feature in _WINDOWS_FEATURES.items() if present(number))

else:

    def _windows_identity() -> tuple[str, tuple[str, ...]]:
        """On a system that is none of the three: only what Python knows."""
        return platform.processor() or platform.machine(), ()
