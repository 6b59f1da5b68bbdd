"""Reads everything this machine has, source by source. Runs in the throw-away child (role "hardware")."""

import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.believable import escaped
from desktop.hardware.cpu import read_cpu
from desktop.hardware.disk import read_disk
from desktop.hardware.drm import silent_cards
from desktop.hardware.memory import read_ram
from desktop.hardware.sources import Asked, Found, once
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, Ram, SourceAnswer, SourceProblem, Vendor
from desktop.hardware.vulkan import read_vulkan

Answer = TypeVar("Answer")
Instead = TypeVar("Instead")

_ON_THE_BUS: tuple[Vendor, ...] = ("nvidia", "amd", "intel")

NO_CPU = Cpu(name=platform.machine(), cores=1, threads=1)
NO_RAM = Ram(total=0, available=0)


def read_hardware(*, models_folder: Path, timeout: float = 3.0) -> HardwareProfile:
    """Return the profile; a source that takes longer than `timeout` seconds or fails becomes a problem in it."""
    cards = {source: Asked(source, question) for source, question in _card_sources().items()}
    loader = Asked("Vulkan", once(read_vulkan))
    deadline = time.monotonic() + timeout
    profile = read_basics(models_folder=models_folder, timeout=timeout)
    answers = _Answers(deadline)
    found = {source: answers.take(asked, Found()) for source, asked in cards.items()}
    vulkan = answers.take(loader, None)
    profile = msgspec.structs.replace(
        profile,
        gpus=_joined(found),
        lost_cards=tuple(card for each in found.values() for card in each.lost),
        vulkan=vulkan,
        vulkan_loader=None if vulkan is None else vulkan.loads,
        problems=(*profile.problems, *(p for each in found.values() for p in each.problems), *answers.problems),
        sources=(*profile.sources, *answers.reports),
    )
    return _with_silent_cards(profile) if platform.system() == "Linux" else profile


def read_basics(*, models_folder: Path, timeout: float) -> HardwareProfile:
    """Return processor, memory and disk: what is safe to read in any process."""
    cpu, ram = Asked("CPU", once(read_cpu)), Asked("memory", once(read_ram))
    disk = Asked("disk", once(lambda: read_disk(models_folder)))
    answers = _Answers(time.monotonic() + timeout)
    return HardwareProfile(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=answers.take(cpu, NO_CPU),
        ram=answers.take(ram, NO_RAM),
        disk=answers.take(disk, Disk(path=escaped(str(models_folder)), total=0, free=0)),
        gpus=(),
        problems=tuple(answers.problems),
        sources=tuple(answers.reports),
    )


class _Answers:
    """Collects answers under one common deadline, the problems of those that did not come, and how each went."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.problems: list[SourceProblem] = []
        self.reports: list[SourceAnswer] = []

    def take(self, asked: Asked[Answer], instead: Instead) -> Answer | Instead:
        answer, problem, report = asked.wait(max(self._deadline - time.monotonic(), 0.0))
        self.reports.append(report)
        if problem is not None:
            self.problems.append(problem)
        return instead if answer is None else answer


def _card_sources() -> dict[str, Callable[[], Iterable[Found]]]:
    """The sources of this system; each imports its room inside its own thread, so that a broken one costs itself."""
    by_system: dict[str, dict[str, Callable[[], Iterable[Found]]]] = {
        "Linux": {"NVML": _nvidia, "AMD": _amd, "Intel": _intel},
        "Darwin": {"system_profiler": once(_apple)},
        "Windows": {"NVML": _nvidia, "DXGI": once(_windows)},
    }
    return by_system.get(platform.system(), {})


def _nvidia() -> Iterable[Found]:
    from desktop.hardware.nvidia_cards import read_nvidia

    return read_nvidia()


def _amd() -> Iterable[Found]:
    from desktop.hardware.amd import read_amd

    return read_amd()


def _intel() -> Iterable[Found]:
    from desktop.hardware.intel import read_intel

    return read_intel()


def _apple() -> Found:
    from desktop.hardware.apple import read_apple

    return read_apple()


def _windows() -> Found:
    from desktop.hardware.windows import read_windows

    return read_windows()


def _joined(found: dict[str, Found]) -> tuple[Gpu, ...]:
    """All cards, discrete first; DXGI's view of an NVIDIA card gives way to NVML's."""
    named = bool(found.get("NVML", Found()).gpus)
    gpus: Iterable[Gpu] = (
        gpu
        for source, each in found.items()
        for gpu in each.gpus
        if not (source == "DXGI" and gpu.vendor == "nvidia" and named)
    )
    return tuple(sorted(gpus, key=lambda gpu: gpu.uses_ram))


def _with_silent_cards(profile: HardwareProfile) -> HardwareProfile:
    """Add the cards that are on the bus while their driver does not answer."""
    known = {gpu.pci_address for gpu in profile.gpus} | {card.pci_address for card in profile.lost_cards}
    silent = tuple(card for vendor in _ON_THE_BUS for card in silent_cards(vendor) if card.pci_address not in known)
    problems = tuple(
        SourceProblem(
            source="PCI",
            what=Phrase.of(
                QT_TRANSLATE_NOOP("core", "{name} is in this machine, but its driver does not answer."), name=card.name
            ),
        )
        for card in silent
    )
    return msgspec.structs.replace(
        profile,
        silent_cards=silent,
        problems=(*profile.problems, *problems),
    )
