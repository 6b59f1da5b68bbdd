"""The NVIDIA driver and CUDA: what llama.cpp needs of them, and what it does not."""

import re

from desktop.doctor.check import WITHOUT_DRIVER, Check, Question, Status, card_name, on_windows
from desktop.doctor.engine_build import cuda_architectures
from desktop.doctor.facts import Facts
from desktop.engine.protocol import EngineInfo
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile

WANTED_DRIVER = (535, 0)
"""The first driver of CUDA 12.2."""

USUAL_CUDA = 12
"""What an engine is built with where its files do not tell."""

OLDEST_DRIVERS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    11: ((450, 80, 2), (452, 39)),
    12: ((525, 60, 13), (528, 33)),
    13: ((580,), (580,)),
}
"""CUDA's major version -> the oldest driver it starts on, on Linux and on Windows. NVIDIA's CUDA toolkit release notes,
"Minimum Required Driver Version for CUDA Minor Version Compatibility", and CUDA Compatibility, table 1 (13.x)."""

_INSTALL_LINUX = QT_TRANSLATE_NOOP(
    "core",
    "Install driver {version} or newer from your system's packages (on Ubuntu: sudo ubuntu-drivers install), "
    "then restart.",
)
_INSTALL_WINDOWS = QT_TRANSLATE_NOOP(
    "core", "Install driver {version} or newer from nvidia.com or with the NVIDIA app, then restart."
)
_RESTART = Phrase.of(
    QT_TRANSLATE_NOOP(
        "core",
        "Restart the computer: a driver that was just updated needs it. If that does not help, install it anew. Where "
        "it is a matter of permission: sudo usermod -aG video,render $USER and log in again; in a container, start it "
        "with the card (docker run --gpus all).",
    )
)


def nvidia_cards(profile: HardwareProfile) -> list[Gpu]:
    """The NVIDIA cards whose driver answers."""
    return [gpu for gpu in profile.gpus if gpu.vendor == "nvidia"]


_DRIVER = Question(
    id="nvidia-driver",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "NVIDIA driver")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "535 or newer")),
)


def check_driver(profile: HardwareProfile, engine: EngineInfo | None, facts: Facts) -> Check:
    """The driver's version, or its absence where a card is on the bus."""
    cards = nvidia_cards(profile)
    broken = next((problem for problem in profile.problems if problem.source == "NVML"), None)
    if cards:
        return _driver_version(cards[0].driver, profile, engine, facts)
    if any(card.vendor == "nvidia" for card in profile.lost_cards):
        return _DRIVER.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "it runs, but no card answers it")))
    silent = [card for card in profile.silent_cards if card.vendor == "nvidia"]
    if broken is not None:
        return _DRIVER.answered("fail" if silent else "warn", broken.what, _RESTART)
    if silent:
        found = Phrase.of(WITHOUT_DRIVER, name=silent[0].name)
        return _DRIVER.answered("fail", found, _install(profile))
    return _DRIVER.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no NVIDIA card")))


def oldest_driver(cuda: int, profile: HardwareProfile) -> tuple[int, ...]:
    """The oldest driver that CUDA `cuda` starts on; versions newer than this table need at least its last."""
    linux, windows = OLDEST_DRIVERS.get(cuda) or OLDEST_DRIVERS[max(OLDEST_DRIVERS)]
    return windows if on_windows(profile) else linux


def _driver_version(driver: str | None, profile: HardwareProfile, engine: EngineInfo | None, facts: Facts) -> Check:
    version = parse_version(driver or "")
    if not version:
        told = Phrase.of(QT_TRANSLATE_NOOP("core", "a driver that does not tell its version"))
        return _DRIVER.answered("warn", told, _install(profile))
    cuda = facts.engine_build.cuda or USUAL_CUDA
    oldest = oldest_driver(cuda, profile)
    if version < oldest:
        what = QT_TRANSLATE_NOOP("core", "{version}; an engine built with CUDA {cuda} starts from {oldest} on")
        found = Phrase.of(what, version=driver or "", cuda=cuda, oldest=dotted(oldest))
        # A hard floor only for an engine that has CUDA: another one does not use the card anyway.
        return _DRIVER.answered(
            "warn" if _has_no_cuda(engine, facts) else "fail", found, _install(profile, newest=oldest[0])
        )
    found = Phrase.of("{version}", version=driver or "")
    if version < WANTED_DRIVER:
        return _DRIVER.answered("warn", found, _install(profile))
    return _DRIVER.answered("pass", found)


def _has_no_cuda(engine: EngineInfo | None, facts: Facts) -> bool:
    """Surely so: an engine that did not answer, or whose files were not found, may have it."""
    if engine is None or any(device.backend.upper() == "CUDA" for device in engine.devices):
        return False
    return bool(facts.engine_build.libraries) and "cuda" not in facts.engine_build.libraries


def _install(profile: HardwareProfile, *, newest: int = 0) -> Phrase:
    template = _INSTALL_WINDOWS if on_windows(profile) else _INSTALL_LINUX
    return Phrase.of(template, version=max(WANTED_DRIVER[0], newest))


def parse_version(text: str) -> tuple[int, ...]:
    """Return the numbers in "535.183.01", empty where there are none."""
    return tuple(map(int, re.findall(r"\d+", text)))


def dotted(version: tuple[int, ...]) -> str:
    """Write a version as NVIDIA does: "450.80.02"."""
    return ".".join([str(version[0]), *(f"{part:02d}" for part in version[1:])])


# --- CUDA -----------------------------------------------------------------------------------------------------------


_CUDA = Question(
    id="cuda",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "CUDA")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "a driver for the CUDA that the engine was built with")),
)


def check_cuda(profile: HardwareProfile, engine: EngineInfo | None, facts: Facts) -> Check:
    """Whether the driver and the cards can run what the engine was built with."""
    cards = nvidia_cards(profile)
    if not cards:
        return _CUDA.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no NVIDIA card")))
    built = facts.engine_build.cuda
    if built is None:
        return _CUDA.answered("skip", _no_cuda(engine, facts))
    supported = cards[0].cuda_version
    if not supported:
        return _CUDA.answered(
            "skip", Phrase.of(QT_TRANSLATE_NOOP("core", "the driver does not tell which CUDA it supports"))
        )
    if parse_version(supported)[0] < built:
        what = QT_TRANSLATE_NOOP("core", "the engine was built with CUDA {built}, the driver supports {supported}")
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP("core", "Install driver {version} or newer, or build the engine with CUDA {supported}."),
            version=dotted(oldest_driver(built, profile)),
            supported=parse_version(supported)[0],
        )
        return _CUDA.answered("fail", Phrase.of(what, built=built, supported=supported), remedy)
    return _kernels(profile, cards, cuda_architectures(engine.system_info if engine else ""), built, supported)


def _no_cuda(engine: EngineInfo | None, facts: Facts) -> Phrase:
    if engine is None and "cuda" not in facts.engine_build.libraries:
        return Phrase.of(QT_TRANSLATE_NOOP("core", "the engine did not answer"))
    if _has_no_cuda(engine, facts):
        return Phrase.of(QT_TRANSLATE_NOOP("core", "the engine was not built for CUDA"))
    return Phrase.of(QT_TRANSLATE_NOOP("core", "the engine does not tell which CUDA it was built with"))


def _kernels(
    profile: HardwareProfile, cards: list[Gpu], architectures: tuple[int, ...], built: int, supported: str
) -> Check:
    """A card older than all of the engine's kernels cannot run any; whether a newer one can, is not told."""
    old = [gpu for gpu in cards if architectures and 0 < _capability(gpu) < architectures[0]]
    if not old:
        what = QT_TRANSLATE_NOOP("core", "the engine was built with CUDA {built}, the driver supports {supported}")
        return _CUDA.answered("pass", Phrase.of(what, built=built, supported=supported))
    what = QT_TRANSLATE_NOOP(
        "core", "{name} has compute capability {capability}; the engine was built for {oldest} and newer"
    )
    found = Phrase.of(
        what,
        name=card_name(old[0], profile),
        capability=old[0].compute_capability or "",
        oldest=f"{architectures[0] // 10}.{architectures[0] % 10}",
    )
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Build the engine on this machine (make run BACKEND=cuda). CUDA 13 has nothing for cards before 7.5: "
            "use CUDA 12, or BACKEND=vulkan.",
        )
    )
    return _CUDA.answered("fail", found, remedy)


def _capability(gpu: Gpu) -> int:
    """86 for "8.6", 0 where it is not known."""
    version = parse_version(gpu.compute_capability or "")
    return version[0] * 10 + version[1] if len(version) > 1 else 0


_CUDNN = Question(
    id="cudnn",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "cuDNN")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "nothing")),
)


def check_cudnn(profile: HardwareProfile) -> Check:
    """Always fine: cuDNN is on every list of requirements for other engines; llama.cpp never uses it."""
    status: Status = "pass" if nvidia_cards(profile) else "skip"
    return _CUDNN.answered(status, Phrase.of(QT_TRANSLATE_NOOP("core", "not required: llama.cpp does not use it")))
