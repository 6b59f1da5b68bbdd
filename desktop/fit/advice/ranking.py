"""The order of choices: models by capability, one quantization for each by its loss.

Rule (see docs/fit.md): a candidate fits every device with its margin at the wanted context and writes fast enough. The
loss of a quantization chooses among the files of ONE model, so that a small model at 16 bits never beats a large one
at 4; a model that only fits with much loss gives way to the next smaller one that does not.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from desktop.catalog.types import CatalogModel
from desktop.fit.rating.quality import MUCH_LOSS
from desktop.fit.types import Choice

_LOSSLESS = 0.002
_NO_REASON_TO_SPILL = 0.05  # with less loss than this, a file that fits the graphics cards beats one that does not
_TOLD_APART = 0.002  # losses nearer than this to each other are the same for a person; then the smaller file wins
_COMFORT = 1.5  # times the least speed; below it, speed is worth more than a difference that has no word of its own


class Priced(NamedTuple):
    """A choice with the model it is of."""

    model: CatalogModel
    choice: Choice


def is_candidate(priced: Priced, *, minimum_speed: float) -> bool:
    """Whether a choice fits with its margin, at a context the model knows, and is fast enough."""
    choice = priced.choice
    return choice.fits and choice.context <= priced.model.training_context and choice.speed.decode >= minimum_speed


def best_quantization(candidates: Sequence[Priced], *, minimum_speed: float) -> Priced:
    """Choose among the candidates of one model: the least loss, without paying for what nobody can tell apart.

    Where the least loss is only just fast enough, the fastest file with the same word for its quality is taken: the
    speed is an estimate and must hold.
    """
    whole = [entry for entry in candidates if entry.choice.verdict == "fits"]
    if any(entry.choice.quality.kld < _NO_REASON_TO_SPILL for entry in whole):
        candidates = whole
    least = min(candidates, key=lambda entry: entry.choice.quality.kld)
    if least.choice.speed.decode < _COMFORT * minimum_speed:
        alike = [entry for entry in candidates if entry.choice.quality.word == least.choice.quality.word]
        return max(alike, key=lambda entry: entry.choice.speed.decode)
    limit = max(least.choice.quality.kld + _TOLD_APART, _LOSSLESS)
    alike = [entry for entry in candidates if entry.choice.quality.kld <= limit]
    return min(alike, key=lambda entry: (entry.choice.download_size, entry.choice.quality.kld))


def by_capability(entries: Iterable[Priced]) -> list[Priced]:
    """Sort by capability, newer and then larger first where that is equal; equal models keep the catalog's order."""
    return sorted(entries, key=lambda entry: standing(entry.model, entry.choice.capability), reverse=True)


def standing(model: CatalogModel, capability: float) -> tuple[float, str, int]:
    """What models are sorted by, the highest first."""
    return capability, model.released or "", model.parameters


def rank(entries: Iterable[Priced]) -> list[Priced]:
    """Order the best choices of all models; one with much loss comes right after the next smaller one without."""
    ranked: list[Priced] = []
    waiting: list[Priced] = []
    for entry in by_capability(entries):
        if entry.choice.quality.kld > MUCH_LOSS:
            waiting.append(entry)
            continue
        ranked += [entry, *waiting]
        waiting = []
    return ranked + waiting
