"""Why a choice is where it is, in words."""

from collections.abc import Sequence

from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.advice.ranking import Priced
from desktop.fit.memory.placement import CPU
from desktop.fit.plans.plan import EXPERTS_KEPT, FEED_FORWARD_KEPT, GEMMA_KV
from desktop.fit.rating.quality import kv_is_warned_of
from desktop.fit.types import Choice, DeviceBudget, QualityWord
from desktop.sizes import gb, gib

_BEST = QT_TRANSLATE_NOOP(
    "core", "The most capable model of the catalog that fits here and writes at least {speed} tokens per second."
)
_BEHIND = QT_TRANSLATE_NOOP("core", "Less capable than {better}, by size and generation.")
_AFTER_LOSS = QT_TRANSLATE_NOOP(
    "core", "Only fits with much loss, so a smaller model with less loss is placed before it."
)
_ALTERNATIVE = QT_TRANSLATE_NOOP("core", "Another file of {model}, which is already in this list as {quantization}.")
_QUALITY: dict[QualityWord, str] = {
    "lossless in practice": QT_TRANSLATE_NOOP("core", "{quantization} is lossless in practice."),
    "near-lossless": QT_TRANSLATE_NOOP("core", "{quantization} is near-lossless."),
    "good": QT_TRANSLATE_NOOP("core", "Compressed as {quantization} it stays good."),
    "acceptable": QT_TRANSLATE_NOOP(
        "core", "Compressed as {quantization} it loses some quality, to an acceptable degree."
    ),
    "poor": QT_TRANSLATE_NOOP("core", "Compressed as {quantization} it loses much quality."),
}
_FINER_TOO_SLOW = QT_TRANSLATE_NOOP(
    "core", "{quantization} would lose less, but write only about {speed} tokens per second."
)
_FINER_TOO_LARGE = QT_TRANSLATE_NOOP("core", "{quantization} would lose less, but needs {missing} more memory.")
_FINER_BARELY = QT_TRANSLATE_NOOP(
    "core", "{quantization} would lose a little less, but is only just fast enough: about {speed} tokens per second."
)
_FINER_SPILLS = QT_TRANSLATE_NOOP(
    "core", "{quantization} would lose less, but some of its layers would have to stay on the slower processor."
)
_IN_RAM = QT_TRANSLATE_NOOP("core", "Needs {need} of main memory; {free} may be used.")
_ON_CARDS = QT_TRANSLATE_NOOP("core", "Needs {need} on {devices}; beyond the safety margin {spare} stay free.")
_PARTIAL = QT_TRANSLATE_NOOP(
    "core", "{offloaded} of {count} layers are on graphics cards, the rest on the processor, which is slower."
)
_SPEED = {  # by whether this machine was measured
    False: QT_TRANSLATE_NOOP(
        "core", "About {low} to {high} tokens per second: an estimate until it was measured on this machine."
    ),
    True: QT_TRANSLATE_NOOP("core", "About {low} to {high} tokens per second, from what was measured on this machine."),
}
_THINKS = QT_TRANSLATE_NOOP("core", "Thinks before it answers, so the first word of an answer comes later.")
_FOR_CODE = QT_TRANSLATE_NOOP("core", "Trained for programming more than for conversation.")
_LARGER_TOO_BIG = QT_TRANSLATE_NOOP("core", "{model} would be more capable, but needs {missing} more memory.")
_LARGER_TOO_SLOW = QT_TRANSLATE_NOOP(
    "core", "{model} would be more capable, but would write only about {speed} tokens per second."
)
_DISK = QT_TRANSLATE_NOOP("core", "The file has {size}, and the disk has only {free} left.")
_SIZE_ESTIMATED = QT_TRANSLATE_NOOP("core", "The size of the file is an estimate until the Hub was asked.")
_INSTALLED = QT_TRANSLATE_NOOP("core", "Already on this computer.")
_TOO_LARGE = QT_TRANSLATE_NOOP("core", "{missing} of memory are missing.")
_TIGHT = QT_TRANSLATE_NOOP("core", "Would fit only just: {missing} of the safety margin are missing.")
_TOO_SLOW = {
    False: QT_TRANSLATE_NOOP(
        "core", "Would write only about {speed} tokens per second; {minimum} are wanted. This is an estimate."
    ),
    True: QT_TRANSLATE_NOOP("core", "Would write only about {speed} tokens per second; {minimum} are wanted."),
}
_TOO_SHORT = QT_TRANSLATE_NOOP("core", "Was trained for {trained} tokens of context; {context} are wanted.")


def reasons_for_choice(
    priced: Priced,
    *,
    better: Priced | None,
    siblings: Sequence[Priced],
    budgets: Sequence[DeviceBudget],
    minimum: float,
) -> list[Phrase]:
    """Say why this model, why this quantization, what it needs and how fast it will be.

    better: the choice before it, None for the first. siblings: all files of the model.
    """
    choice = priced.choice
    if better is None:
        first = Phrase.of(_BEST, speed=f"{minimum:g}")
    elif choice.capability > better.choice.capability:
        first = Phrase.of(_AFTER_LOSS)
    else:
        first = Phrase.of(_BEHIND, better=better.choice.model_name)
    finer = _why_not_finer(priced, siblings, minimum)
    return [first, _quality(choice), *finer, *_memory(choice, budgets), _speed(choice), *_remarks(priced)]


def reasons_for_alternative(priced: Priced, *, best: Priced, budgets: Sequence[DeviceBudget]) -> list[Phrase]:
    """Say that this is another file of a model that is in the list already."""
    choice = priced.choice
    first = Phrase.of(_ALTERNATIVE, model=choice.model_name, quantization=best.choice.quantization)
    return [first, _quality(choice), *_memory(choice, budgets), _speed(choice), *_remarks(priced)]


def reasons_for_rejection(priced: Priced, *, minimum: float) -> list[Phrase]:
    """Say what is in the way, the hardest first."""
    choice, reasons = priced.choice, []
    if choice.verdict == "does_not_fit":
        reasons.append(Phrase.of(_TOO_LARGE, missing=gib(choice.missing)))
    elif choice.verdict == "tight":
        reasons.append(Phrase.of(_TIGHT, missing=gib(choice.missing)))
    if choice.context > priced.model.training_context:
        reasons.append(Phrase.of(_TOO_SHORT, trained=priced.model.training_context, context=choice.context))
    if choice.fits and choice.speed.decode < minimum:
        reasons.append(_too_slow(choice, f"{minimum:g}"))
    return reasons


def reasons_for_file(choice: Choice, *, budgets: Sequence[DeviceBudget], disk_free: int) -> tuple[Phrase, ...]:
    """Say of a file that no catalog ranks what is in its way, or what it needs and how fast it will be.

    disk_free: bytes.
    """
    if choice.verdict in ("tight", "does_not_fit"):
        reasons = [_obstacle(choice)]
    else:
        reasons = [*_memory(choice, budgets), _speed(choice)]
    if choice.quantization:
        reasons.append(_quality(choice))
    remarks = [Phrase.of(_INSTALLED)] if choice.installed else disk_reason(choice, disk_free)
    return (*reasons, *remarks)


def renewed_reasons(old: Choice, new: Choice, budgets: Sequence[DeviceBudget], *, disk_free: int) -> tuple[Phrase, ...]:
    """The reasons of `old` with what the engine said: where each stood, the same is said with the figures of `new`.

    Every reason above that states a figure of the choice has its group here. disk_free: bytes.
    """
    obstacle = list[Phrase]()
    if new.verdict in ("tight", "does_not_fit"):
        obstacle = [_obstacle(new)]
    memory = [] if obstacle else _memory(new, budgets)
    groups: tuple[tuple[frozenset[str], list[Phrase]], ...] = (
        (frozenset({_TOO_LARGE, _TIGHT}), obstacle),
        (frozenset(_QUALITY.values()), [_quality(new)]),
        (frozenset({_IN_RAM, _ON_CARDS, _PARTIAL, EXPERTS_KEPT, FEED_FORWARD_KEPT}), memory),
        (frozenset(_SPEED.values()), [_speed(new)]),
        (frozenset({_SIZE_ESTIMATED}), []),
        (frozenset({_DISK}), disk_reason(new, disk_free)),
    )
    reasons = list[Phrase]()
    for reason in old.reasons:
        said = next((group for templates, group in groups if reason.template in templates), [reason])
        if reason.template in _TOO_SLOW.values():
            said = [_too_slow(new, str(reason.arguments["minimum"]))]
        reasons += [phrase for phrase in said if phrase not in reasons]
    return tuple(reasons if not obstacle or obstacle[0] in reasons else [*obstacle, *reasons])


def why_not_larger(priced: Priced, missed: Sequence[Priced]) -> list[Phrase]:
    """Name the next more capable model that has no choice, and what is in its way."""
    above = [entry for entry in missed if entry.choice.capability > priced.choice.capability]
    if not above:
        return []
    choice = min(above, key=lambda entry: entry.choice.capability).choice
    if choice.missing:
        return [Phrase.of(_LARGER_TOO_BIG, model=choice.model_name, missing=gib(choice.missing))]
    return [Phrase.of(_LARGER_TOO_SLOW, model=choice.model_name, speed=_per_second(choice))]


def disk_reason(choice: Choice, free: int) -> list[Phrase]:
    """Say that the file does not fit on the disk, if so."""
    if choice.installed or choice.download_size <= free:
        return []
    return [Phrase.of(_DISK, size=gb(choice.download_size), free=gb(free))]


def _why_not_finer(priced: Priced, siblings: Sequence[Priced], minimum: float) -> list[Phrase]:
    """The next file with clearly less loss, and what is in its way."""
    kld = priced.choice.quality.kld
    finer = [entry for entry in siblings if entry.choice.quality.kld < kld - 0.001]
    if not finer or priced.choice.quality.word == "lossless in practice":
        return []
    choice = max(finer, key=lambda entry: entry.choice.quality.kld).choice
    if choice.verdict in ("does_not_fit", "tight"):
        return [Phrase.of(_FINER_TOO_LARGE, quantization=choice.quantization, missing=gib(choice.missing))]
    if choice.speed.decode < minimum:
        return [Phrase.of(_FINER_TOO_SLOW, quantization=choice.quantization, speed=_per_second(choice))]
    if choice.verdict == "partial" and priced.choice.verdict == "fits":
        return [Phrase.of(_FINER_SPILLS, quantization=choice.quantization)]
    return [Phrase.of(_FINER_BARELY, quantization=choice.quantization, speed=_per_second(choice))]


def _obstacle(choice: Choice) -> Phrase:
    template = _TOO_LARGE if choice.verdict == "does_not_fit" else _TIGHT
    return Phrase.of(template, missing=gib(choice.missing))


def _quality(choice: Choice) -> Phrase:
    return Phrase.of(_QUALITY[choice.quality.word], quantization=choice.quantization)


def _memory(choice: Choice, budgets: Sequence[DeviceBudget]) -> list[Phrase]:
    labels = {budget.name: budget.label or budget.name for budget in budgets}
    cards = [part for part in choice.memory if part.device != CPU]
    if not cards:
        cpu = budgets[0]
        return [Phrase.of(_IN_RAM, need=gib(choice.memory_total), free=gib(cpu.free - cpu.margin))]
    need = gib(sum(part.total for part in cards))
    devices = ", ".join(labels[part.device] for part in cards)
    reasons = [Phrase.of(_ON_CARDS, need=need, devices=devices, spare=gib(choice.spare))]
    if choice.kept is not None:
        template = EXPERTS_KEPT if choice.kept.kind == "experts" else FEED_FORWARD_KEPT
        reasons.append(Phrase.of(template, blocks=choice.kept.blocks))
    elif choice.verdict == "partial":
        reasons.append(Phrase.of(_PARTIAL, offloaded=choice.n_gpu_layers, count=choice.n_layer + 1))
    return reasons


def _speed(choice: Choice) -> Phrase:
    low, high = f"{choice.speed.decode_low:.0f}", f"{choice.speed.decode_high:.0f}"
    return Phrase.of(_SPEED[choice.speed.measured], low=low, high=high)


def _too_slow(choice: Choice, minimum: str) -> Phrase:
    return Phrase.of(_TOO_SLOW[choice.speed.measured], speed=_per_second(choice), minimum=minimum)


def _remarks(priced: Priced) -> list[Phrase]:
    choice, remarks = priced.choice, []
    task = priced.model.capability.task_class
    if task == "reasoning":
        remarks.append(Phrase.of(_THINKS))
    elif task == "code":
        remarks.append(Phrase.of(_FOR_CODE))
    if kv_is_warned_of(priced.model.architecture, choice.kv, choice.kv):
        remarks.append(Phrase.of(GEMMA_KV))
    if choice.installed:
        remarks.append(Phrase.of(_INSTALLED))
    elif choice.size_is_estimate:
        remarks.append(Phrase.of(_SIZE_ESTIMATED))
    return remarks


def _per_second(choice: Choice) -> str:
    return f"{choice.speed.decode:.1f}"
