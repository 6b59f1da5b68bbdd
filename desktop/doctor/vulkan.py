"""Vulkan: its loader and its drivers, for an engine that was built for it."""

from desktop.doctor.check import Check, Question, listed, on_windows
from desktop.doctor.facts import Facts
from desktop.engine.protocol import EngineInfo
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile, VulkanDriver

_SOFTWARE = ("lvp_icd", "swrast", "vk_swiftshader")
"""Manifests of drivers that compute on the processor: Mesa's lavapipe and Google's SwiftShader."""


_VULKAN = Question(
    id="vulkan",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Vulkan")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "the loader and a driver for the card")),
)


def check_vulkan(profile: HardwareProfile, engine: EngineInfo | None, facts: Facts) -> Check:
    """The loader, and a driver for a card. Skipped where the engine would not use them."""
    if not _engine_has_vulkan(engine, facts):
        return _VULKAN.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "the engine was not built for Vulkan")))
    loads = profile.vulkan.loads if profile.vulkan is not None else profile.vulkan_loader
    if loads is None:
        return _VULKAN.answered("skip", Phrase.of(QT_TRANSLATE_NOOP("core", "its loader did not answer")))
    if not loads:
        return _VULKAN.answered(
            "fail", Phrase.of(QT_TRANSLATE_NOOP("core", "its loader is not installed")), _get_loader(profile)
        )
    drivers = profile.vulkan.drivers if profile.vulkan is not None else ()
    if not drivers:
        # Windows lists its drivers in the registry; there the loader comes with a driver.
        return _VULKAN.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "its loader is installed")))
    return _drivers(profile, [driver for driver in drivers if driver.found is not False])


def _engine_has_vulkan(engine: EngineInfo | None, facts: Facts) -> bool:
    if engine is not None and any(device.backend.lower() == "vulkan" for device in engine.devices):
        return True
    return "vulkan" in facts.engine_build.libraries


def _drivers(profile: HardwareProfile, there: list[VulkanDriver]) -> Check:
    names = [driver.manifest.replace("\\", "/").rpartition("/")[2].partition(".")[0] for driver in there]
    for_cards = [name for name in names if not name.startswith(_SOFTWARE)]
    if for_cards:
        what = QT_TRANSLATE_NOOP("core", "loader and drivers are installed: {names}")
        return _VULKAN.answered("pass", Phrase.of(what, names=listed(for_cards)))
    if names:
        found = Phrase.of(
            QT_TRANSLATE_NOOP("core", "only drivers that compute on the processor: {names}"), names=listed(names)
        )
    else:
        found = Phrase.of(QT_TRANSLATE_NOOP("core", "the loader is installed, and no driver"))
    return _VULKAN.answered("warn", found, _get_driver(profile))


def _get_loader(profile: HardwareProfile) -> Phrase:
    if on_windows(profile):
        return Phrase.of(QT_TRANSLATE_NOOP("core", "Install the newest driver of the card: it brings Vulkan."))
    return Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Install the Vulkan loader: sudo apt install libvulkan1 (on Fedora vulkan-loader, on Arch "
            "vulkan-icd-loader).",
        )
    )


def _get_driver(profile: HardwareProfile) -> Phrase:
    if on_windows(profile):
        return Phrase.of(QT_TRANSLATE_NOOP("core", "Install the newest driver of the card: it brings Vulkan."))
    return Phrase.of(
        QT_TRANSLATE_NOOP(
            "core",
            "Install the card's Vulkan driver: sudo apt install mesa-vulkan-drivers for AMD and Intel; NVIDIA's own "
            "driver brings it.",
        )
    )
