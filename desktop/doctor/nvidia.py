"""The NVIDIA driver and CUDA: what llama.cpp needs of them, and what it does not."""

import re

from desktop.doctor.check import Check, Status
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile

WANTED_DRIVER = (535, 0)
"""The driver of CUDA 12.2, which the article asks for."""

OLDEST_DRIVER = (525, 60)
"""CUDA 12 does not start below it (NVIDIA's CUDA toolkit release notes, table of minor version compatibility)."""

_TITLE = Phrase.of(QT_TRANSLATE_NOOP("core", "NVIDIA driver"))
_WANTED = Phrase.of(QT_TRANSLATE_NOOP("core", "535 or newer"))
_INSTALL = Phrase.of(
    QT_TRANSLATE_NOOP("core", "Install driver 535 or newer from nvidia.com or your system's packages, then restart.")
)
_RESTART = Phrase.of(
    QT_TRANSLATE_NOOP(
        "core", "Restart the computer: a driver that was just updated needs it. If that does not help, install it anew."
    )
)


def nvidia_cards(profile: HardwareProfile) -> list[Gpu]:
    """The NVIDIA cards whose driver answers."""
    return [gpu for gpu in profile.gpus if gpu.vendor == "nvidia"]


def check_driver(profile: HardwareProfile) -> Check:
    """The driver's version, or its absence where a card is on the bus."""
    cards = nvidia_cards(profile)
    broken = next((problem for problem in profile.problems if problem.source == "NVML"), None)
    if cards:
        return _driver_version(cards[0].driver)
    if broken is not None:
        return _driver("fail" if profile.silent_cards else "warn", broken.what, _RESTART)
    if profile.silent_cards:
        found = Phrase.of(
            QT_TRANSLATE_NOOP("core", "{name}, without a working driver"), name=profile.silent_cards[0].name
        )
        return _driver("fail", found, _INSTALL)
    return _driver("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no NVIDIA card")))


def _driver_version(driver: str | None) -> Check:
    version = parse_version(driver or "")
    if not version:
        return _driver(
            "warn", Phrase.of(QT_TRANSLATE_NOOP("core", "a driver that does not tell its version")), _INSTALL
        )
    found = Phrase.of("{version}", version=driver or "")
    if version < OLDEST_DRIVER:
        return _driver("fail", found, _INSTALL)
    if version < WANTED_DRIVER:
        return _driver("warn", found, _INSTALL)
    return _driver("pass", found)


def _driver(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(id="nvidia-driver", status=status, title=_TITLE, found=found, wanted=_WANTED, remedy=remedy)


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers in "535.183.01", empty where there are none."""
    return tuple(map(int, re.findall(r"\d+", text)))


def check_cudnn(profile: HardwareProfile) -> Check:
    """Always fine: cuDNN is on every list of requirements for other engines; llama.cpp never uses it."""
    return Check(
        id="cudnn",
        status="pass" if nvidia_cards(profile) else "skip",
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "cuDNN")),
        found=Phrase.of(QT_TRANSLATE_NOOP("core", "not used by this engine, which has its own kernels")),
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "nothing: it is not required")),
    )
