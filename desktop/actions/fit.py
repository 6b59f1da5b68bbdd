"""What one model file needs, and whether it fits."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.actions.models import find_model
from desktop.actions.survey import survey
from desktop.errors import AppError
from desktop.services import Services
from desktop.settings import ENGINE_PARALLEL, KV_TYPE, MEMORY_MARGIN, WANTED_CONTEXT

if TYPE_CHECKING:
    from desktop.fit.report import FitDefaults, FitReport, FitWish


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
