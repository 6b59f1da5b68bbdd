"""What NVIDIA's Xid messages in the kernel's log mean, and what to do.

Numbers, meanings and what they call for are those of NVIDIA's Xid catalog (docs.nvidia.com/deploy/xid-errors,
"Analyzing Xid Errors with the Xid Catalog") and of the driver's own nverror.h; the words are ours.
"""

from collections.abc import Mapping
from typing import NamedTuple

from desktop.doctor.check import Check, Question, Status
from desktop.doctor.facts import Facts
from desktop.doctor.kernel_log import Xid
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile

_RESTART_PROGRAM = QT_TRANSLATE_NOOP(
    "core",
    "Nothing, if it happened once. If it comes back with Snug: update the driver, undo overclocking, and report it. "
    "Another program may have caused it.",
)
_RESTART_COMPUTER = QT_TRANSLATE_NOOP(
    "core", "Restart the computer. If it comes back: update the driver, and have the card checked."
)
_RESEAT = QT_TRANSLATE_NOOP(
    "core",
    "Restart the computer. If it comes back: check the card's power cables and its seat, try without a riser, and look "
    "whether it follows sleep.",
)
_UPDATE = QT_TRANSLATE_NOOP("core", "Restart the computer and update the driver.")
_WATCH = QT_TRANSLATE_NOOP(
    "core", "Restart when it suits you: the repair takes effect then. If it recurs, have the card checked."
)
_REPLACE = QT_TRANSLATE_NOOP("core", "Restart the computer. If it comes back, have the card replaced.")
_LOOK_UP = QT_TRANSLATE_NOOP("core", "Look the number up: docs.nvidia.com/deploy/xid-errors")


class Meaning(NamedTuple):
    """status: what it says of the machine now; template: takes {logged} and {number}."""

    status: Status
    template: str
    remedy: str | None


MEANINGS: dict[int, Meaning] = {
    79: Meaning("fail", QT_TRANSLATE_NOOP("core", "{logged}. {number}: the card fell off the PCI bus"), _RESEAT),
    64: Meaning(
        "fail", QT_TRANSLATE_NOOP("core", "{logged}. {number}: bad memory of the card could not be replaced"), _REPLACE
    ),
    95: Meaning(
        "fail",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: a memory error that could not be contained"),
        _RESTART_COMPUTER,
    ),
    48: Meaning(
        "fail",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: a memory error that could not be corrected"),
        _RESTART_COMPUTER,
    ),
    62: Meaning(
        "fail", QT_TRANSLATE_NOOP("core", "{logged}. {number}: the card's own controller stopped"), _RESTART_COMPUTER
    ),
    119: Meaning(
        "fail",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: the card's system processor (GSP) did not answer the driver"),
        _UPDATE,
    ),
    120: Meaning(
        "fail", QT_TRANSLATE_NOOP("core", "{logged}. {number}: the card's system processor (GSP) failed"), _UPDATE
    ),
    74: Meaning("fail", QT_TRANSLATE_NOOP("core", "{logged}. {number}: an error on NVLink, between cards"), _RESEAT),
    94: Meaning("warn", QT_TRANSLATE_NOOP("core", "{logged}. {number}: a memory error that ended one program"), _WATCH),
    63: Meaning(
        "warn",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: bad memory of the card was replaced by spare memory"),
        _WATCH,
    ),
    31: Meaning(
        "warn",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: a program used memory of the card that it does not have"),
        _RESTART_PROGRAM,
    ),
    13: Meaning(
        "warn",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: a program's computation failed on the card"),
        _RESTART_PROGRAM,
    ),
    43: Meaning(
        "warn",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: a program on the card was stopped after an error of its own"),
        _RESTART_PROGRAM,
    ),
    45: Meaning(
        "pass",
        QT_TRANSLATE_NOOP("core", "{logged}. {number}: what remained of an ended program was cleared away"),
        None,
    ),
}
"""The worst first."""

_UNKNOWN = Meaning("warn", QT_TRANSLATE_NOOP("core", "{logged}. NVIDIA's list says what {number} means"), _LOOK_UP)
_ORDER = [*MEANINGS]


_XID = Question(
    id="xid",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "NVIDIA errors (Xid)")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "none")),
)


def check_xid(profile: HardwareProfile, facts: Facts) -> Check:
    """The worst message since the start of the system; the others are named."""
    vendors = [gpu.vendor for gpu in profile.gpus]
    vendors += [card.vendor for card in profile.silent_cards] + [card.vendor for card in profile.lost_cards]
    if "nvidia" not in vendors:
        return _XID.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no NVIDIA card")))
    log = facts.kernel_log
    if log.unknown is not None:
        return _XID.answered("skip", log.unknown)
    if not log.xids:
        return _XID.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "none in the kernel's log")))
    number = min((xid.number for xid in log.xids), key=_badness)
    names = _names(profile)
    meaning = MEANINGS.get(number, _UNKNOWN)
    found = Phrase.of(meaning.template, logged=_logged(log.xids, names), number=number)
    return _XID.answered(meaning.status, found, Phrase.of(meaning.remedy) if meaning.remedy else None)


def _badness(number: int) -> tuple[int, int]:
    """Known ones in the order of the table; unknown ones before those that warn only."""
    if number in MEANINGS:
        return _ORDER.index(number), number
    return sum(meaning.status == "fail" for meaning in MEANINGS.values()), -1


def _names(profile: HardwareProfile) -> dict[str, str]:
    """Address as the driver writes it -> name of the card; none where two cards have the same name."""
    cards = [(gpu.pci_address, gpu.name) for gpu in profile.gpus]
    cards += [(card.pci_address, card.name) for card in profile.lost_cards]
    cards += [(card.pci_address, card.name) for card in profile.silent_cards]
    names = [name for _, name in cards]
    return {address.rpartition(".")[0]: name for address, name in cards if address and names.count(name) == 1}


def _logged(xids: tuple[Xid, ...], names: Mapping[str, str]) -> str:
    """Without words, so that nothing is to be translated: "Xid 79 (RTX 3060), Xid 13 × 4 (0000:02:00)"."""
    times = [f" × {xid.count}" if xid.count > 1 else "" for xid in xids]
    cards = [names.get(xid.pci_address.lower(), xid.pci_address) for xid in xids]
    return ", ".join(f"Xid {xid.number}{time} ({card})" for xid, time, card in zip(xids, times, cards, strict=True))
