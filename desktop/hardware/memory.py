"""Main memory and swap, through psutil. Safe to call in any process."""

import psutil

from desktop.hardware.cgroup import Cgroup
from desktop.hardware.types import Ram


def read_ram(cgroup: Cgroup | None = None) -> Ram:
    """Return what this program may use: the machine's memory, or a container's limit where that is lower."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    group = cgroup or Cgroup()
    limit = group.memory_limit()
    if limit is None or limit >= memory.total:
        return Ram(total=memory.total, available=memory.available, swap_total=swap.total, swap_used=swap.used)
    left = max(limit - (group.memory_used() or 0), 0)
    return Ram(
        total=limit,
        available=min(left, memory.available),
        swap_total=swap.total,
        swap_used=swap.used,
        machine_total=memory.total,
    )
