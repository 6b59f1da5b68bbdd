"""NVIDIA cards at one moment, for the gauge. Asked once a second, so it asks for as little as it can."""

from collections.abc import Collection
from typing import Any, NamedTuple

from desktop.hardware.believable import within, words
from desktop.hardware.nvidia import NO_SUCH_CARD, SOURCE, NvmlError, ask, demand
from desktop.hardware.nvidia_cards import MOST_CARDS
from desktop.hardware.nvidia_details import pci_address, power, temperature
from desktop.hardware.nvidia_memory import cross_checked, first_part, is_divided, processes, read_memory
from desktop.hardware.sources import failed_source
from desktop.hardware.types import GpuSample, SourceProblem

_UNKNOWN = -1


class _Known(NamedTuple):
    """What of a card does not change: its handle, that of the part whose memory counts, its size, name and place."""

    handle: Any
    memory: Any
    most: int
    name: str
    pci_address: str | None


class NvidiaSampler:
    """Samples of every card. Use inside `nvml()`: handles are kept from one sample to the next."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._failed: list[SourceProblem] = []
        self._count = _UNKNOWN

    def sample(self, own_pids: Collection[int]) -> tuple[list[GpuSample], list[SourceProblem]]:
        """Return one sample per card; a card that is lost is a problem, and the others stand."""
        samples: list[GpuSample] = []
        self._look_again_if_the_count_changed()
        problems = list(self._failed)
        for card in self._known:
            try:
                sample = _sample(card, own_pids)
            except NvmlError as error:
                problems.append(failed_source(card.name, error))
                self._count = _UNKNOWN  # it may come back with another handle
                continue
            if sample.vram_total:  # the probe has said what is wrong with the others
                samples.append(sample)
        return samples, problems

    def _look_again_if_the_count_changed(self) -> None:
        told = demand("nvmlDeviceGetCount")
        count = min(told, MOST_CARDS)
        if count == self._count:
            return
        known: dict[object, _Known] = {}
        failed: list[SourceProblem] = []
        for index in range(count):
            try:
                card = _know(demand("nvmlDeviceGetHandleByIndex", index))
            except NvmlError as error:
                if told > MOST_CARDS and error.value == NO_SUCH_CARD:
                    continue  # the number is noise, as the probe has said
                failed.append(failed_source(f"{SOURCE} card {index}", error))
                continue
            known.setdefault(card.pci_address or index, card)  # a card that is listed twice is one card
        self._known, self._failed = list(known.values()), failed
        self._count = _UNKNOWN if failed else count  # what failed may come back


def _know(handle: Any) -> _Known:
    memory = (first_part(handle) or handle) if is_divided(handle) else handle
    most = cross_checked(memory, read_memory(memory)).total  # as the probe: the smaller of two sizes counts
    return _Known(handle, memory, most, _name(handle), pci_address(handle))


def _name(handle: Any) -> str:
    return words(ask("nvmlDeviceGetName", handle)) or "NVIDIA GPU"


def _sample(card: _Known, own_pids: Collection[int]) -> GpuSample:
    memory = read_memory(card.memory)
    total = min(memory.total, card.most)
    utilization = ask("nvmlDeviceGetUtilizationRates", card.handle)
    held = processes(card.handle, total)
    return GpuSample(
        name=card.name,
        vram_total=total,
        vram_used=total - min(memory.free, total),
        used_by_us=None if held is None else _sum([each.used for each in held if each.pid in own_pids]),
        utilization=within(utilization.gpu, 0, 100) if utilization else None,
        temperature=temperature(card.handle),
        power=power(ask("nvmlDeviceGetPowerUsage", card.handle)),
        pci_address=card.pci_address,
        uses_ram=memory.is_ram,
    )


def _sum(sizes: list[int | None]) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)
