"""Main memory and swap, through psutil. Safe to call in any process."""

from typing import NamedTuple

import psutil

from desktop.hardware.cgroup import Cgroup
from desktop.hardware.types import Ram


class Usable(NamedTuple):
    """Bytes of main memory that this program may use; `machine_total` where the machine has more."""

    total: int
    available: int
    machine_total: int | None = None


def usable_memory(cgroup: Cgroup) -> Usable:
    """Return the machine's memory, or a container's limit where that is lower."""
    memory = psutil.virtual_memory()
    limit = cgroup.memory_limit()
    if limit is None or limit >= memory.total:
        return Usable(memory.total, memory.available)
    left = cgroup.memory_left()
    return Usable(limit, memory.available if left is None else min(left, memory.available), memory.total)


def read_ram(cgroup: Cgroup | None = None) -> Ram:
    """Return what this program may use of main memory, and the machine's swap."""
    memory, swap = usable_memory(cgroup or Cgroup()), psutil.swap_memory()
    return Ram(
        total=memory.total,
        available=memory.available,
        swap_total=swap.total,
        swap_used=swap.used,
        machine_total=memory.machine_total,
    )
