"""Looking at the machine."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from desktop.engine.protocol import EngineInfo
from desktop.errors import AppError
from desktop.services import Services, Survey
from desktop.settings import ENGINE_THREADS

if TYPE_CHECKING:
    from desktop.fit.speeds.measured import Probes


async def survey(services: Services, *, again: bool = False) -> Survey:
    """Look at the machine and at what the engine can use of it; `again` looks anew instead of remembering.

    The profile always comes; where the engine cannot start, `engine` is None and `failure` says why.
    """
    if again or services.surveys.latest is None or services.surveys.latest.failure is not None:
        services.surveys.latest = await _look(services)
    return services.surveys.latest


def engine_of(found: Survey) -> EngineInfo:
    """Return what the engine is; where it did not start, raise why."""
    if found.engine is None:
        raise found.failure or AppError(reason="the engine did not start")
    return found.engine


def learned_overheads(services: Services, found: Survey) -> dict[str, int]:
    """What the drivers of the engine's devices were seen to take here, in bytes. Blocking."""
    from desktop.fit.speeds.known_speeds import driver_of

    if found.engine is None:
        return {}
    cards, version = found.profile.gpus, found.engine.version
    seen = {
        device.name: services.observed.overhead(device.description, driver_of(device.name, cards), version)
        for device in found.engine.devices
    }
    return {name: size for name, size in seen.items() if size is not None}


def learned_speeds(services: Services, found: Survey | None) -> "Probes | None":
    """What was measured of this machine's devices with this engine; None where nothing was. Blocking."""
    from desktop.fit.speeds.known_speeds import known_probes

    if found is None or found.engine is None:
        return None
    threads = services.settings.get(ENGINE_THREADS)
    return known_probes(services.observed, found.engine, found.profile.gpus, threads=threads)


async def _look(services: Services) -> Survey:
    from desktop.engine.inventory import join_devices
    from desktop.hardware.probe import probe_hardware

    profile, engine = await asyncio.gather(
        probe_hardware(models_folder=services.models_folder), _engine_now(services), return_exceptions=True
    )
    if isinstance(profile, BaseException):
        raise profile
    if isinstance(engine, AppError):
        return Survey(profile=profile, failure=engine)
    if isinstance(engine, BaseException):
        raise engine
    return Survey(profile=join_devices(profile, engine), engine=engine)


async def _engine_now(services: Services) -> EngineInfo:
    """What the engine is and what is free on its devices now: no probe sees those that are integrated or remote."""
    info = await services.engine.start()
    return msgspec.structs.replace(info, devices=await services.engine.devices())
