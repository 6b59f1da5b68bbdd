"""What else NVML tells of a card: its links, its health, its parts; None where it is not told or cannot be."""

from collections.abc import Iterable
from typing import Any, TypeVar

from desktop.hardware.believable import bytes_within, whole, within, words
from desktop.hardware.nvidia import CLOCK_MEMORY, RECOVERY_ACTION, TEMPERATURE_GPU, NvmlError, ask, ask_length
from desktop.hardware.nvidia_memory import Memory, is_divided, read_memory, seen_parts
from desktop.hardware.types import (
    EccErrors,
    GpuPath,
    Mig,
    MigPart,
    NvLink,
    P2pStatus,
    PcieLink,
    Recovery,
    Throttle,
    Topology,
)

_MOST_LINKS = 18  # NVML_NVLINK_MAX_LINKS
_MOST_ERRORS = 1 << 40
_MOST_PAGES = 1 << 16
"""A card's list holds 64 pages (NVIDIA, Dynamic Page Retirement); a number far above that is noise."""

_READ, _WRITE, _NVLINK = 0, 1, 2  # nvmlGpuP2PCapsIndex_t
_CORRECTED, _UNCORRECTED = 0, 1  # nvmlMemoryErrorType_t
_SINCE_START, _IN_ITS_LIFE = 0, 1  # nvmlEccCounterType_t
_VALID_VALUE, _UNSIGNED = 0, 1

_THROTTLES: dict[int, Throttle] = {
    0x04: "power_cap",
    0x08: "hardware_slowdown",
    0x10: "sync_boost",
    0x20: "thermal_driver",
    0x40: "thermal_hardware",
    0x80: "power_brake",
}
"""nvmlClocksEventReason*; idle (1), clocks set by hand (2) and the display's clocks (0x100) cost nobody speed."""

_P2P: tuple[P2pStatus, ...] = ("ok", "chipset", "gpu", "topology", "disabled", "not_supported", "unknown")
_TOPOLOGY: dict[int, Topology] = {
    0: "same_board",
    10: "one_switch",
    20: "switches",
    30: "host_bridge",
    40: "numa_node",
    50: "system",
}
_RECOVERY: dict[int, Recovery] = {
    1: "reset", 2: "reboot", 3: "drain", 4: "drain_and_reset", 6: "reset", 7: "reboot",
}  # fmt: skip

Key = TypeVar("Key")


def memory_clock(handle: Any) -> int | None:
    """The highest memory clock in MHz."""
    return whole(ask("nvmlDeviceGetMaxClockInfo", handle, CLOCK_MEMORY), 100, 100_000)


def bus_width(handle: Any) -> int | None:
    """Width of the memory bus in bits."""
    return whole(ask("nvmlDeviceGetMemoryBusWidth", handle), 16, 32_768)


def bandwidth(clock: int | None, width: int | None) -> int | None:
    """Bytes per second: 2 (double data rate) * memory clock in MHz * bus width in bits / 8; RTX 4090: 1008 GB/s."""
    return 2 * clock * 1_000_000 * width // 8 if clock and width else None


def compute_capability(handle: Any) -> str | None:
    """Such as "8.9"."""
    told = ask("nvmlDeviceGetCudaComputeCapability", handle)
    believable = told and whole(told[0], 1, 99) and whole(told[1], 0, 99) is not None
    return f"{told[0]}.{told[1]}" if believable else None


def cores(handle: Any) -> int | None:
    """CUDA cores."""
    return whole(ask("nvmlDeviceGetNumGpuCores", handle), 1, 1_000_000)


def pcie(handle: Any) -> PcieLink:
    """The link now, and the most that card and slot can do together."""
    return PcieLink(
        generation=whole(ask("nvmlDeviceGetCurrPcieLinkGeneration", handle), 1, 9),
        generation_max=whole(ask("nvmlDeviceGetMaxPcieLinkGeneration", handle), 1, 9),
        width=whole(ask("nvmlDeviceGetCurrPcieLinkWidth", handle), 1, 32),
        width_max=whole(ask("nvmlDeviceGetMaxPcieLinkWidth", handle), 1, 32),
    )


def bar1_total(handle: Any) -> int | None:
    """Bytes of the card's memory that the processor reaches through its window."""
    told = ask("nvmlDeviceGetBAR1MemoryInfo", handle)
    return bytes_within(told.bar1Total) if told else None


def resizable_bar(window: int | None, card_total: int) -> bool | None:
    """On when the processor's window reaches (nearly) the whole memory; without it the window is 256 MiB."""
    return window >= card_total * 0.95 if window and card_total else None


def temperature(handle: Any) -> float | None:
    """Degrees Celsius."""
    return within(ask("nvmlDeviceGetTemperature", handle, TEMPERATURE_GPU), 0, 150)


def power(milliwatts: int | None) -> float | None:
    """Watts of what NVML tells in milliwatts."""
    return None if milliwatts is None else within(milliwatts / 1000, 0, 5000)


def throttle(handle: Any) -> tuple[Throttle, ...] | None:
    """Why the card runs below its clocks at this moment."""
    reasons = ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
    return None if reasons is None else tuple(name for bit, name in _THROTTLES.items() if reasons & bit)


def recovery(handle: Any) -> Recovery | None:
    """What the driver asks for before the card can be relied on again; drivers before 550 never ask."""
    told = ask("nvmlDeviceGetFieldValues", handle, [RECOVERY_ACTION])
    if not told or told[0].nvmlReturn != _VALID_VALUE or told[0].valueType != _UNSIGNED:
        return None
    return _RECOVERY.get(told[0].value.uiVal)


def ecc(handle: Any) -> EccErrors | None:
    """Memory errors; None for a card without ECC, or where it is switched off."""
    mode = ask("nvmlDeviceGetEccMode", handle)
    if not mode or mode[0] != 1:
        return None
    rows = ask("nvmlDeviceGetRemappedRows", handle) or (0, 0, 0, 0)
    return EccErrors(
        corrected=_errors(handle, _CORRECTED, _SINCE_START),
        uncorrected=_errors(handle, _UNCORRECTED, _SINCE_START),
        uncorrected_in_its_life=_errors(handle, _UNCORRECTED, _IN_ITS_LIFE),
        retired_pages=sum(_retired_pages(handle, cause) for cause in (0, 1)),
        remapped_rows=whole(rows[0] + rows[1], 0, _MOST_ERRORS) or 0,
        pending=bool(rows[2]) or ask("nvmlDeviceGetRetiredPagesPendingStatus", handle) == 1,
        remap_failed=bool(rows[3]),
    )


def _errors(handle: Any, kind: int, counter: int) -> int:
    return whole(ask("nvmlDeviceGetTotalEccErrors", handle, kind, counter), 0, _MOST_ERRORS) or 0


def _retired_pages(handle: Any, cause: int) -> int:
    return whole(ask_length("nvmlDeviceGetRetiredPages", handle, cause), 0, _MOST_PAGES) or 0


def divided(handle: Any) -> Mig | None:
    """The parts of a card that can be divided, as far as this user may see them; None for one that cannot."""
    is_on = is_divided(handle)
    if is_on is None:
        return None
    try:
        card_total = read_memory(handle).total
    except NvmlError:  # with the mode on, only an administrator sees the whole card
        card_total = 0
    return Mig(
        enabled=is_on, card_total=card_total, parts=tuple(_part(*part) for part in seen_parts(handle)) if is_on else ()
    )


def _part(handle: Any, memory: Memory) -> MigPart:
    return MigPart(
        name=words(ask("nvmlDeviceGetName", handle)) or "MIG",
        vram_total=memory.total,
        vram_free=memory.free,
        uuid=words(ask("nvmlDeviceGetUUID", handle)),
    )


def pci_address(handle: Any) -> str | None:
    """Where the card is, such as "0000:c1:00.0"."""
    return _written(ask("nvmlDeviceGetPciInfo_v3", handle))


def _written(info: Any) -> str | None:
    """NVML writes an 8-digit upper-case domain; sysfs and ggml four digits, lower case. A GPU is always function 0."""
    if info is None or info.bus > 0xFF or info.device > 0x1F:
        return None
    return f"{info.domain & 0xFFFF:04x}:{info.bus:02x}:{info.device:02x}.0"


def nvlink(handle: Any) -> NvLink | None:
    """The card's NVLink connections; None for a card that has none."""
    states = [ask("nvmlDeviceGetNvLinkState", handle, link) for link in range(_MOST_LINKS)]
    up = [link for link, state in enumerate(states) if state == 1]
    told = sum(state is not None for state in states)
    peers = (_written(ask("nvmlDeviceGetNvLinkRemotePciInfo", handle, link)) for link in up)
    return NvLink(links=told, active=len(up), peers=tuple(peer for peer in peers if peer)) if told else None


def paths(handle: Any, others: Iterable[tuple[Any, str]]) -> tuple[GpuPath, ...]:
    """The way to each of the `others`, given with their PCI addresses."""
    return tuple(
        GpuPath(
            peer=address,
            read=_p2p(handle, other, _READ),
            write=_p2p(handle, other, _WRITE),
            nvlink=_p2p(handle, other, _NVLINK),
            topology=_named(_TOPOLOGY, ask("nvmlDeviceGetTopologyCommonAncestor", handle, other)),
        )
        for other, address in others
    )


def _p2p(handle: Any, other: Any, way: int) -> P2pStatus | None:
    status = ask("nvmlDeviceGetP2PStatus", handle, other, way)
    return _P2P[status] if status is not None and 0 <= status < len(_P2P) else None


def _named(names: dict[Key, Topology], key: Key | None) -> Topology | None:
    return None if key is None else names.get(key)
