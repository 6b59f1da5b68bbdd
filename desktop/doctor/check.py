"""What a check is, and the short ways to state its outcome."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile

Status = Literal["pass", "warn", "fail", "skip"]

WITHOUT_DRIVER = QT_TRANSLATE_NOOP("core", "{name}, without a working driver")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the environment.

    id: stable, for scripts ("nvidia-driver"). status: "fail" keeps the main job from working, "warn" makes it worse
    than this machine could do, "skip" does not apply here. remedy: what to do; None where nothing is to be done.
    """

    id: str
    status: Status
    title: Phrase
    found: Phrase
    wanted: Phrase
    remedy: Phrase | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a check asks, whatever the answer is: its id, its title, and how it should be."""

    id: str
    title: Phrase
    wanted: Phrase

    def answered(self, status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
        """Return the check with what was found."""
        return Check(id=self.id, status=status, title=self.title, found=found, wanted=self.wanted, remedy=remedy)


def in_gib(size: int) -> float:
    """Bytes as GiB, for a template's {field:.1f}."""
    return size / 2**30


def on_windows(profile: HardwareProfile) -> bool:
    """Whether the remedies of Windows are the right ones."""
    return profile.system.startswith("Windows")


def on_linux(profile: HardwareProfile) -> bool:
    """Whether the remedies of Linux are the right ones."""
    return profile.system.startswith("Linux")


def on_macos(profile: HardwareProfile) -> bool:
    """Whether the remedies of macOS are the right ones."""
    return profile.system.startswith("Darwin")


def listed(names: Iterable[str]) -> str:
    """Names for a template's {names}; the same one twice is "RTX 3090 × 2"."""
    counts = Counter(names)
    return ", ".join(f"{name} × {count}" if count > 1 else name for name, count in counts.items())


def card_name(gpu: Gpu, profile: HardwareProfile) -> str:
    """The card's name, with its place where another card has the same one."""
    twins = sum(each.name == gpu.name for each in profile.gpus)
    return f"{gpu.name} ({gpu.pci_address})" if twins > 1 and gpu.pci_address else gpu.name
