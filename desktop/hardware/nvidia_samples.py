"""NVIDIA cards at one moment, for the gauge. Asked once a second, so it asks for as little as it can."""

from collections.abc import Collection
from typing import Any, NamedTuple

from desktop.hardware.believable import within, words
from desktop.hardware.nvidia import NvmlError, ask, demand
from desktop.hardware.nvidia_cards import MOST_CARDS
from desktop.hardware.nvidia_details import pci_address, power, temperature
from desktop.hardware.nvidia_memory import is_divided, parts, processes, read_memory
from desktop.hardware.sources import failed_source
from desktop.hardware.types import GpuSample, SourceProblem


class _Known(NamedTuple):
    """What of a card does not change: its handle, that of the part whose memory counts, its name, its place."""

    handle: Any
    memory: Any
    name: str
    pci_address: str | None


class NvidiaSampler:
    """Samples of every card. Use inside `nvml()`: handles are kept from one sample to the next."""

    def __init__(self) -> None:
        self._known: list[_Known] = []
        self._count = -1

    def sample(self, own_pids: Collection[int]) -> tuple[list[GpuSample], list[SourceProblem]]:
        """Return one sample per card; a card that is lost is a problem, and the others stand."""
        samples: list[GpuSample] = []
        problems: list[SourceProblem] = []
        self._look_again_if_the_count_changed()
        for card in self._known:
            try:
                sample = _sample(card, own_pids)
            except NvmlError as error:
                problems.append(failed_source(card.name, error))
                self._count = -1  # it may come back with another handle
                continue
            if sample.vram_total:  # the probe has said what is wrong with the others
                samples.append(sample)
        return samples, problems

    def _look_again_if_the_count_changed(self) -> None:
        count = min(demand("nvmlDeviceGetCount"), MOST_CARDS)
        if count == self._count:
            return
        known: dict[object, _Known] = {}
        for index in range(count):
            try:
                handle = demand("nvmlDeviceGetHandleByIndex", index)
            except NvmlError:
                continue  # the probe has said so
            card = _Known(handle, _memory_handle(handle), _name(handle), pci_address(handle))
            known.setdefault(card.pci_address or index, card)  # a card that is listed twice is one card
        self._known, self._count = list(known.values()), count


def _memory_handle(handle: Any) -> Any:
    return next(parts(handle), handle) if is_divided(handle) else handle


def _name(handle: Any) -> str:
    return words(ask("nvmlDeviceGetName", handle)) or "NVIDIA GPU"


def _sample(card: _Known, own_pids: Collection[int]) -> GpuSample:
    memory = read_memory(card.memory)
    utilization = ask("nvmlDeviceGetUtilizationRates", card.handle)
    held = processes(card.handle, memory.total)
    return GpuSample(
        name=card.name,
        vram_total=memory.total,
        vram_used=memory.total - memory.free,
        used_by_us=None if held is None else _sum([each.used for each in held if each.pid in own_pids]),
        utilization=within(utilization.gpu, 0, 100) if utilization else None,
        temperature=temperature(card.handle),
        power=power(ask("nvmlDeviceGetPowerUsage", card.handle)),
        pci_address=card.pci_address,
        uses_ram=memory.is_ram,
    )


def _sum(sizes: list[int | None]) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)
