"""A split that a person makes: what the engine says of it, before anything is loaded."""

import asyncio
from typing import TYPE_CHECKING

from desktop.actions.plan import exact_memory
from desktop.engine.protocol import DeviceMemory
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.fit.plans.plan import PlanTask
    from desktop.fit.plans.split_editor import SplitDraft, SplitProblem


async def exact_split(
    services: Services, task: "PlanTask", problem: "SplitProblem", draft: "SplitDraft"
) -> tuple[DeviceMemory, ...]:
    """Ask the engine in a dry run what each device would need, in bytes, overheads included; raises as exact_memory."""
    from desktop.fit.plans.split_editor import plan_of_draft

    plan = await asyncio.to_thread(plan_of_draft, task, problem, draft)
    return await exact_memory(services, task, plan)
