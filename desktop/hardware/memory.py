"""Main memory, swap and the disk with the models, through psutil. Safe to call in any process."""

from pathlib import Path

import psutil

from desktop.hardware.cgroup import Cgroup
from desktop.hardware.types import Disk, Ram


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


def read_disk(models_folder: Path) -> Disk:
    """Return the size and the free bytes of the disk that holds (or will hold) `models_folder`.

    Raises OSError where the disk does not answer. May hang on a network disk that is gone: give it a time-out.
    """
    folder = models_folder.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    usage = psutil.disk_usage(str(existing))
    return Disk(path=str(folder), total=usage.total, free=usage.free)
