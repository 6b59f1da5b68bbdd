"""Writes the trees that Linux shows of AMD's and Intel's cards: sysfs, KFD and /proc."""

from collections.abc import Mapping
from pathlib import Path

Facts = Mapping[str, str | int]


def add_card(root: Path, name: str, address: str, **files: str | int) -> Path:
    """A card under DRM's folder `root`; returns its device folder."""
    device = root / name / "device"
    device.mkdir(parents=True)
    (device / "uevent").write_text(f"DRIVER=amdgpu\nPCI_SLOT_NAME={address}\n")
    for file, content in files.items():
        (device / file).write_text(f"{content}\n")
    return device


def add_sensors(device: Path, **files: int) -> None:
    """The card's hwmon folder."""
    sensors = device / "hwmon" / "hwmon3"
    sensors.mkdir(parents=True)
    for file, value in files.items():
        (sensors / file).write_text(f"{value}\n")


def add_node(root: Path, number: int, facts: Facts, memory: Facts, gpu_id: int = 0) -> None:
    """A compute node of KFD under `root`."""
    bank = root / str(number) / "mem_banks" / "0"
    bank.mkdir(parents=True)
    (bank.parent.parent / "gpu_id").write_text(f"{gpu_id}\n")
    for file, pairs in ((bank.parent.parent / "properties", facts), (bank / "properties", memory)):
        file.write_text("".join(f"{key} {value}\n" for key, value in pairs.items()))


def add_client(proc: Path, pid: int, number: int, target: str, fdinfo: str) -> None:
    """An open file of process `pid` that leads to `target`, with what the kernel tells of it."""
    for folder in ("fd", "fdinfo"):
        (proc / str(pid) / folder).mkdir(parents=True, exist_ok=True)
    (proc / str(pid) / "fd" / str(number)).symlink_to(target)
    (proc / str(pid) / "fdinfo" / str(number)).write_text(fdinfo)
