"""Loading a model."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop.actions.fit import plan_model
from desktop.engine.protocol import LoadedModel, LoadPlan
from desktop.services import Services

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel

SMALLEST_CONTEXT = 1024
"""Tokens: no plan goes below by itself."""


async def load_model(
    services: Services,
    model: "InstalledModel",
    *,
    context: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> LoadedModel:
    """Plan `model` (what find_model gave) and load it as planned.

    Raises what plan_model raises, and the errors of engine.failure.
    """
    plan = await plan_model(services, model, context=context)
    return await services.engine.load(plan, on_progress)


def smaller_context(plan: LoadPlan) -> int | None:
    """Return half of a plan's context in tokens: what to try after the engine crashed with it again and again.

    None when half would be too little to talk in.
    """
    half = plan.n_ctx // 2
    return half if half >= SMALLEST_CONTEXT else None
