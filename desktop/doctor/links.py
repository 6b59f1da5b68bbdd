"""How the cards are connected: Resizable BAR, PCIe, and the way from card to card."""

from collections.abc import Iterator

from desktop.doctor.check import Check, Question, card_name, listed
from desktop.doctor.facts import Facts
from desktop.doctor.load import is_slow
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile, PcieLink, Throttle
from desktop.sizes import gib

_FEWEST_LANES = 8
"""Below 8 lanes loading a model, and copying between cards, is slow enough to be felt."""

_SIGNS_OF_WORK: frozenset[Throttle] = frozenset({"power_cap", "thermal_driver", "thermal_hardware"})
"""A card that is held back by its power limit or by heat is surely not idle."""

_NO_CARD_TELLS = QT_TRANSLATE_NOOP("core", "no card tells")


_BAR = Question(
    id="resizable-bar",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Resizable BAR")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "on")),
)


def check_resizable_bar(profile: HardwareProfile) -> Check:
    """Whether the processor sees the whole memory of every card."""
    told = [gpu for gpu in profile.gpus if gpu.resizable_bar is not None]
    off = [gpu for gpu in told if not gpu.resizable_bar]
    if not told:
        return _BAR.answered("skip", Phrase.of(_NO_CARD_TELLS))
    if not off:
        return _BAR.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "on")))
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            'Turn on "Resizable BAR" and "Above 4G decoding" in the firmware (BIOS) settings. Models then load a '
            "little faster; answers do not change.",
        )
    )
    names = listed(gpu.name for gpu in off)
    window = off[0].bar1_total
    if window is None:
        return _BAR.answered("warn", Phrase.of(QT_TRANSLATE_NOOP("core", "off for {names}"), names=names), remedy)
    what = QT_TRANSLATE_NOOP("core", "off for {names}: the processor sees {window} of {memory} at a time")
    return _BAR.answered(
        "warn", Phrase.of(what, names=names, window=gib(window), memory=gib(off[0].vram_total)), remedy
    )


# --- PCIe -----------------------------------------------------------------------------------------------------------


_PCIE = Question(
    id="pcie-width",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "PCIe width")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {lanes} lanes"), lanes=_FEWEST_LANES),
)


def check_pcie(profile: HardwareProfile) -> Check:
    """The narrowest link. The generation has a check of its own: it drops when a card is idle."""
    links = [(gpu, gpu.pcie) for gpu in profile.gpus if gpu.pcie is not None and gpu.pcie.width]
    if not links:
        return _PCIE.answered("skip", Phrase.of(_NO_CARD_TELLS))
    gpu, link = min(links, key=lambda pair: (not _is_narrow(pair[1]), pair[1].width or 0))
    if _is_narrow(link):
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP(
                "core",
                "Move the card to the slot nearest the processor, and reseat it and its riser. Loading a model gets "
                "faster; answers from a model that fits on the card do not change.",
            )
        )
        return _PCIE.answered("warn", _width(card_name(gpu, profile), link), remedy)
    return _PCIE.answered("pass", _width(card_name(gpu, profile), link))


def _is_narrow(link: PcieLink) -> bool:
    """Fewer lanes than are useful, while card and slot have more."""
    width = link.width or 0
    return width < min(_FEWEST_LANES, link.width_max or width)


def _width(name: str, link: PcieLink) -> Phrase:
    width, most = link.width or 0, link.width_max or 0
    if most > width:
        what = QT_TRANSLATE_NOOP("core", "{name}: x{width}, of x{most} that card and slot could do")
        return Phrase.of(what, name=name, width=width, most=most)
    return Phrase.of(QT_TRANSLATE_NOOP("core", "{name}: x{width}"), name=name, width=width)


_GENERATION = Question(
    id="pcie-generation",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "PCIe generation")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "under load, the best that card and slot can do")),
)


def check_pcie_generation(profile: HardwareProfile, facts: Facts) -> Check:
    """The slowest generation. Below its best it says something only about a card that works: idle ones save power."""
    links = [(gpu, gpu.pcie) for gpu in profile.gpus if gpu.pcie and gpu.pcie.generation and gpu.pcie.generation_max]
    if not links:
        return _GENERATION.answered("skip", Phrase.of(_NO_CARD_TELLS))
    at_work = [(gpu, link) for gpu, link in _at_work(profile, facts) if is_slow(link)]
    if at_work:
        gpu, link = at_work[0]
        what = QT_TRANSLATE_NOOP("core", "{name}: generation {now} of {most} under load")
        return _GENERATION.answered("warn", _told(what, card_name(gpu, profile), link), _faster_slot())
    known = {gpu.pci_address for gpu, _ in _at_work(profile, facts)}
    idle = [(gpu, link) for gpu, link in links if is_slow(link) and gpu.pci_address not in known]
    if idle:
        gpu, link = idle[0]
        what = QT_TRANSLATE_NOOP(
            "core", "{name}: generation {now} of {most} now; an idle card saves power, so look while a model answers"
        )
        return _GENERATION.answered("skip", _told(what, card_name(gpu, profile), link))
    gpu, link = links[0]
    best = Phrase.of(
        QT_TRANSLATE_NOOP("core", "{name}: generation {most}"), name=gpu.name, most=link.generation_max or 0
    )
    return _GENERATION.answered("pass", best)


def _at_work(profile: HardwareProfile, facts: Facts) -> Iterator[tuple[Gpu, PcieLink]]:
    """The links of the cards that surely were not idle when they were read."""
    for gpu in profile.gpus:
        link = facts.links_under_load.get(gpu.pci_address or "")
        if link is not None:
            yield gpu, link
        elif gpu.pcie is not None and _SIGNS_OF_WORK & set(gpu.throttle or ()):
            yield gpu, gpu.pcie


def _told(template: str, name: str, link: PcieLink) -> Phrase:
    return Phrase.of(template, name=name, now=link.generation or 0, most=link.generation_max or 0)


def _faster_slot() -> Phrase:
    return Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Set the slot's PCIe speed to automatic in the firmware (BIOS) settings, and try without a riser cable. "
            "Loading a model gets faster; answers from a model that fits on the card do not change.",
        )
    )


# --- from card to card ----------------------------------------------------------------------------------------------


_P2P = Question(
    id="peer-to-peer",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "From card to card")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "nothing: any way will do for a split by layers")),
)


def check_peer_to_peer(profile: HardwareProfile) -> Check:
    """Whether cards copy to each other directly. Good to know, and never in the way of a layer split."""
    cards = [gpu for gpu in profile.gpus if not gpu.uses_ram]
    if len(cards) < 2:
        return _P2P.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "fewer than two cards")))
    paths = [path for gpu in cards for path in gpu.paths if path.read is not None and path.write is not None]
    if not paths:
        return _P2P.answered("skip", Phrase.of(_NO_CARD_TELLS))
    if all(path.nvlink == "ok" for path in paths):
        active = sum(gpu.nvlink.active for gpu in cards if gpu.nvlink)
        if active:
            return _P2P.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "directly, over NVLink")))
    if all(path.read == path.write == "ok" for path in paths):
        return _P2P.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "directly, over PCIe")))
    what = QT_TRANSLATE_NOOP(
        "core",
        "through main memory (the driver of most GeForce cards allows no other way); a split by layers loses little, "
        "because only some kilobytes per token go from card to card",
    )
    return _P2P.answered("pass", Phrase.of(what))
