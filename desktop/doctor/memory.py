"""Main memory and swap."""

from desktop.doctor.check import Check, Question, in_gib
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile, Ram

LEAST_RAM, GOOD_RAM = 2 << 30, 8 << 30
"""Below the first not even the starter model and the window fit well; from the second on a 7B at Q4 does."""

_FIRMWARE = 0.94
"""A machine sold with 8 GiB shows about 7.6: firmware and graphics keep a part."""

_LITTLE_LEFT = 2 << 30

_HEAVY_SWAP = 1 << 30
"""Less than this in swap is what a system puts there in quiet hours; it is not in a hurry."""


_RAM = Question(
    id="ram",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Main memory")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {wanted:.0f} GiB"), wanted=in_gib(GOOD_RAM)),
)


def check_ram(profile: HardwareProfile) -> Check:
    """Main memory this program may use: how much there is, and how much of it others left."""
    ram = profile.ram
    if not ram.total:
        return _RAM.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "not told")))
    found = _memory(ram)
    if ram.total < GOOD_RAM * _FIRMWARE:
        return _RAM.answered("warn" if ram.total >= LEAST_RAM else "fail", found, _more_memory(ram))
    if ram.available < _LITTLE_LEFT:
        return _RAM.answered(
            "warn", found, Phrase.of(QT_TRANSLATE_NOOP("core", "Close other programs: little memory is left."))
        )
    return _RAM.answered("pass", found)


def _memory(ram: Ram) -> Phrase:
    available, total = in_gib(ram.available), in_gib(ram.total)
    if ram.machine_total is None:
        what = QT_TRANSLATE_NOOP("core", "{available:.1f} of {total:.1f} GiB available")
        return Phrase.of(what, available=available, total=total)
    what = QT_TRANSLATE_NOOP(
        "core", "{available:.1f} of {total:.1f} GiB available (a container's limit; the machine has {machine:.1f} GiB)"
    )
    return Phrase.of(what, available=available, total=total, machine=in_gib(ram.machine_total))


def _more_memory(ram: Ram) -> Phrase:
    if ram.machine_total is not None:
        return Phrase.of(
            QT_TRANSLATE_NOOP("core", "Raise the container's limit (docker run --memory), or choose models below 3B.")
        )
    return Phrase.of(QT_TRANSLATE_NOOP("core", "Choose models below 3B, or close other programs."))


_SWAP = Question(
    id="swap",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Swap")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "less than half in use")),
)


def check_swap(profile: HardwareProfile) -> Check:
    """A machine that already swaps reads a model's weights from the disk for every word."""
    ram = profile.ram
    if not ram.swap_total:
        return _SWAP.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "none")))
    what = QT_TRANSLATE_NOOP("core", "{used:.1f} of {total:.1f} GiB in use")
    found = Phrase.of(what, used=in_gib(ram.swap_used), total=in_gib(ram.swap_total))
    if ram.swap_used < _HEAVY_SWAP or ram.swap_used * 2 < ram.swap_total:
        return _SWAP.answered("pass", found)
    return _SWAP.answered(
        "warn", found, Phrase.of(QT_TRANSLATE_NOOP("core", "Close other programs before you load a large model."))
    )
