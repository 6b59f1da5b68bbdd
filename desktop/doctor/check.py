"""What a check is, and the short ways to state its outcome."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from desktop.errors import Phrase
from desktop.hardware.types import HardwareProfile

Status = Literal["pass", "warn", "fail", "skip"]


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


def in_gib(size: int) -> float:
    """Bytes as GiB, for a template's {field:.1f}."""
    return size / 2**30


def on_windows(profile: HardwareProfile) -> bool:
    """Whether the remedies of Windows are the right ones."""
    return profile.system.startswith("Windows")


def on_macos(profile: HardwareProfile) -> bool:
    """Whether the remedies of macOS are the right ones."""
    return profile.system.startswith("Darwin")


def listed(names: Iterable[str]) -> str:
    """Names for a template's {names}; each once."""
    return ", ".join(dict.fromkeys(names))
