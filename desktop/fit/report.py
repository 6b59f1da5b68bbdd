"""What one model file needs on the devices at hand or imagined, and whether it fits: the answer of `snug fit`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from desktop.engine.protocol import DeviceMemory, EngineDevice, LoadPlan
from desktop.fit.cards.what_if import as_engine_device
from desktop.fit.dry_run.asking import ModelDryRuns, key_of_machine
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.memory.split import headroom, per_budget
from desktop.fit.plans.plan import Decision, PlanTask, decide, plan_of, problem_of
from desktop.fit.plans.search import Problem
from desktop.fit.plans.verified import verify
from desktop.fit.plans.wish import FitDefaults, FitWish, task_about
from desktop.fit.rating.quality import KvQuality, kv_loss, quality_of_header
from desktop.fit.subject import FitSubject
from desktop.fit.types import DeviceBudget, Quality, Speed
from desktop.hardware.types import HardwareProfile


class FitDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device: what the model needs on it, in bytes, and what it has. free: before the model comes."""

    name: str
    label: str
    weights: int
    kv: int
    compute: int
    overhead: int
    total: int
    free: int
    fits: bool


class FitReport(msgspec.Struct, frozen=True, kw_only=True):
    """exact: the engine itself answered; else weights and KV cache are exact, compute buffers estimated.

    quality: of the weights; kv_quality: what the types of the KV cache were measured to cost this family.
    actual: what the last load with these settings took on each device, where there was one, overheads left out.
    kv_by_arithmetic: the KV cache per device is exact to the byte; else the engine's sums were shared out.
    """

    subject: FitSubject
    devices: tuple[FitDevice, ...]
    exact: bool
    kv_by_arithmetic: bool
    plan: LoadPlan
    speed: Speed
    quality: Quality
    kv_quality: KvQuality
    actual: tuple[DeviceMemory, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every device has room, its margin kept."""
        return all(device.fits for device in self.devices)


async def report_fit(
    subject: FitSubject,
    *,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    wish: FitWish,
    defaults: FitDefaults,
    dry_runs: DryRuns | None,
    folder: Path,
) -> FitReport:
    """Answer for a model whose header was read, planned as a load would be, but never refused.

    dry_runs: who asks the engine; None keeps to arithmetic. folder: where stubs lie.
    Raises WrongUsage for a split that the devices cannot follow, and what DryRuns.ask raises.
    """
    if wish.imagined is not None:
        devices = [as_engine_device(card) for card in wish.imagined]
    task = task_about(subject, profile=profile, devices=devices, wish=wish, defaults=defaults)
    if dry_runs is None:
        problem, decision = await asyncio.to_thread(_decide, task)
        return _report(subject, problem, decision, plan_of(task, problem, decision))
    engine = ModelDryRuns(
        dry_runs,
        subject,
        folder=folder,
        imagined=wish.imagined or (),
        hardware=key_of_machine(profile, devices),
    )
    found = await verify(task, engine.ask)
    plan = plan_of(task, found.problem, found.decision, memory=found.memory)
    return _report(subject, found.problem, found.decision, plan, kv_by_arithmetic=engine.kv_by_arithmetic)


def _decide(task: PlanTask) -> tuple[Problem, Decision]:
    problem = problem_of(task)
    return problem, decide(task, problem)


def _report(
    subject: FitSubject, problem: Problem, decision: Decision, plan: LoadPlan, *, kv_by_arithmetic: bool = True
) -> FitReport:
    return FitReport(
        subject=subject,
        devices=_rows(plan.predicted, problem.budgets),
        exact=plan.exact,
        kv_by_arithmetic=kv_by_arithmetic,
        plan=msgspec.structs.replace(plan, reasons=(*plan.reasons, *subject.remarks)),
        speed=decision.candidate.speed,
        quality=quality_of_header(subject.header, shards=subject.shards),
        kv_quality=kv_loss(subject.header.architecture, plan.type_k, plan.type_v),
    )


def _rows(memory: Sequence[DeviceMemory], budgets: Sequence[DeviceBudget]) -> tuple[FitDevice, ...]:
    parts = per_budget(memory, budgets)
    left = headroom(parts, budgets)
    return tuple(_row(budget, part, fits=left[budget.name] >= 0) for budget, part in zip(budgets, parts, strict=True))


def _row(budget: DeviceBudget, part: DeviceMemory, *, fits: bool) -> FitDevice:
    return FitDevice(
        name=budget.name,
        label=budget.label,
        weights=part.weights,
        kv=part.kv,
        compute=part.compute,
        overhead=part.overhead,
        total=budget.total,
        free=budget.free,
        fits=fits,
    )
