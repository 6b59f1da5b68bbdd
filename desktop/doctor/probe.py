"""Whether the look at the machine itself was complete."""

from desktop.doctor.check import Check
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile

_OTHER_CHECKS = ("NVML", "PCI")
"""Sources whose problems the check of the NVIDIA driver tells."""


def check_probe(profile: HardwareProfile) -> Check:
    """Whether the machine was read completely; what belongs to a graphics driver has a check of its own."""
    problem = next((each for each in profile.problems if not each.source.startswith(_OTHER_CHECKS)), None)
    remedy = Phrase.of(QT_TRANSLATE_NOOP("core", "Look again. If it stays like this, the log has the details."))
    return Check(
        id="hardware",
        status="pass" if problem is None else "warn",
        title=Phrase.of(QT_TRANSLATE_NOOP("core", "Hardware")),
        found=Phrase.of(QT_TRANSLATE_NOOP("core", "read completely")) if problem is None else problem.what,
        wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "every source answers in time")),
        remedy=None if problem is None else remedy,
    )
