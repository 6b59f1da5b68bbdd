"""A split that a person makes: what the engine says of it, before anything is loaded."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from desktop.engine.protocol import DeviceMemory
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.fit.plans.plan import PlanTask
    from desktop.fit.plans.split_editor import SplitDraft, SplitProblem


async def exact_split(
    services: Services, task: "PlanTask", problem: "SplitProblem", draft: "SplitDraft"
) -> tuple[DeviceMemory, ...]:
    """Ask the engine in a dry run what each device would need, in bytes, overheads included.

    Raises the errors of engine.failure. Where this is cancelled, its child still finishes the answer, which is dropped.
    """
    from desktop.fit.dry_run.asking import ask_engine, key_of_machine
    from desktop.fit.plans.split_editor import plan_of_draft

    plan = await asyncio.to_thread(plan_of_draft, task, problem, draft)
    folder, hardware = services.paths.stubs, key_of_machine(task.profile, task.devices)
    exact = await ask_engine(services.dry_runs, plan, task.header, task.shards, folder=folder, hardware=hardware)
    overheads = {part.device: part.overhead for part in plan.predicted}
    return tuple(msgspec.structs.replace(part, overhead=overheads.get(part.device, 0)) for part in exact.memory)
