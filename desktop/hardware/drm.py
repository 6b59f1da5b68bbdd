"""Graphics cards as Linux's sysfs shows them (/sys/class/drm/cardN/device), for every vendor."""

import functools
from collections.abc import Iterator
from pathlib import Path

from desktop.hardware.believable import whole, within
from desktop.hardware.kernel_files import number, text
from desktop.hardware.types import BusCard, PcieLink, Vendor

DRM_ROOT = Path("/sys/class/drm")
PCI_ROOT = Path("/sys/bus/pci/devices")
PCI_NAMES = (Path("/usr/share/hwdata/pci.ids"), Path("/usr/share/misc/pci.ids"))

_VENDORS: dict[str, Vendor] = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}
_SPEEDS = {"2.5": 1, "5.0": 2, "8.0": 3, "16.0": 4, "32.0": 5, "64.0": 6}
"""GT/s -> PCIe generation (PCI Express Base Specification)."""


def cards(vendor: Vendor, root: Path = DRM_ROOT) -> Iterator[Path]:
    """Yield the PCI device folder of every card of `vendor`, in the kernel's order, each once.

    A card that is divided in partitions has several numbers.
    """
    seen: set[str] = set()
    for card in sorted(root.glob("card[0-9]*")):
        device = card / "device"
        if not card.name[4:].isdecimal() or _VENDORS.get(text(device / "vendor")) != vendor:
            continue
        place = pci_address(device) or card.name
        if place not in seen:
            seen.add(place)
            yield device


def silent_cards(vendor: Vendor, root: Path = PCI_ROOT, names: tuple[Path, ...] = PCI_NAMES) -> tuple[BusCard, ...]:
    """Display controllers of `vendor` on the bus, whether or not a driver answers for them."""
    return tuple(
        BusCard(vendor=vendor, name=pci_name(device, names) or vendor.upper(), pci_address=device.name)
        for device in sorted(root.glob("*"))
        if text(device / "class").startswith("0x03") and _VENDORS.get(text(device / "vendor")) == vendor
    )


def pci_address(device: Path) -> str | None:
    """Return "0000:c1:00.0" from the folder's uevent; None for a device that is not on the PCI bus."""
    for line in text(device / "uevent").splitlines():
        key, _, value = line.partition("=")
        if key == "PCI_SLOT_NAME":
            return value.lower()
    return None


def pcie_link(device: Path) -> PcieLink:
    """The link of the device itself; behind a switch on the card the slot may be narrower."""
    return PcieLink(
        generation=_SPEEDS.get(text(device / "current_link_speed").partition(" ")[0]),
        generation_max=_SPEEDS.get(text(device / "max_link_speed").partition(" ")[0]),
        width=whole(number(device / "current_link_width"), 1, 32),
        width_max=whole(number(device / "max_link_width"), 1, 32),
    )


def pci_name(device: Path, databases: tuple[Path, ...] = PCI_NAMES) -> str | None:
    """Return the product's name from the pci.ids database; None where there is no database or no entry."""
    vendor, product = (text(device / name).removeprefix("0x") for name in ("vendor", "device"))
    return _product_name(vendor, product, databases)


@functools.cache  # the database is over a megabyte, and the sampler asks every second
def _product_name(vendor: str, product: str, databases: tuple[Path, ...]) -> str | None:
    for database in databases:
        inside = False
        for line in text(database).splitlines():
            if not line.startswith(("\t", "#")):
                inside = line.startswith(f"{vendor} ")
            elif inside and line.startswith(f"\t{product} "):
                return line.strip().partition(" ")[2].strip()
    return None


def sensor(device: Path, name: str, scale: int, most: float) -> float | None:
    """A hwmon figure (millidegrees, microwatts) divided by `scale`; None where there is none up to `most`."""
    for file in sorted(device.glob(f"hwmon/hwmon*/{name}")):
        value = number(file)
        return within(value / scale, 0, most) if value is not None else None
    return None
