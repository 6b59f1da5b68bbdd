"""Looking at the machine."""

import asyncio

from desktop.errors import AppError
from desktop.services import Services, Survey


async def survey(services: Services, *, again: bool = False) -> Survey:
    """Look at the machine and at what the engine can use of it; `again` looks anew instead of remembering.

    The profile always comes; where the engine cannot start, `engine` is None and `failure` says why.
    """
    if again or services.surveys.latest is None or services.surveys.latest.failure is not None:
        services.surveys.latest = await _look(services)
    return services.surveys.latest


async def _look(services: Services) -> Survey:
    from desktop.engine.inventory import join_devices
    from desktop.hardware.probe import probe_hardware

    profile, engine = await asyncio.gather(
        probe_hardware(models_folder=services.models_folder), services.engine.start(), return_exceptions=True
    )
    if isinstance(profile, BaseException):
        raise profile
    if isinstance(engine, AppError):
        return Survey(profile=profile, failure=engine)
    if isinstance(engine, BaseException):
        raise engine
    return Survey(profile=join_devices(profile, engine), engine=engine)
