"""Reads everything this machine has, source by source. Runs in the throw-away child (role "hardware")."""

import ctypes
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.cpu import read_cpu
from desktop.hardware.drm import silent_cards
from desktop.hardware.memory import read_disk, read_ram
from desktop.hardware.sources import Asked, Found, ask_all
from desktop.hardware.types import Cpu, Disk, Gpu, HardwareProfile, Ram, SourceProblem

Answer = TypeVar("Answer")

NO_CPU = Cpu(name=platform.machine(), cores=1, threads=1)
NO_RAM = Ram(total=0, available=0)


def read_hardware(*, models_folder: Path, timeout: float = 3.0) -> HardwareProfile:
    """Return the profile; a source that takes longer than `timeout` seconds or fails becomes a problem in it."""
    cards = ask_all(_card_sources())
    vulkan = Asked("Vulkan", vulkan_loads)
    profile = read_basics(models_folder=models_folder, timeout=timeout)
    answers = _Answers(timeout)
    found = {source: answers.take(asked, Found()) for source, asked in cards.items()}
    profile = msgspec.structs.replace(
        profile,
        gpus=_joined(found),
        vulkan_loader=answers.take(vulkan, False),
        problems=(*profile.problems, *(p for each in found.values() for p in each.problems), *answers.problems),
    )
    return _with_silent_cards(profile) if platform.system() == "Linux" else profile


def read_basics(*, models_folder: Path, timeout: float) -> HardwareProfile:
    """Return processor, memory and disk: what is safe to read in any process."""
    cpu, ram = Asked("CPU", read_cpu), Asked("memory", read_ram)
    disk = Asked("disk", lambda: read_disk(models_folder))
    answers = _Answers(timeout)
    return HardwareProfile(
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=answers.take(cpu, NO_CPU),
        ram=answers.take(ram, NO_RAM),
        disk=answers.take(disk, Disk(path=str(models_folder), total=0, free=0)),
        gpus=(),
        problems=tuple(answers.problems),
    )


class _Answers:
    """Collects answers under one common deadline, and the problems of those that did not come."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self.problems: list[SourceProblem] = []

    def take(self, asked: Asked[Answer], instead: Answer) -> Answer:
        answer, problem = asked.wait(max(self._deadline - time.monotonic(), 0.0))
        if problem is not None:
            self.problems.append(problem)
        return instead if answer is None else answer


def _card_sources() -> dict[str, Callable[[], Found]]:
    """The sources of this system; each imports its room inside its own thread, so that a broken one costs itself."""
    by_system: dict[str, dict[str, Callable[[], Found]]] = {
        "Linux": {"NVML": _nvidia, "AMD": _amd, "Intel": _intel},
        "Darwin": {"system_profiler": _apple},
        "Windows": {"NVML": _nvidia, "DXGI": _windows},
    }
    return by_system.get(platform.system(), {})


def _nvidia() -> Found:
    from desktop.hardware.nvidia import read_nvidia

    return read_nvidia()


def _amd() -> Found:
    from desktop.hardware.amd import read_amd

    return read_amd()


def _intel() -> Found:
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
    """Add the NVIDIA cards that are on the bus while their driver does not answer."""
    known = {gpu.pci_address for gpu in profile.gpus}
    silent = tuple(card for card in silent_cards("nvidia") if card.pci_address not in known)
    problems = tuple(
        SourceProblem(
            source="PCI",
            what=Phrase.of(
                QT_TRANSLATE_NOOP("core", "{name} is in this machine, but its driver does not answer."), name=card.name
            ),
        )
        for card in silent
    )
    return msgspec.structs.replace(profile, silent_cards=silent, problems=(*profile.problems, *problems))


def vulkan_loads() -> bool:
    """Whether the Vulkan loader can be loaded (which the engine's Vulkan backend needs)."""
    names: dict[str, Any] = {"win32": "vulkan-1.dll", "darwin": "libvulkan.1.dylib"}
    try:
        ctypes.CDLL(names.get(sys.platform, "libvulkan.so.1"))
    except OSError:
        return False
    return True
