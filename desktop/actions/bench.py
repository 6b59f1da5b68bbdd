"""Measuring: how fast this machine is without a model, and how fast and large a model really is on it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from desktop.actions.load import load_exactly
from desktop.actions.models import find_model
from desktop.actions.plan import plan_model
from desktop.actions.runs import RunningModel, note_run, predicted_pace
from desktop.actions.survey import engine_of, learned_speeds, survey
from desktop.engine.protocol import CacheLimits, DeviceMemory, EngineInfo, LoadedModel, LoadPlan
from desktop.errors import WrongUsage
from desktop.fit.speeds.bench import PROMPT, WRITTEN, Pace, measure_pace, prompt_of
from desktop.services import Services, Survey
from desktop.settings import ENGINE_THREADS

if TYPE_CHECKING:
    from desktop.fit.speeds.measured import Probes

DEPTHS = (0, 512, 2048, 8192, 32768)
"""Tokens of conversation at which is measured, as far as the context has room."""

OnStage = Callable[[str, float], None]
"""Gets what is being done ("machine", "load", "run") and how much of that is done, 0 to 1."""


class BenchRow(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens per second at one depth, measured and as predicted before; None where nothing could be predicted."""

    depth: int
    prefill: float
    decode: float
    predicted_prefill: float | None = None
    predicted_decode: float | None = None


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """memory: bytes per device, predicted by the plan and measured from the engine's own buffers."""

    model: str
    quantization: str
    plan: LoadPlan
    loaded: LoadedModel
    predicted: tuple[DeviceMemory, ...]
    measured: tuple[DeviceMemory, ...]
    rows: tuple[BenchRow, ...]


class _Known(NamedTuple):
    """What the engine is, and what was measured with it."""

    engine: EngineInfo
    survey: Survey
    probes: "Probes | None"


async def measure_machine(services: Services, on_progress: Callable[[float], None] | None = None) -> "Probes | None":
    """Measure every device that the engine computes on, without a model, and remember it; some seconds each.

    Raises the errors of engine.failure.
    """
    from desktop.fit.speeds.known_speeds import remember_probes
    from desktop.fit.speeds.speed_probe import measure_speeds

    found = await survey(services)
    engine_of(found)
    answer = await measure_speeds(threads=services.settings.get(ENGINE_THREADS), on_progress=on_progress)
    await asyncio.to_thread(
        remember_probes, services.observed, answer.devices, engine=answer.engine, cards=found.profile.gpus
    )
    return await asyncio.to_thread(learned_speeds, services, found)


async def bench_model(
    services: Services,
    reference: str,
    *,
    context: int | None = None,
    depths: Sequence[int] = (),
    on_stage: OnStage | None = None,
) -> BenchReport:
    """Load a model as planned, measure it at depths (none: DEPTHS), and remember how it ran.

    The machine itself is measured first where that was not done yet. Raises WrongUsage for a depth that the context
    has no room for, and what find_model, plan_model, load and generate raise.
    """
    tell = on_stage or (lambda _stage, _fraction: None)
    model = await asyncio.to_thread(find_model, services, reference)
    planned = await plan_model(services, model, context=context)
    plan = msgspec.structs.replace(planned.plan, speculation="off", cache=CacheLimits())
    wanted = _depths(plan.n_ctx, depths)
    known = await _measured_machine(services, lambda fraction: tell("machine", fraction))
    loaded = await load_exactly(services, plan, lambda fraction: tell("load", fraction))
    tokens = await prompt_of(services.engine, wanted[-1] + PROMPT)
    running = RunningModel(plan, loaded, planned.task.header, planned.task.shards, model.quantization)
    rows = []
    for index, depth in enumerate(wanted):
        tell("run", index / len(wanted))
        actual = await measure_pace(services.engine, tokens, depth, repeats=2)
        predicted = predicted_pace(known.survey, known.probes, running, actual)
        await asyncio.to_thread(note_run, services, known.engine.version, running, actual, predicted)
        rows.append(_row(actual, predicted))
    tell("run", 1.0)
    return _report(model.name, model.quantization, plan, loaded, rows)


def _depths(n_ctx: int, asked: Sequence[int]) -> list[int]:
    """Depths in rising order that leave room for what is read and written there."""
    most = n_ctx - PROMPT - WRITTEN - 1
    if most < 0:
        raise WrongUsage(reason=f"{n_ctx} tokens of context are too few to measure; it takes {n_ctx - most} or more")
    if any(not 0 <= depth <= most for depth in asked):
        raise WrongUsage(reason=f"with {n_ctx} tokens of context depths may be 0 to {most}")
    return sorted(set(asked)) or [depth for depth in DEPTHS if depth <= most]


async def _measured_machine(services: Services, on_progress: Callable[[float], None]) -> _Known:
    from desktop.fit.speeds.known_speeds import unmeasured

    found = await survey(services)
    engine = engine_of(found)
    probes = await asyncio.to_thread(learned_speeds, services, found)
    if unmeasured(probes, engine.devices):
        probes = await measure_machine(services, on_progress)
    return _Known(engine, found, probes)


def _row(actual: Pace, predicted: Pace | None) -> BenchRow:
    return BenchRow(
        depth=actual.depth,
        prefill=actual.prefill,
        decode=actual.decode,
        predicted_prefill=predicted.prefill if predicted else None,
        predicted_decode=predicted.decode if predicted else None,
    )


def _report(name: str, quantization: str, plan: LoadPlan, loaded: LoadedModel, rows: Sequence[BenchRow]) -> BenchReport:
    from desktop.fit.remembered.actual import actual_memory, predicted_memory

    return BenchReport(
        model=name,
        quantization=quantization,
        plan=plan,
        loaded=loaded,
        predicted=predicted_memory(plan),
        measured=actual_memory(plan, loaded),
        rows=tuple(rows),
    )
