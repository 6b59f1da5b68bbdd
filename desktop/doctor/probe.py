"""Whether the look at the machine itself was complete."""

from desktop.doctor.check import Check, Question
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.hardware.types import HardwareProfile, SourceProblem

_HARDWARE = Question(
    id="hardware",
    title=Phrase.of(QT_TRANSLATE_NOOP("core", "Hardware")),
    wanted=Phrase.of(QT_TRANSLATE_NOOP("core", "every source answers in time")),
)


def check_probe(profile: HardwareProfile) -> Check:
    """Whether the machine was read completely; what has a check of its own is not told twice."""
    problem = next((each for each in profile.problems if not _told_elsewhere(each, profile)), None)
    if problem is None:
        return _HARDWARE.answered("pass", Phrase.of(QT_TRANSLATE_NOOP("core", "read completely")))
    remedy = QT_TRANSLATE_NOOP("core", "Look again. If it stays like this, the log has the details.")
    return _HARDWARE.answered("warn", problem.what, Phrase.of(remedy))


def _told_elsewhere(problem: SourceProblem, profile: HardwareProfile) -> bool:
    """Silent and lost cards, MIG and a driver without an answer have checks; a driver that hangs half-way has none."""
    if problem.source == "PCI":
        return True
    if not problem.source.startswith("NVML"):
        return False
    answered = any(gpu.vendor == "nvidia" for gpu in profile.gpus)
    broke_off = problem.seconds is not None or problem.source != "NVML"
    return not (answered and broke_off)
