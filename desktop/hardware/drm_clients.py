"""Memory of graphics cards that processes hold, from the kernel's DRM clients (/proc/PID/fdinfo, Linux 5.19 and later).

Keys and units: "DRM client usage stats" in the kernel's documentation. xe says drm-total-vram0, i915 drm-total-local0,
amdgpu drm-memory-vram and later drm-total-vram; each counts a buffer once per client, shared ones in every client.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from desktop.hardware.kernel_files import text

PROC_ROOT = Path("/proc")

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_OWN_MEMORY = re.compile(r"drm-(resident|total|memory)-(?:vram|local)\d*:\s*(\d{1,15})\s*(\w*)$")
_ORDER = ("resident", "total", "memory")
"""Which figure counts where a driver tells several: what is there now, before what was asked for."""


class _Client(NamedTuple):
    """One client of one card; the same client may be open under several numbers."""

    pci_address: str
    number: str
    used: int


def vram_of(pids: Collection[int], root: Path = PROC_ROOT) -> dict[str, int]:
    """Return bytes of the card's own memory by PCI address, for every card that one of `pids` has open.

    A process that has ended, or whose files we may not see, holds nothing we know of.
    """
    clients: dict[tuple[str, str], int] = {}
    for pid in pids:
        for client in _clients(root / str(pid)):
            clients[client.pci_address, client.number] = client.used
    cards: dict[str, int] = {}
    for (address, _), used in clients.items():
        cards[address] = cards.get(address, 0) + used
    return cards


def _clients(process: Path) -> Iterator[_Client]:
    try:
        files = list((process / "fd").iterdir())
    except OSError:
        return
    for file in files:
        try:
            is_card = file.readlink().is_relative_to("/dev/dri")
        except OSError:
            continue
        if is_card and (client := parse_client(text(process / "fdinfo" / file.name))) is not None:
            yield client


def parse_client(fdinfo: str) -> _Client | None:
    """Read one client; None for a file that belongs to no PCI card."""
    fields: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for line in fdinfo.splitlines():
        key, _, value = line.partition(":")
        fields[key] = value.strip()
        if hit := _OWN_MEMORY.match(line):
            sizes[hit[1]] = sizes.get(hit[1], 0) + int(hit[2]) * _UNITS.get(hit[3], 1)
    address, number = fields.get("drm-pdev"), fields.get("drm-client-id")
    if not address or not number:
        return None
    used = next((sizes[kind] for kind in _ORDER if kind in sizes), 0)
    return _Client(address.lower(), number, used)
