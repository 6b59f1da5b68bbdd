"""Whether the cards work as they should: cards that do not answer, throttling, memory errors, cards in parts."""

from desktop.doctor.check import WITHOUT_DRIVER, Check, Question, card_name, listed, on_linux, on_windows
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile, LostCard, Throttle, Vendor
from desktop.sizes import gib

_NO_CARD = QT_TRANSLATE_NOOP("core", "no graphics card")
_NO_CARD_TELLS = QT_TRANSLATE_NOOP("core", "no card tells")

_LOST_TEMPLATES = {
    "lost": QT_TRANSLATE_NOOP("core", "{name} was lost: it does not answer any more, as happens after sleep"),
    "reset_required": QT_TRANSLATE_NOOP("core", "{name} has to be reset before it can be used"),
    "no_permission": QT_TRANSLATE_NOOP("core", "this user may not use {name}"),
    "no_memory": QT_TRANSLATE_NOOP("core", "{name} does not tell how much memory it has"),
    "failed": QT_TRANSLATE_NOOP("core", "{name} does not answer: {detail}"),
}
_AFTER_SLEEP_LINUX = QT_TRANSLATE_NOOP(
    "core",
    "Restart the computer. If it comes back after sleep: sudo systemctl enable nvidia-suspend nvidia-resume "
    "nvidia-hibernate, and update the driver. Without sleep: check the card's power cables and its seat.",
)
_AFTER_SLEEP_WINDOWS = QT_TRANSLATE_NOOP(
    "core",
    "Restart the computer (not: shut down and start, which keeps the driver's state). If it comes back after sleep, "
    "update the driver and turn off Link State Power Management in the power plan. Without sleep: check the card's "
    "power cables and its seat.",
)
_RESET_LINUX = QT_TRANSLATE_NOOP(
    "core", "Restart the computer, or close every program on the card and run: sudo nvidia-smi -r"
)
_RESET_WINDOWS = QT_TRANSLATE_NOOP("core", "Restart the computer.")
_PERMISSION_LINUX = QT_TRANSLATE_NOOP(
    "core",
    "Let this user use the card: sudo usermod -aG video,render $USER, then log out and in. In a container: start it "
    "with the card (docker run --gpus all).",
)
_PERMISSION_WINDOWS = QT_TRANSLATE_NOOP("core", "Ask an administrator of this computer for access to the card.")
_ANEW = QT_TRANSLATE_NOOP("core", "Restart the computer. If that does not help, install the driver anew.")
_OF_THE_KERNEL: dict[Vendor, str] = {
    "amd": QT_TRANSLATE_NOOP(
        "core",
        "AMD's driver (amdgpu) is a part of Linux: install the system's updates and the card's firmware "
        "(linux-firmware, on Debian firmware-amd-graphics), take nomodeset off the kernel's command line, then "
        "restart. A newer card may need a newer kernel; one from before 2012 has only the old driver radeon, which the "
        "engine cannot use.",
    ),
    "intel": QT_TRANSLATE_NOOP(
        "core",
        "Intel's driver (i915, for newer cards xe) is a part of Linux: install the system's updates and the card's "
        "firmware (linux-firmware), take nomodeset off the kernel's command line, then restart. A newer card may need "
        "a newer kernel.",
    ),
}
"""Makers whose driver comes with Linux, so that there is none to be installed anew."""


_LOST = Question(
    id="gpu-lost",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Graphics cards")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "all of them answer, after sleep too")),
)


def check_lost(profile: HardwareProfile) -> Check:
    """Cards the driver knows and cannot use, and cards on the bus that no driver answers for.

    An NVIDIA card without any driver is the matter of `nvidia-driver`.
    """
    if profile.lost_cards:
        card = profile.lost_cards[0]
        found = Phrase.of(_LOST_TEMPLATES[card.reason], name=card.name, detail=card.detail)
        return _LOST.answered("fail", found, Phrase.of(_lost_remedy(card, profile)))
    asking = [gpu for gpu in profile.gpus if gpu.recovery is not None]
    if asking:
        what = QT_TRANSLATE_NOOP("core", "{name} works, but its driver asks for a reset of the card")
        return _LOST.answered("warn", Phrase.of(what, name=card_name(asking[0], profile)), Phrase.of(_reset(profile)))
    silent = _silent(profile)
    if silent is not None:
        return silent
    if not profile.gpus:
        return _LOST.answered("skip", Phrase.of(_NO_CARD))
    return _LOST.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "every card answers")))


def _silent(profile: HardwareProfile) -> Check | None:
    """Cards on the bus, those of one maker at a time: what helps is different."""
    if any(gpu.vendor == "nvidia" for gpu in profile.gpus):
        missing = [card.name for card in profile.silent_cards if card.vendor == "nvidia"]
        if missing:
            what = QT_TRANSLATE_NOOP("core", "on the bus, but not known to the driver: {names}")
            return _LOST.answered("fail", Phrase.of(what, names=listed(missing)), Phrase.of(_after_sleep(profile)))
    for vendor, remedy in _OF_THE_KERNEL.items():
        names = [card.name for card in profile.silent_cards if card.vendor == vendor]
        if names:
            return _LOST.answered("fail", Phrase.of(WITHOUT_DRIVER, name=listed(names)), Phrase.of(remedy))
    return None


def _lost_remedy(card: LostCard, profile: HardwareProfile) -> str:
    if on_linux(profile) and card.vendor in _OF_THE_KERNEL:
        return _OF_THE_KERNEL[card.vendor]
    if card.reason == "lost":
        return _after_sleep(profile)
    if card.reason == "no_permission":
        return _PERMISSION_WINDOWS if on_windows(profile) else _PERMISSION_LINUX
    return _reset(profile) if card.reason == "reset_required" else _ANEW


def _reset(profile: HardwareProfile) -> str:
    return _RESET_WINDOWS if on_windows(profile) else _RESET_LINUX


def _after_sleep(profile: HardwareProfile) -> str:
    return _AFTER_SLEEP_WINDOWS if on_windows(profile) else _AFTER_SLEEP_LINUX


# --- throttling -----------------------------------------------------------------------------------------------------

_HOT: frozenset[Throttle] = frozenset({"thermal_driver", "thermal_hardware"})
_SHORT_OF_POWER: frozenset[Throttle] = frozenset({"power_brake", "hardware_slowdown"})


_THROTTLING = Question(
    id="throttling",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Throttling")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "not because of heat or of missing power")),
)


def check_throttling(profile: HardwareProfile) -> Check:
    """Whether a card runs below its clocks at this moment. At its power limit every card is, under full load."""
    told = [gpu for gpu in profile.gpus if gpu.throttle is not None]
    if not told:
        return _THROTTLING.answered("skip", Phrase.of(_NO_CARD_TELLS))
    for reasons, answer in ((_HOT, _hot), (_SHORT_OF_POWER, _short_of_power)):
        slowed = next((gpu for gpu in told if reasons & set(gpu.throttle or ())), None)
        if slowed is not None:
            return answer(slowed, card_name(slowed, profile))
    capped = next((gpu for gpu in told if "power_cap" in (gpu.throttle or ())), None)
    if capped is None:
        return _THROTTLING.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "not now")))
    what = QT_TRANSLATE_NOOP("core", "{name} is at its power limit, as is normal under full load")
    return _THROTTLING.answered("pass", Phrase.of(what, name=card_name(capped, profile)))


def _hot(gpu: Gpu, name: str) -> Check:
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core", "Clean the fans and filters, give the card room for air, or lower its power limit a little."
        )
    )
    if gpu.temperature is None:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "{name} is slowed because it is hot"), name=name)
    else:
        what = QT_TRANSLATE_NOOP("core", "{name} is slowed because it is hot ({celsius:.0f} °C)")
        found = Phrase.of(what, name=name, celsius=gpu.temperature)
    return _THROTTLING.answered("warn", found, remedy)


def _short_of_power(_gpu: Gpu, name: str) -> Check:
    what = QT_TRANSLATE_NOOP("core", "{name} is slowed by its hardware: too little power, or too hot")
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Check that every power cable of the card is plugged in, each from the power supply itself, and that the "
            "supply is strong enough. A laptop: plug in its own charger.",
        )
    )
    return _THROTTLING.answered("warn", Phrase.of(what, name=name), remedy)


# --- memory errors, parts -------------------------------------------------------------------------------------------


_ERRORS = Question(
    id="memory-errors",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Errors in card memory")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "none")),
)


def check_memory_errors(profile: HardwareProfile) -> Check:
    """What cards with ECC count. Cards without it cannot know."""
    counting = [gpu for gpu in profile.gpus if gpu.ecc is not None]
    for gpu in counting:
        if gpu.ecc is not None and gpu.ecc.remap_failed:
            what = QT_TRANSLATE_NOOP("core", "the memory of {name} is failing: no spare rows are left")
            remedy = QT_TRANSLATE_NOOP("core", "Have the card replaced: its maker's warranty covers this.")
            return _ERRORS.answered("fail", Phrase.of(what, name=card_name(gpu, profile)), Phrase.of(remedy))
    for gpu in counting:
        if gpu.ecc is not None and (gpu.ecc.uncorrected or gpu.ecc.pending):
            what = QT_TRANSLATE_NOOP("core", "{name}: {count} errors that could not be corrected")
            return _ERRORS.answered(
                "warn",
                Phrase.of(what, name=card_name(gpu, profile), count=gpu.ecc.uncorrected),
                Phrase.of(_reset(profile)),
            )
    if not counting:
        return _ERRORS.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no card counts them (ECC)")))
    return _ERRORS.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "none that could not be corrected")))


_PARTS = Question(
    id="mig",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Divided cards")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "a model may use the whole card")),
)


def check_parts(profile: HardwareProfile) -> Check:
    """A card in multi-instance mode gives a program one of its parts only."""
    able = [gpu for gpu in profile.gpus if gpu.mig is not None]
    divided = next((gpu for gpu in able if gpu.mig is not None and gpu.mig.enabled), None)
    if not able:
        return _PARTS.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no card can be divided (MIG)")))
    if divided is None or divided.mig is None:
        return _PARTS.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "no")))
    name = card_name(divided, profile)
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core", "If nobody else needs the card in parts: sudo nvidia-smi -i {index} -mig 0, then restart."
        ),
        index=divided.index or 0,
    )
    if not divided.mig.parts:
        what = QT_TRANSLATE_NOOP("core", "{name} is to be divided (MIG) and has no parts, so no model can use it")
        return _PARTS.answered("fail", Phrase.of(what, name=name), remedy)
    what = QT_TRANSLATE_NOOP("core", "{name} is divided (MIG): a model gets {part} of its {whole}")
    part, whole = gib(divided.vram_total), gib(divided.mig.card_total)
    return _PARTS.answered("warn", Phrase.of(what, name=name, part=part, whole=whole), remedy)
