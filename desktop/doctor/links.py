"""How the cards are connected: PCIe, Resizable BAR, and the Vulkan loader."""

from desktop.doctor.check import Check, Status
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import Gpu, HardwareProfile, PcieLink

_FEWEST_LANES = 8
"""Below 8 lanes loading a model, and copying between cards, is slow enough to be felt."""


def check_resizable_bar(profile: HardwareProfile) -> Check:
    """Whether the processor sees the whole memory of every card."""
    told = [gpu for gpu in profile.gpus if gpu.resizable_bar is not None]
    off = [gpu.name for gpu in told if not gpu.resizable_bar]
    if not told:
        return _bar("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no card tells")))
    if not off:
        return _bar("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "on")))
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP("core", 'Turn on "Resizable BAR" and "Above 4G decoding" in the firmware (BIOS) settings.')
    )
    return _bar("warn", Phrase.of(QT_TRANSLATE_NOOP("core", "off for {names}"), names=", ".join(off)), remedy)


def _bar(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(
        id="resizable-bar",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Resizable BAR")),
        found=found,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "on")),
        remedy=remedy,
    )


def check_pcie(profile: HardwareProfile) -> Check:
    """The narrowest link. Only the width is judged: the generation drops when a card is idle."""
    links = [(gpu, gpu.pcie) for gpu in profile.gpus if gpu.pcie is not None and gpu.pcie.width]
    if not links:
        return _pcie("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "no card tells")))
    gpu, link = min(links, key=lambda pair: pair[1].width or 0)
    if _is_narrow(link):
        remedy = Phrase.of(
            QT_TRANSLATE_NOOP("core", "Move the card to the slot nearest the processor, and reseat it and its riser.")
        )
        return _pcie("warn", _link(gpu, link), remedy)
    return _pcie("pass", _link(gpu, link))


def _is_narrow(link: PcieLink) -> bool:
    """Fewer lanes than are useful, while the card has more."""
    width = link.width or 0
    return width < min(_FEWEST_LANES, link.width_max or width)


def _link(gpu: Gpu, link: PcieLink) -> Phrase:
    generation = link.generation_max or link.generation
    if generation is None:
        return Phrase.of(QT_TRANSLATE_NOOP("core", "{name}: x{width}"), name=gpu.name, width=link.width or 0)
    what = QT_TRANSLATE_NOOP("core", "{name}: x{width}, generation {generation}")
    return Phrase.of(what, name=gpu.name, width=link.width or 0, generation=generation)


def _pcie(status: Status, found: Phrase, remedy: Phrase | None = None) -> Check:
    return Check(
        id="pcie-width",
        status=status,
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "PCIe link")),
        found=found,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "at least {lanes} lanes"), lanes=_FEWEST_LANES),
        remedy=remedy,
    )


def check_vulkan(profile: HardwareProfile) -> Check:
    """The Vulkan loader, which the engine needs for AMD and Intel cards."""
    needed = any(gpu.vendor in {"amd", "intel"} for gpu in profile.gpus)
    title, wanted = (
        Phrase.of(QT_TRANSLATE_NOOP("core", "Vulkan")),
        Phrase.of(QT_TRANSLATE_NOOP("core", "its loader is installed, for AMD and Intel cards")),
    )
    if profile.vulkan_loader:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "installed"))
        return Check(id="vulkan", status="pass", title=title, found=found, wanted=wanted)
    missing = Phrase.of(QT_TRANSLATE_NOOP("core", "not installed"))
    if not needed:
        return Check(id="vulkan", status="skip", title=title, found=missing, wanted=wanted)
    remedy = Phrase.of(
        QT_TRANSLATE_NOOP(
            "core", "Install the Vulkan loader: libvulkan1 on Debian and Ubuntu, the card's driver on Windows."
        )
    )
    return Check(id="vulkan", status="warn", title=title, found=missing, wanted=wanted, remedy=remedy)
