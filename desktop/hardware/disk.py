"""The disk that holds the models: its size, and on Linux what it is made of.

May hang on a network disk that is gone: give it a time-out.
"""

import os
import sys
from pathlib import Path

import psutil

from desktop.hardware.believable import escaped
from desktop.hardware.kernel_files import text
from desktop.hardware.types import Disk, DiskKind

BLOCK_ROOT = Path("/sys/dev/block")

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "sshfs", "fuse.sshfs", "afs", "ceph"})
_ROTATES: dict[str, DiskKind] = {"0": "ssd", "1": "hdd"}
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def read_disk(models_folder: Path) -> Disk:
    """Return the size and the free bytes of the disk that holds (or will hold) `models_folder`.

    Raises OSError where the disk does not answer.
    """
    folder = models_folder.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    usage = psutil.disk_usage(str(existing))
    device, file_system = _mounted(existing)
    kind = disk_kind(existing, device, file_system) if sys.platform == "linux" else None
    return Disk(
        path=escaped(str(folder)),
        total=usage.total,
        free=usage.free,
        kind=kind,
        file_system=file_system,
        device=escaped(device) if device else None,
    )


def _mounted(folder: Path) -> tuple[str | None, str | None]:
    """Device and file system of the innermost mount that holds `folder`."""
    real = folder.resolve()
    holding = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
    if not holding:
        return None, None
    innermost = max(holding, key=lambda part: len(part.mountpoint))
    return innermost.device or None, innermost.fstype or None


def disk_kind(folder: Path, device: str | None, file_system: str | None, root: Path = BLOCK_ROOT) -> DiskKind | None:
    """What the disk under `folder` is made of, from sysfs (Linux); None where the kernel does not tell.

    Encrypted disks and volumes over several disks count as what their first disk is.
    """
    if file_system in _NETWORK:
        return "network"
    if file_system in _IN_MEMORY:
        return "memory"
    block = _block_device(folder, device, root)
    return None if block is None else _made_of(block)


def _block_device(folder: Path, device: str | None, root: Path) -> Path | None:
    """The kernel's folder of the device: by the file's own number, else by the mount's (btrfs numbers its own)."""
    for place in (folder, Path(device or "")):
        try:
            status = place.stat()
        except OSError:
            continue
        number = status.st_rdev or status.st_dev
        block = root / f"{os.major(number)}:{os.minor(number)}"
        if block.exists():
            return block.resolve()
    return None


def _made_of(block: Path) -> DiskKind | None:
    while below := sorted(block.glob("slaves/*")):
        block = below[0].resolve()
    disk = block if (block / "queue").is_dir() else block.parent
    if disk.name.startswith(("vd", "xvd")):
        return "virtual"  # what lies below it is the host's secret, whatever the guest is told
    if disk.name.startswith("nvme"):
        return "nvme"
    return _ROTATES.get(text(disk / "queue" / "rotational"))
