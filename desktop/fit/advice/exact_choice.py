"""A choice of the catalog with the engine's own figures, once the header of its file is known."""

from collections.abc import Sequence

import msgspec

from desktop.engine.protocol import EngineDevice
from desktop.fit.advice.reasons import renewed_reasons
from desktop.fit.advice.rows import verdict_of
from desktop.fit.dry_run.asking import ModelDryRuns
from desktop.fit.memory.budget import budgets_of_devices
from desktop.fit.memory.placement import placement_of
from desktop.fit.memory.split import headroom
from desktop.fit.plans.search import Candidate
from desktop.fit.plans.verified import verify
from desktop.fit.plans.wish import FitDefaults, FitWish, task_about
from desktop.fit.rating.quality import quality_of_header
from desktop.fit.subject import FitSubject
from desktop.fit.types import Choice, DeviceBudget
from desktop.hardware.types import HardwareProfile


def budgets_for(
    profile: HardwareProfile, devices: Sequence[EngineDevice], defaults: FitDefaults
) -> tuple[DeviceBudget, ...]:
    """What exact figures are compared with: the CPU's budget, then those of the engine's own devices."""
    return budgets_of_devices(profile, devices, margin=defaults.margin, overheads=defaults.overheads)


async def exact_choice(
    choice: Choice,
    subject: FitSubject,
    *,
    size: int,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    defaults: FitDefaults,
    engine: ModelDryRuns,
) -> Choice:
    """Plan the choice as a load would be planned, ask the engine, and say what it said.

    size: bytes of the model's files. Raises what DryRuns.ask raises.
    """
    wish = FitWish(context=choice.context, kv=choice.kv)
    found = await verify(
        task_about(subject, profile=profile, devices=devices, wish=wish, defaults=defaults), engine.ask
    )
    budgets = found.problem.budgets
    best = found.decision.candidate._replace(memory=found.memory, left=headroom(found.memory, budgets))
    new = msgspec.structs.replace(
        _placed(choice, best, budgets),
        download_size=size,
        size_is_estimate=False,
        n_layer=found.problem.shape.n_layer,
        quality=quality_of_header(subject.header, shards=subject.shards),
        exact=True,
    )
    return msgspec.structs.replace(new, reasons=renewed_reasons(choice, new, budgets, disk_free=profile.disk.free))


def _placed(choice: Choice, best: Candidate, budgets: Sequence[DeviceBudget]) -> Choice:
    left = min(best.left.values())
    return msgspec.structs.replace(
        choice,
        n_gpu_layers=best.layout.offloaded,
        placement=placement_of(best.layout.spans),
        kept=best.layout.kept,
        memory=best.memory,
        verdict=verdict_of(best, budgets),
        missing=max(-left, 0),
        spare=max(left, 0),
        speed=best.speed,
    )
