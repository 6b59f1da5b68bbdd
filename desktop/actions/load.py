"""Planning a load, and loading a model."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.fit import fit_defaults
from desktop.actions.survey import survey
from desktop.engine.protocol import CacheLimits, LoadedModel, LoadPlan
from desktop.errors import AppError
from desktop.services import Services
from desktop.settings import CACHE_DISK, CACHE_RAM, ENGINE_THREADS, SPECULATION

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel

SMALLEST_CONTEXT = 1024
"""Tokens: no plan goes below by itself."""


async def plan_model(services: Services, model: "InstalledModel", *, context: int | None = None) -> LoadPlan:
    """Plan an installed model's layers over the devices at hand.

    Raises DoesNotFit when an explicit `context` cannot be had; otherwise the context is lowered, with its reason.
    """
    from desktop.fit.plan import make_plan
    from desktop.gguf.header import read_header

    path = Path(model.path)
    header, found = await asyncio.gather(asyncio.to_thread(read_header, path), survey(services, again=True))
    if found.engine is None:
        raise found.failure or AppError(reason="the engine did not start")
    defaults, speculation = fit_defaults(services), services.settings.get(SPECULATION)
    plan = make_plan(
        path=path,
        name=model.name,
        header=header,
        profile=found.profile,
        devices=found.engine.devices,
        context=context,
        wanted_context=defaults.context,
        type_k=defaults.kv,
        type_v=defaults.kv,
        threads=services.settings.get(ENGINE_THREADS),
        margin=defaults.margin,
        parallel=defaults.parallel,
        # The engine unloads before it loads, so what is loaded now is room for what comes.
        reclaimed=services.engine.loaded.memory if services.engine.loaded else (),
    )
    return msgspec.structs.replace(plan, speculation=speculation, cache=cache_limits(services))


def cache_limits(services: Services) -> CacheLimits:
    """Where conversations wait that are not in the KV cache, as the settings say."""
    return CacheLimits(
        ram_bytes=services.settings.get(CACHE_RAM),
        disk_folder=str(services.paths.conversations_cache),
        disk_bytes=services.settings.get(CACHE_DISK),
    )


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
