"""What holds for a whole recommendation, and what would change its head: other wishes, other hardware."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.advice.ranking import Priced, by_capability, is_candidate
from desktop.fit.cards.cards import card_of_size
from desktop.fit.cards.what_if import imagine
from desktop.fit.rating.quality import MUCH_LOSS
from desktop.hardware.types import HardwareProfile
from desktop.sizes import gib

ONE_STEP_MORE = 8 << 30
"""Bytes of graphics memory that the outlook adds: a card for a machine without one, a larger card for another."""

_WORTH_WAITING = 1 / 3  # slower than this part of the wanted speed is not worth a word

_NEW_CARD = QT_TRANSLATE_NOOP(
    "core",
    "With a graphics card of {size}, {model} in {quantization} would come first, at about {speed} tokens per second.",
)
_LARGER_CARD = QT_TRANSLATE_NOOP(
    "core",
    "With {size} more graphics memory, {model} in {quantization} would come first, at about {speed} tokens per second.",
)
_LESS_SPEED = QT_TRANSLATE_NOOP(
    "core", "If {speed} tokens per second were enough, {model} in {quantization} would come first."
)
_ESTIMATED = QT_TRANSLATE_NOOP(
    "core", "Speeds are estimates from memory bandwidths that are usual for such hardware; they were not measured here."
)
_ON_CPU = QT_TRANSLATE_NOOP(
    "core", "No graphics card is used, so models run from main memory on the processor; smaller models write faster."
)
_NOTHING = QT_TRANSLATE_NOOP(
    "core", "No model of the catalog fits at {context} tokens of context and {minimum} tokens per second."
)
_NOT_ASKED = QT_TRANSLATE_NOOP(
    "core", "The engine was not asked yet which graphics cards it can use; this takes all of them for usable."
)


def one_step_up(profile: HardwareProfile) -> HardwareProfile:
    """Return the machine with ONE_STEP_MORE of graphics memory, in a new card or in the largest it has."""
    if not any(gpu.backend for gpu in profile.gpus):
        return imagine(profile, gpus=[card_of_size(ONE_STEP_MORE)])
    largest = max((gpu for gpu in profile.gpus if gpu.backend), key=lambda gpu: gpu.vram_total)
    larger = msgspec.structs.replace(
        largest, vram_total=largest.vram_total + ONE_STEP_MORE, vram_free=largest.vram_free + ONE_STEP_MORE
    )
    return msgspec.structs.replace(profile, gpus=tuple(larger if gpu is largest else gpu for gpu in profile.gpus))


class Prospects(NamedTuple):
    """What a list is headed by and what it is not.

    missed: the nearest miss of every model without a choice. upgraded: the first choice one step up, if any. measured:
    whether every speed that is shown was measured here.
    """

    best: Priced | None
    missed: Sequence[Priced]
    upgraded: Priced | None
    measured: bool


def outlook(prospects: Prospects, *, profile: HardwareProfile, context: int, minimum: float) -> list[Phrase]:
    """Say what holds for the whole list and what would change its head."""
    best, missed, upgraded, measured = prospects
    found = [] if best else [Phrase.of(_NOTHING, context=context, minimum=f"{minimum:g}")]
    has_gpu = any(gpu.backend for gpu in profile.gpus)
    if not profile.gpus or (profile.backends and not has_gpu):
        found.append(Phrase.of(_ON_CPU))
    floor = best.choice.capability if best else float("-inf")
    found += _slower(missed, floor, minimum)
    if upgraded is not None and upgraded.choice.capability > floor:
        template = _LARGER_CARD if has_gpu else _NEW_CARD
        found.append(_first_would_be(template, upgraded, size=gib(ONE_STEP_MORE)))
    if profile.gpus and not profile.backends:
        found.append(Phrase.of(_NOT_ASKED))
    return found if measured else [*found, Phrase.of(_ESTIMATED)]


def _slower(missed: Sequence[Priced], floor: float, minimum: float) -> list[Phrase]:
    better = [
        entry
        for entry in missed
        if entry.choice.capability > floor
        and entry.choice.quality.kld <= MUCH_LOSS
        and is_candidate(entry, minimum_speed=minimum * _WORTH_WAITING)
    ]
    return [_first_would_be(_LESS_SPEED, entry) for entry in by_capability(better)[:1]]


def _first_would_be(template: str, priced: Priced, **arguments: str) -> Phrase:
    choice = priced.choice
    speed = f"{choice.speed.decode:.1f}"
    return Phrase.of(template, model=choice.model_name, quantization=choice.quantization, speed=speed, **arguments)
