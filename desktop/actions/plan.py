"""Planning a load: which layers go where, with how much context, checked by the engine itself."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from desktop.actions.fit import learned_defaults
from desktop.actions.survey import engine_of, survey
from desktop.engine.failure import EngineError
from desktop.engine.protocol import CacheLimits, DeviceMemory, FailureKind, LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, Phrase
from desktop.files import FileNotSaved
from desktop.services import Services, Survey
from desktop.settings import CACHE_DISK, CACHE_RAM, ENGINE_THREADS, MEMORY_GUARD, SPECULATION

if TYPE_CHECKING:
    from desktop.fit.plans.plan import PlanTask
    from desktop.fit.plans.wish import FitDefaults
    from desktop.gguf.header import GgufHeader
    from desktop.library.types import InstalledModel

ABOUT_THE_MODEL = frozenset(
    {
        FailureKind.UNSUPPORTED_ARCHITECTURE,
        FailureKind.CORRUPT_FILE,
        FailureKind.NOT_A_MODEL,
        FailureKind.FILE_MISSING,
        FailureKind.DEVICE_MISSING,
        FailureKind.WORKER_UNREACHABLE,
    }
)
"""What a dry run says of the model or the devices: the load would say the same."""

_NO_ANSWER = (EngineError, FileNotSaved, DiskFull)
"""A child that died, or a stub that could not be written: the plan is then made without asking."""

NOT_ASKED = QT_TRANSLATE_NOOP(
    "core", "The engine could not be asked beforehand ({reason}); the compute buffers are a careful estimate."
)

log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """A plan and what it was made from."""

    task: "PlanTask"
    plan: LoadPlan


async def plan_model(
    services: Services,
    model: "InstalledModel",
    *,
    context: int | None = None,
    gpu_layers: int | None = None,
    tensor_split: Sequence[int] = (),
) -> Planned:
    """Plan an installed model's layers over the devices at hand, and have the engine check it in a dry run.

    context, gpu_layers, tensor_split: what the person fixed. Raises DoesNotFit when an explicit context cannot be had
    (otherwise it is lowered, with its reason), unless the memory check is switched off; WrongUsage for a split that
    the devices cannot follow; the errors of gguf.header, and those of engine.failure that the load would raise too.
    """
    task = await task_of(services, model, context=context, gpu_layers=gpu_layers, tensor_split=tensor_split)
    plan = await _checked(services, task)
    return Planned(task, with_settings(services, plan))


async def predict_anew(services: Services, task: "PlanTask", plan: LoadPlan) -> LoadPlan:
    """Ask the engine anew what `plan` needs; where it cannot be asked, the plan says so and predicts nothing."""
    try:
        memory = await exact_memory(services, task, plan)
    except _NO_ANSWER as error:
        return msgspec.structs.replace(plan, predicted=(), exact=False, reasons=(*plan.reasons, _not_asked(error)))
    return msgspec.structs.replace(plan, predicted=memory, exact=True)


async def exact_memory(services: Services, task: "PlanTask", plan: LoadPlan) -> tuple[DeviceMemory, ...]:
    """Ask the engine in a dry run what each device would need, in bytes; overheads are those that `plan` predicted.

    Raises the errors of engine.failure, and those of a stub that cannot be written. Where this is cancelled, its child
    still finishes the answer, which is dropped.
    """
    overheads = {part.device: part.overhead for part in plan.predicted}
    told = await _ask(services, task, plan)
    return tuple(msgspec.structs.replace(part, overhead=overheads.get(part.device, 0)) for part in told)


def with_settings(services: Services, plan: LoadPlan) -> LoadPlan:
    """Add what the settings say of speculation and of conversations that wait."""
    return msgspec.structs.replace(plan, speculation=services.settings.get(SPECULATION), cache=cache_limits(services))


def cache_limits(services: Services) -> CacheLimits:
    """Where conversations wait that are not in the KV cache, as the settings say."""
    return CacheLimits(
        ram_bytes=services.settings.get(CACHE_RAM),
        disk_folder=str(services.paths.conversations_cache),
        disk_bytes=services.settings.get(CACHE_DISK),
    )


async def task_of(
    services: Services,
    model: "InstalledModel",
    *,
    context: int | None = None,
    gpu_layers: int | None = None,
    tensor_split: Sequence[int] = (),
    again: bool = True,
) -> "PlanTask":
    """What a load of `model` is planned from; `again` looks anew at what is free.

    Raises as plan_model does, and ModelFileGone. With a model loaded it always looks anew: what that one holds is
    counted as free, so that it must not be free yet.
    """
    from desktop.gguf.header import other_headers, read_header
    from desktop.library.condition import check_there

    path, loaded = await asyncio.to_thread(check_there, model), services.engine.loaded
    looked = survey(services, again=again or loaded is not None)
    header, found = await asyncio.gather(asyncio.to_thread(read_header, path), looked)
    task = _task_without_wishes(
        services,
        model,
        headers=(header, *await asyncio.to_thread(other_headers, path)),
        found=found,
        defaults=await learned_defaults(services, found),
    )
    return msgspec.structs.replace(
        task,
        context=context,
        gpu_layers=gpu_layers,
        tensor_split=tuple(tensor_split),
        reclaimed=loaded.memory if loaded else (),  # the engine unloads before it loads
    )


def _task_without_wishes(
    services: Services,
    model: "InstalledModel",
    *,
    headers: "tuple[GgufHeader, ...]",
    found: Survey,
    defaults: "FitDefaults",
) -> "PlanTask":
    from desktop.fit.plans.plan import PlanTask

    return PlanTask(
        path=Path(model.path),
        name=model.name,
        quantization=model.quantization,
        header=headers[0],
        shards=headers[1:],
        profile=found.profile,
        devices=engine_of(found).devices,
        wanted_context=defaults.context,
        type_k=defaults.kv,
        type_v=defaults.kv,
        threads=services.settings.get(ENGINE_THREADS),
        margin=defaults.margin,
        overheads=defaults.overheads,
        probes=defaults.probes,
        parallel=defaults.parallel,
        refuse=services.settings.get(MEMORY_GUARD),
    )


async def _checked(services: Services, task: "PlanTask") -> LoadPlan:
    from desktop.fit.plans.plan import plan_by_arithmetic
    from desktop.fit.plans.verified import make_verified_plan

    async def ask(plan: LoadPlan) -> tuple[DeviceMemory, ...]:
        return await _ask(services, task, plan)

    try:
        return await make_verified_plan(task, ask)
    except _NO_ANSWER as error:
        if isinstance(error, EngineError) and error.failure is not None and error.failure.kind in ABOUT_THE_MODEL:
            raise
        log.warning("planned %s by arithmetic: the engine could not be asked: %s", task.name, error)
        plan = plan_by_arithmetic(task)
        return msgspec.structs.replace(plan, reasons=(*plan.reasons, _not_asked(error)))


async def _ask(services: Services, task: "PlanTask", plan: LoadPlan) -> tuple[DeviceMemory, ...]:
    from desktop.fit.dry_run.asking import ask_engine, key_of_machine

    folder, hardware = services.paths.stubs, key_of_machine(task.profile, task.devices)
    exact = await ask_engine(services.dry_runs, plan, task.header, task.shards, folder=folder, hardware=hardware)
    return exact.memory


def _not_asked(error: AppError) -> Phrase:
    return Phrase.of(NOT_ASKED, reason=str(error))
