"""How many threads decode fastest: one per physical core that this process may use."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def physical_cores() -> int:
    """Physical cores this process may run on; at least 1.

    Two threads of one core share its vector units, so more threads than cores slow decode down.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if sys.platform == "linux" and _CPUINFO.exists():
        return max(1, min(usable, count_cores(_CPUINFO.read_text("utf-8", "replace").splitlines()) or usable))
    if sys.platform == "win32":
        return max(1, usable // 2)  # most x86 machines run two threads per core; the setting overrides it
    return usable


def count_cores(lines: Iterable[str]) -> int:
    """Count distinct (package, core) pairs of /proc/cpuinfo; 0 where it does not tell (ARM)."""
    cores: set[tuple[str, str]] = set()
    package = "0"
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            package = value.strip()
        elif key.strip() == "core id":
            cores.add((package, value.strip()))
    return len(cores)
