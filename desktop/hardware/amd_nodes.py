"""Compute nodes of AMD cards as ROCm's kernel driver (KFD) shows them: memory clock, bus width, architecture.

Not seen on a real card. Files: "amdkfd topology" in the kernel's sources (kfd_topology.c).
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from desktop.hardware.believable import whole
from desktop.hardware.kernel_files import number, text

KFD_ROOT = Path("/sys/class/kfd/kfd/topology/nodes")

_OWN_MEMORY = {"1", "2"}  # HSA_MEM_HEAP_TYPE_FB_PUBLIC, FB_PRIVATE
_FIRST_GDDR6 = 100_000
_STACKED_MEMORY_BITS = 1024


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """memory_clock_max in MHz, bus_width in bits, bandwidth in bytes per second, architecture such as "gfx1100"."""

    memory_clock_max: int | None = None
    bus_width: int | None = None
    bandwidth: int | None = None
    architecture: str | None = None


def read_nodes(root: Path = KFD_ROOT) -> dict[str, Node]:
    """Return the nodes of cards by PCI address; none where KFD is not there."""
    nodes: dict[str, Node] = {}
    for folder in sorted(root.glob("[0-9]*")):
        facts = _facts(folder / "properties")
        if facts.get("simd_count", 0) and "location_id" in facts:
            nodes[_address(facts)] = _node(folder, facts)
    return nodes


def _node(folder: Path, facts: dict[str, int]) -> Node:
    version = facts.get("gfx_target_version", 0)
    for bank in sorted(folder.glob("mem_banks/*/properties")):
        memory = _facts(bank)
        if str(memory.get("heap_type")) not in _OWN_MEMORY:
            continue
        clock, width = whole(memory.get("mem_clk_max"), 100, 10_000), whole(memory.get("width"), 16, 32_768)
        return Node(
            memory_clock_max=clock,
            bus_width=width,
            bandwidth=bandwidth(clock, width, version),
            architecture=architecture(version),
        )
    return Node(architecture=architecture(version))


def bandwidth(clock: int | None, width: int | None, version: int) -> int | None:
    """Bytes per second: bits per pin and clock * clock in MHz * width / 8.

    A stacked memory (HBM, from 1024 bits) moves 2 bits per pin and clock, GDDR6 (gfx10 and later) 16, GDDR5 4: these
    give AMD's own 960 GB/s of an RX 7900 XTX, 512 of an RX 6800, 484 of a Vega 64 and 256 of an RX 580.
    """
    if not clock or not width:
        return None
    per_clock = 2 if width >= _STACKED_MEMORY_BITS else 16 if version >= _FIRST_GDDR6 else 4
    return per_clock * clock * 1_000_000 * width // 8


def architecture(version: int) -> str | None:
    """Name an architecture, "gfx1100" for 110000: two digits each of major, minor and (hexadecimal) stepping."""
    major, minor, stepping = version // 10_000, version // 100 % 100, version % 100
    return f"gfx{major}{minor:x}{stepping:x}" if 1 <= major <= 99 else None


def _address(facts: dict[str, int]) -> str:
    place = facts["location_id"]
    return f"{facts.get('domain', 0) & 0xFFFF:04x}:{place >> 8 & 0xFF:02x}:{place >> 3 & 0x1F:02x}.{place & 7}"


def _facts(file: Path) -> dict[str, int]:
    """The lines "name number" of a properties file."""
    pairs = (line.split() for line in text(file).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal() and len(pair[1]) < 19}


def vram_of_compute(pids: Collection[int], root: Path = KFD_ROOT) -> dict[str, int]:
    """Return bytes of card memory that ROCm counts for `pids`, by PCI address; none where KFD is not there."""
    used: dict[str, int] = {}
    processes = root.parent.parent / "proc"
    if not processes.is_dir():
        return used
    for folder in root.glob("[0-9]*"):
        facts, gpu = _facts(folder / "properties"), text(folder / "gpu_id")
        if "location_id" not in facts or gpu in {"", "0"}:
            continue
        sizes = (number(processes / str(pid) / f"vram_{gpu}") or 0 for pid in pids)
        used[_address(facts)] = sum(sizes)
    return used
