"""The best model for a machine: every (model, quantization) of the catalog, ranked, each with its reasons."""

from collections.abc import Collection, Sequence
from itertools import groupby

from desktop.catalog.types import Catalog
from desktop.engine.protocol import KvType
from desktop.fit.advice.outlook import Prospects, one_step_up, outlook
from desktop.fit.advice.ranking import Priced, best_quantization, by_capability, is_candidate, rank, standing
from desktop.fit.advice.reasons import (
    disk_reason,
    reasons_for_alternative,
    reasons_for_choice,
    reasons_for_rejection,
    why_not_larger,
)
from desktop.fit.advice.rows import NOTHING_LEARNED, Learned, Machine, machine_of, price, rows_of, with_reasons
from desktop.fit.memory.budget import MARGIN
from desktop.fit.memory.placement import OUTPUTS, Request
from desktop.fit.rating.quality import MUCH_LOSS
from desktop.fit.types import Choice, Recommendation
from desktop.hardware.types import HardwareProfile

ENOUGH_CHOICES = 10
"""With fewer models than this, other files of the same models fill the list."""

_Models = list[list[Priced]]


def recommend(
    *,
    profile: HardwareProfile,
    catalog: Catalog,
    installed: Collection[tuple[str, str]] = (),
    context: int = 8192,
    kv: KvType = "f16",
    minimum_speed: float = 10.0,
    margin: int = MARGIN,
    learned: Learned = NOTHING_LEARNED,
) -> Recommendation:
    """Rank what this machine can run.

    One best choice per model, the most capable model first; below ENOUGH_CHOICES, other files of the same models
    follow. `rejected` has the nearest miss of every model without a choice. installed: (model id, quantization) on this
    disk. context: tokens. minimum_speed: tokens per second. margin: bytes to stay free. learned: of this machine.
    """
    machine = machine_of(profile, margin=margin, learned=learned)
    request = Request(context, kv, kv, n_outputs_max=OUTPUTS)  # a plan lowers the replies at once to fit
    models = _price_models(catalog, machine, request, frozenset(installed))
    best = rank(_best_of_each(models, minimum_speed))
    missed = _nearest_misses(models, best)
    choices = _explain_choices(best, missed, models, machine, minimum_speed)
    choices += _alternatives(best, models, machine, minimum_speed)[: max(ENOUGH_CHOICES - len(choices), 0)]
    larger = machine_of(one_step_up(profile), margin=margin, learned=learned)
    prospects = Prospects(
        best=next(iter(best), None),
        missed=missed,
        upgraded=_best_of(larger, catalog, request, minimum_speed),
        measured=all(choice.speed.measured for choice in choices),
    )
    return Recommendation(
        context=context,
        budgets=machine.budgets,
        choices=tuple(_with_disk(choice, profile) for choice in choices),
        rejected=tuple(_explain_rejection(entry, minimum_speed) for entry in missed),
        notes=tuple(outlook(prospects, profile=profile, context=context, minimum=minimum_speed)),
    )


def _best_of(machine: Machine, catalog: Catalog, request: Request, minimum_speed: float) -> Priced | None:
    """The first choice of a machine; the most capable models are priced first, and no more of them than it takes."""
    models = [list(rows) for _, rows in groupby(rows_of(catalog), key=lambda row: row.model.id)]
    found: list[Priced] = []
    for rows in sorted(models, key=lambda rows: standing(rows[0].model, rows[0].capability), reverse=True):
        found += _best_of_each([[Priced(row.model, price(row, machine, request)) for row in rows]], minimum_speed)
        if found and found[-1].choice.quality.kld <= MUCH_LOSS:
            break  # whatever comes now is ranked behind it
    return next(iter(rank(found)), None)


def _price_models(
    catalog: Catalog, machine: Machine, request: Request, installed: frozenset[tuple[str, str]]
) -> _Models:
    models = []
    for _, rows in groupby(rows_of(catalog), key=lambda row: row.model.id):
        files = []
        for row in rows:
            here = (row.model.id, row.quantization.name) in installed
            files.append(Priced(row.model, price(row, machine, request, installed=here)))
        models.append(files)
    return models


def _best_of_each(models: _Models, minimum_speed: float) -> list[Priced]:
    found = []
    for files in models:
        candidates = [entry for entry in files if is_candidate(entry, minimum_speed=minimum_speed)]
        if candidates:
            found.append(best_quantization(candidates, minimum_speed=minimum_speed))
    return found


def _nearest_misses(models: _Models, best: Sequence[Priced]) -> list[Priced]:
    """One file of every model that has no choice, the most capable model first."""
    chosen = {entry.model.id for entry in best}
    return by_capability(_nearest_miss(files) for files in models if files[0].model.id not in chosen)


def _nearest_miss(files: Sequence[Priced]) -> Priced:
    """The file of a model that comes closest: what fits but is slow before what does not fit at all."""
    slow = [entry for entry in files if is_candidate(entry, minimum_speed=0)]
    if slow:
        return max(slow, key=lambda entry: entry.choice.speed.decode)
    return min(files, key=lambda entry: entry.choice.missing)


def _explain_rejection(entry: Priced, minimum: float) -> Choice:
    return with_reasons(entry.choice, reasons_for_rejection(entry, minimum=minimum))


def _explain_choices(
    best: Sequence[Priced], missed: Sequence[Priced], models: _Models, machine: Machine, minimum: float
) -> list[Choice]:
    siblings = {files[0].model.id: files for files in models}
    explained = []
    better = None
    for entry in best:
        reasons = reasons_for_choice(
            entry, better=better, siblings=siblings[entry.model.id], budgets=machine.budgets, minimum=minimum
        )
        larger = [] if better else why_not_larger(entry, missed)
        explained.append(with_reasons(entry.choice, (*reasons, *larger)))
        better = entry
    return explained


def _alternatives(best: Sequence[Priced], models: _Models, machine: Machine, minimum: float) -> list[Choice]:
    """Other candidates of the ranked models, in their order, the least loss first."""
    siblings = {files[0].model.id: files for files in models}
    found = []
    for chosen in best:
        others = [entry for entry in siblings[chosen.model.id] if entry.choice is not chosen.choice]
        for entry in sorted(others, key=lambda entry: entry.choice.quality.kld):
            if is_candidate(entry, minimum_speed=minimum):
                reasons = reasons_for_alternative(entry, best=chosen, budgets=machine.budgets)
                found.append(with_reasons(entry.choice, reasons))
    return found


def _with_disk(choice: Choice, profile: HardwareProfile) -> Choice:
    extra = disk_reason(choice, profile.disk.free)
    return with_reasons(choice, (*choice.reasons, *extra)) if extra else choice
