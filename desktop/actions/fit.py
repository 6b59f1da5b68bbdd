"""What fits: planning a load, telling what a file needs, ranking what could run."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.models import find_model
from desktop.actions.survey import survey
from desktop.engine.protocol import CacheLimits, KvType, LoadPlan
from desktop.errors import AppError
from desktop.services import Services
from desktop.settings import (
    CACHE_DISK,
    CACHE_RAM,
    ENGINE_PARALLEL,
    ENGINE_THREADS,
    KV_TYPE,
    MEMORY_MARGIN,
    MINIMUM_SPEED,
    SPECULATION,
    WANTED_CONTEXT,
)

if TYPE_CHECKING:
    from desktop.fit.report import FitDefaults, FitReport, FitWish
    from desktop.fit.types import Recommendation
    from desktop.hardware.types import HardwareProfile
    from desktop.library.types import InstalledModel


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


async def fit_model(
    services: Services,
    reference: str,
    *,
    wish: "FitWish",
    exact: bool = False,
) -> "FitReport":
    """Tell what an installed model, or a file, needs on the devices at hand or on imagined ones.

    exact: ask the engine in a dry run. Raises what find_model raises, WrongUsage, and the errors of engine.failure.
    """
    from desktop.fit.exact import DryRuns
    from desktop.fit.report import report_fit
    from desktop.gguf.header import read_header

    model = await asyncio.to_thread(find_model, services, reference)
    header, found = await asyncio.gather(asyncio.to_thread(read_header, Path(model.path)), survey(services))
    if found.engine is None and wish.imagined is None:
        raise found.failure or AppError(reason="the engine did not start")
    async with DryRuns() as dry_runs:
        return await report_fit(
            model,
            header,
            profile=found.profile,
            devices=found.engine.devices if found.engine else (),
            wish=wish,
            defaults=fit_defaults(services),
            dry_runs=dry_runs if exact else None,
            folder=services.paths.stubs,
        )


def fit_defaults(services: Services) -> "FitDefaults":
    """What the settings say of a load."""
    from desktop.fit.report import FitDefaults

    kv = services.settings.get(KV_TYPE)
    return FitDefaults(
        kv=kv,
        parallel=services.settings.get(ENGINE_PARALLEL),
        margin=services.settings.get(MEMORY_MARGIN),
        context=services.settings.get(WANTED_CONTEXT),
    )


def cache_limits(services: Services) -> CacheLimits:
    """Where conversations wait that are not in the KV cache, as the settings say."""
    return CacheLimits(
        ram_bytes=services.settings.get(CACHE_RAM),
        disk_folder=str(services.paths.conversations_cache),
        disk_bytes=services.settings.get(CACHE_DISK),
    )


def recommend_models(
    services: Services,
    profile: "HardwareProfile",
    *,
    context: int | None = None,
    kv: KvType | None = None,
    minimum_speed: float | None = None,
) -> "Recommendation":
    """Rank what could run on `profile`, best first. Blocking: reads the catalog and the library on first use.

    context: tokens. minimum_speed: tokens per second. None means what the settings say.
    """
    from desktop.fit.recommend import recommend

    chosen = services.settings.get(KV_TYPE)
    return recommend(
        profile=profile,
        catalog=services.catalog,
        installed={(model.model_id, model.quantization) for model in services.library.installed() if not model.missing},
        context=context or services.settings.get(WANTED_CONTEXT),
        kv=kv or chosen,
        minimum_speed=services.settings.get(MINIMUM_SPEED) if minimum_speed is None else minimum_speed,
        margin=services.settings.get(MEMORY_MARGIN),
    )
