"""The verdict on a choice: its words, and the look of its pill."""

from PySide6.QtCore import QCoreApplication, QLocale

from desktop.fit.types import Choice
from desktop.ui.widgets.pill import PillKind


def verdict_text(choice: Choice, left_out: str = "") -> str:
    """Return the verdict in words: "Fits", "Fits with 9 layers on the CPU" ..."""
    on_cpu = choice.n_layer + 1 - choice.n_gpu_layers
    texts = {
        "fits": QCoreApplication.translate("Verdict", "Fits"),
        "tight": QCoreApplication.translate("Verdict", "Fits, with little to spare"),
        "partial": QCoreApplication.translate("Verdict", "Fits with {layers} layers on the CPU"),
        "experts": QCoreApplication.translate("Verdict", "Fits with the experts of {blocks} layers on the CPU"),
        "feed_forward": QCoreApplication.translate("Verdict", "Fits with parts of {blocks} layers on the CPU"),
        "does_not_fit": QCoreApplication.translate("Verdict", "Does not fit: {size} GiB more needed"),
        "slow": QCoreApplication.translate("Verdict", "Fits, but slow"),
        "unfit": QCoreApplication.translate("Verdict", "Fits, but not this context"),
        "refused": QCoreApplication.translate("Verdict", "Cannot be used"),
    }
    blocks = choice.kept.blocks if choice.kept else 0
    return texts[_word(choice, left_out)].format(layers=on_cpu, size=_missing(choice), blocks=blocks)


def verdict_in_short(choice: Choice, left_out: str = "") -> str:
    """Return the verdict in fewer words, for where there is no room: the pill's icon says whether it fits."""
    words = _word(choice, left_out)
    on_cpu = QCoreApplication.translate("Verdict", "Partly on the CPU")
    texts = {
        "tight": QCoreApplication.translate("Verdict", "Little to spare"),
        "partial": on_cpu,
        "experts": on_cpu,
        "feed_forward": on_cpu,
        "does_not_fit": QCoreApplication.translate("Verdict", "{size} GiB more needed").format(size=_missing(choice)),
        "slow": QCoreApplication.translate("Verdict", "Slow"),
        "unfit": QCoreApplication.translate("Verdict", "Not this context"),
    }
    return texts.get(words) or verdict_text(choice, left_out)


def verdict_kind(choice: Choice, left_out: str = "") -> PillKind:
    """Return the look of the verdict's pill: what fits but is left out is no plain "fits"."""
    return "tight" if left_out and choice.verdict == "fits" else choice.verdict


def _word(choice: Choice, left_out: str) -> str:
    verdict = choice.kept.kind if choice.kept and choice.verdict == "partial" else choice.verdict
    return "refused" if choice.is_refused else left_out if left_out and choice.fits else verdict


def _missing(choice: Choice) -> str:
    return QLocale().toString(choice.missing / 2**30, "f", 1)
