"""Every NVIDIA card as NVML describes it; a card that fails or lies costs itself, and it is said."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware import nvidia_details as details
from desktop.hardware.believable import whole, words
from desktop.hardware.nvidia import (
    GPU_IS_LOST,
    NO_PERMISSION,
    NO_SUCH_CARD,
    RESET_REQUIRED,
    SOURCE,
    VERSION_MISMATCH,
    NvmlError,
    ask,
    demand,
    nvml,
    older_calls,
)
from desktop.hardware.nvidia_memory import Memory, cross_checked, first_part, parts, processes, read_memory
from desktop.hardware.sources import Found, failed_source, impossible_memory
from desktop.hardware.types import Gpu, LostCard, Mig, SourceProblem

MOST_CARDS = 64
"""NVML_MAX_PHYSICAL_DEVICES was 64 when it was told; more is noise."""

_NO_PERMISSION = QT_TRANSLATE_NOOP(
    "core",
    "This user may not use NVIDIA's driver ({reason}). On Linux: join the group that owns /dev/nvidia0.",
)
_MISMATCH = QT_TRANSLATE_NOOP(
    "core", "NVIDIA's driver was updated and the old one still runs ({reason}). Restart the computer."
)
_LOST = QT_TRANSLATE_NOOP(
    "core",
    "{name} is lost to its driver ({reason}). Restart the computer; it happens after sleep and when a card is too hot.",
)
_RESET = QT_TRANSLATE_NOOP("core", "{name} must be reset before it can be used ({reason}). Restart the computer.")
_FORBIDDEN = QT_TRANSLATE_NOOP("core", "This user may not see the memory of {name} ({reason}).")
_FAILED = QT_TRANSLATE_NOOP("core", "{name} cannot be used: its driver answers with an error ({reason}).")
_REASONS = {GPU_IS_LOST: "lost", RESET_REQUIRED: "reset_required", NO_PERMISSION: "no_permission"}
_WORDS = {
    "lost": _LOST,
    "reset_required": _RESET,
    "no_permission": _FORBIDDEN,
    "failed": _FAILED,
}


class _Card(NamedTuple):
    """A card that answered, with the handle by which its details are asked."""

    handle: Any
    gpu: Gpu


class _NoBelievableMemory(Exception):
    """The driver tells no size that can be true."""


def read_nvidia() -> Iterator[Found]:
    """Yield every NVIDIA card NVML knows, first with name and memory, then again with more and more of its details.

    So a call that hangs costs what comes after it. Raises NvmlError or OSError when the driver is there and broken.
    """
    try:
        with nvml() as present:
            if present:
                yield from _read_cards()
    except NvmlError as error:
        what = {NO_PERMISSION: _NO_PERMISSION, VERSION_MISMATCH: _MISMATCH}.get(error.value)
        if what is None:
            raise
        problem = SourceProblem(source=SOURCE, what=Phrase.of(what, reason=str(error)))
        yield Found(problems=(problem,))


def _read_cards() -> Iterator[Found]:
    reader = _Reader()
    count = reader.count()
    for index in range(count):
        reader.read_card(index)
        yield reader.found()
    reader.compare_count(count)
    for more in _DETAILS:
        for number in range(len(reader.cards)):
            reader.add(number, more)
            yield reader.found()
    reader.drop_lost()
    reader.tell_older_calls()
    yield reader.found()


class _Reader:
    """What was read so far, and what was wrong with it."""

    def __init__(self) -> None:
        self.cards: list[_Card] = []
        self._lost: list[LostCard] = []
        self._problems: list[SourceProblem] = []
        self._gone: set[int] = set()
        self._counts_soundly = True
        self._driver = words(ask("nvmlSystemGetDriverVersion"))
        self._cuda = _cuda_version()

    def found(self) -> Found:
        gpus = tuple(card.gpu for number, card in enumerate(self.cards) if number not in self._gone)
        return Found(gpus=gpus, problems=tuple(self._problems), lost=tuple(self._lost))

    def count(self) -> int:
        told = int(demand("nvmlDeviceGetCount"))
        self._counts_soundly = whole(told, 0, MOST_CARDS) is not None
        if not self._counts_soundly:
            what = QT_TRANSLATE_NOOP("core", "NVIDIA's driver speaks of {told} cards. The first {most} are looked at.")
            self._say(what, told=told, most=MOST_CARDS)
        return max(min(told, MOST_CARDS), 0)

    def compare_count(self, before: int) -> None:
        now = demand("nvmlDeviceGetCount")
        if now != before and before < MOST_CARDS:
            what = QT_TRANSLATE_NOOP(
                "core", "NVIDIA's driver spoke of {before} cards, and a moment later of {now}. Look again."
            )
            self._say(what, before=before, now=now)

    def read_card(self, index: int) -> None:
        """Name and memory of one card, or why there is none."""
        handle, name, address = None, "NVIDIA GPU", None
        try:
            handle = demand("nvmlDeviceGetHandleByIndex", index)
            name, address = _name(handle), details.pci_address(handle)
            gpu = self._basics(handle, index, name, address)
        except NvmlError as error:
            if error.value == NO_SUCH_CARD and handle is None and not self._counts_soundly:
                return  # the number of cards is noise, which has been said
            self._lose(name, address, index, _REASONS.get(error.value, "failed"), str(error))
        except _NoBelievableMemory as error:
            self._lose(name, address, index, "no_memory", str(error))
        else:
            if not self._is_double(gpu):
                self.cards.append(_Card(handle, gpu))

    def _basics(self, handle: Any, index: int, name: str, address: str | None) -> Gpu:
        divided = details.divided(handle)
        memory = self._memory(handle, name, divided)
        return Gpu(
            name=name,
            vendor="nvidia",
            vram_total=memory.total,
            vram_free=memory.free,
            uses_ram=memory.is_ram,
            pci_address=address,
            driver=self._driver,
            cuda_version=self._cuda,
            index=index,
            uuid=words(ask("nvmlDeviceGetUUID", handle)),
            mig=divided,
        )

    def _memory(self, handle: Any, name: str, divided: Mig | None) -> Memory:
        """Of the whole card; where it is divided, of the one part that a program is given."""
        if divided is not None and divided.enabled:
            first = first_part(handle)
            memory = read_memory(first) if first is not None else Memory(divided.card_total, 0)
            self._tell_divided(name, divided, hidden=sum(1 for _ in parts(handle)) - len(divided.parts))
        else:
            memory = cross_checked(handle, read_memory(handle))
        if not memory.total:
            raise _NoBelievableMemory(memory.lie)
        if memory.lie:
            self._problems.append(impossible_memory(SOURCE, name, memory.lie, memory.free, memory.total))
        return memory

    def _tell_divided(self, name: str, divided: Mig, *, hidden: int) -> None:
        if divided.parts:
            what = QT_TRANSLATE_NOOP("core", "{name} is divided (MIG), and a program gets one part of {count}.")
            self._say(what, name=name, count=len(divided.parts))
        else:
            what = QT_TRANSLATE_NOOP(
                "core", "{name} is to be divided (MIG is on) and has no parts, so no program can use it."
            )
            self._say(what, name=name)
        if hidden > 0:
            what = QT_TRANSLATE_NOOP(
                "core", "{name} has more parts (MIG): {count} that this user may not see. They are left out."
            )
            self._say(what, name=name, count=hidden)

    def _is_double(self, gpu: Gpu) -> bool:
        """Whether the card has been counted. Two cards with one UUID in two slots are two cards, and it is said."""
        for card in self.cards:
            same_slot = gpu.pci_address is not None and gpu.pci_address == card.gpu.pci_address
            same_uuid = gpu.uuid is not None and gpu.uuid == card.gpu.uuid
            unplaced = gpu.pci_address is None or card.gpu.pci_address is None
            if same_slot or (same_uuid and unplaced):
                what = QT_TRANSLATE_NOOP("core", "NVIDIA's driver lists {name} twice. It is counted once.")
                self._say(what, name=gpu.name)
                return True
            if same_uuid:
                what = QT_TRANSLATE_NOOP("core", "NVIDIA's driver gives two cards the same identity ({uuid}).")
                self._say(what, uuid=gpu.uuid or "")
        return False

    def add(self, number: int, more: "_Detail") -> None:
        """Add one group of details; a group that fails is told, and the card stands unless it is lost."""
        handle, gpu = self.cards[number]
        if number in self._gone:
            return
        others = [(card.handle, card.gpu.pci_address) for card in self.cards if card.handle is not handle]
        try:
            fields = more(handle, gpu, [(other, address) for other, address in others if address])
        except NvmlError as error:
            if error.value in {GPU_IS_LOST, RESET_REQUIRED}:
                self._gone.add(number)
                self._lose(gpu.name, gpu.pci_address, gpu.index, _REASONS[error.value], str(error))
            else:
                self._problems.append(failed_source(f"{SOURCE} card {gpu.index}", error))
            return
        self.cards[number] = _Card(handle, msgspec.structs.replace(gpu, **fields))

    def drop_lost(self) -> None:
        """Ways to cards that were lost meanwhile lead nowhere."""
        here = {card.gpu.pci_address for number, card in enumerate(self.cards) if number not in self._gone}
        for number, (handle, gpu) in enumerate(self.cards):
            paths = tuple(path for path in gpu.paths if path.peer in here)
            self.cards[number] = _Card(handle, msgspec.structs.replace(gpu, paths=paths))

    def tell_older_calls(self) -> None:
        older = [name for name in older_calls() if "Throttle" not in name]  # only renamed, in driver 535
        if older:
            what = QT_TRANSLATE_NOOP(
                "core", "NVIDIA's driver {version} is old: it was asked with the calls of its time ({calls})."
            )
            self._say(what, version=self._driver or "", calls=", ".join(older))

    def _lose(self, name: str, address: str | None, index: int | None, reason: Any, detail: str) -> None:
        self._lost.append(
            LostCard(vendor="nvidia", name=name, reason=reason, detail=detail, pci_address=address, index=index)
        )
        if reason == "no_memory":
            self._problems.append(impossible_memory(SOURCE, name, detail, 0, 0))
        else:
            self._say(_WORDS[reason], name=name, reason=detail)

    def _say(self, what: str, **arguments: str | int) -> None:
        self._problems.append(SourceProblem(source=SOURCE, what=Phrase.of(what, **arguments)))


def _name(handle: Any) -> str:
    return words(ask("nvmlDeviceGetName", handle)) or "NVIDIA GPU"


def _cuda_version() -> str | None:
    version = whole(ask("nvmlSystemGetCudaDriverVersion_v2"), 1000, 99_999)
    return f"{version // 1000}.{version % 1000 // 10}" if version else None


_Detail = Callable[[Any, Gpu, list[tuple[Any, str]]], dict[str, Any]]


def _speed(handle: Any, gpu: Gpu, _others: object) -> dict[str, Any]:
    clock, width = details.memory_clock(handle), details.bus_width(handle)
    return {
        "memory_clock_max": clock,
        "bus_width": width,
        "bandwidth": _of_the_part(details.bandwidth(clock, width), gpu),
        "compute_capability": details.compute_capability(handle),
        "cores": details.cores(handle),
    }


def _of_the_part(whole_card: int | None, gpu: Gpu) -> int | None:
    """A part of a divided card has as much of the bandwidth as of the memory (NVIDIA's MIG user guide)."""
    if whole_card is None or gpu.mig is None or not gpu.mig.enabled or not gpu.mig.card_total:
        return whole_card
    return whole_card * min(gpu.vram_total, gpu.mig.card_total) // gpu.mig.card_total


def _bus(handle: Any, gpu: Gpu, _others: object) -> dict[str, Any]:
    window = details.bar1_total(handle)
    whole_card = gpu.mig.card_total if gpu.mig else gpu.vram_total
    return {
        "pcie": details.pcie(handle),
        "bar1_total": window,
        "resizable_bar": None if gpu.uses_ram else details.resizable_bar(window, whole_card),
    }


def _health(handle: Any, _gpu: Gpu, _others: object) -> dict[str, Any]:
    return {
        "temperature": details.temperature(handle),
        "power_limit": details.power(ask("nvmlDeviceGetEnforcedPowerLimit", handle)),
        "throttle": details.throttle(handle),
        "recovery": details.recovery(handle),
    }


def _errors(handle: Any, _gpu: Gpu, _others: object) -> dict[str, Any]:
    return {"ecc": details.ecc(handle)}


def _users(handle: Any, gpu: Gpu, _others: object) -> dict[str, Any]:
    return {"processes": processes(handle, gpu.mig.card_total if gpu.mig else gpu.vram_total)}


def _links(handle: Any, _gpu: Gpu, others: list[tuple[Any, str]]) -> dict[str, Any]:
    return {"nvlink": details.nvlink(handle), "paths": details.paths(handle, others)}


_DETAILS: tuple[_Detail, ...] = (_speed, _bus, _users, _health, _errors, _links)
"""In the order of their use to a plan: what comes first is there even when a later call hangs."""
