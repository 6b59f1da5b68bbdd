"""The composition root: which parts the app is made of, and the few actions that need several of them.

`Services` is built once per process and handed down; nothing looks it up. What costs time or may fail on its own
(databases, the Hub) is opened on first use, so that a broken chat database never keeps `snug probe` from answering.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.catalog.catalog import CatalogUnreadable, load_catalog
from desktop.engine.client import EngineClient
from desktop.engine.known_good import KnownGood
from desktop.engine.protocol import CacheLimits, EngineInfo, KvType, LoadedModel, LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.paths import Paths, catalog_file
from desktop.settings import (
    CACHE_DISK,
    CACHE_RAM,
    DEFAULT_MODEL,
    ENGINE_PARALLEL,
    ENGINE_THREADS,
    HF_ENDPOINT,
    KV_TYPE,
    LAST_MODEL,
    MEMORY_MARGIN,
    MINIMUM_SPEED,
    MODELS_FOLDER,
    OFFLINE,
    SPECULATION,
    WANTED_CONTEXT,
    SettingsStore,
)

SMALLEST_CONTEXT = 1024
"""Tokens: no plan goes below by itself."""

if TYPE_CHECKING:
    from desktop.catalog.hub import Hub
    from desktop.catalog.types import Catalog
    from desktop.chat.store import ChatStore
    from desktop.download.queue import DownloadQueue
    from desktop.download.record import Download
    from desktop.fit.report import FitDefaults, FitReport, FitWish
    from desktop.fit.types import Recommendation
    from desktop.hardware.types import HardwareProfile
    from desktop.library.library import Library
    from desktop.library.types import CatalogChoice, InstalledModel


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What this machine has, and what the engine can use of it."""

    profile: "HardwareProfile"
    engine: EngineInfo | None = None
    failure: AppError | None = None


@dataclass
class Surveys:
    """Remembers the latest survey, because several pages ask for it."""

    latest: Survey | None = None


@dataclass(frozen=True)
class Services:
    """The parts of a running app."""

    paths: Paths
    settings: SettingsStore
    engine: EngineClient
    surveys: Surveys = field(default_factory=Surveys)

    @cached_property
    def catalog(self) -> "Catalog":
        """The curated catalog."""
        return load_catalog(catalog_file())

    @cached_property
    def store(self) -> "ChatStore":
        """The conversations."""
        from desktop.chat.store import ChatStore

        return ChatStore.open(self.paths.chats_database)

    @cached_property
    def library(self) -> "Library":
        """The models on this disk."""
        from desktop.library.library import Library

        return Library.open(self.paths.library_database, self.models_folder)

    @cached_property
    def hub(self) -> "Hub":
        """The Hugging Face Hub, or the mirror the person chose."""
        from desktop.catalog.hub import Hub

        return Hub(endpoint=self.settings.get(HF_ENDPOINT) or None, offline=partial(self.settings.get, OFFLINE))

    @cached_property
    def downloads(self) -> "DownloadQueue":
        """The downloads under way."""
        from desktop.download.queue import DownloadQueue

        return DownloadQueue(hub=self.hub, library=self.library)

    @property
    def models_folder(self) -> Path:
        """Where downloads land."""
        chosen = self.settings.get(MODELS_FOLDER)
        return Path(chosen).expanduser() if chosen else self.paths.models_folder

    async def close(self) -> None:
        """End the engine and close what was opened."""
        await self.engine.stop()
        for name in ("downloads", "library", "store"):
            if name in self.__dict__:
                result = getattr(self, name).close()
                if asyncio.iscoroutine(result):
                    await result


def create_services(paths: Paths, settings: SettingsStore | None = None) -> Services:
    """Put the app together. Reads the settings file unless it was read already; opens nothing else yet."""
    engine = EngineClient(known_good=KnownGood(paths.known_good_file))
    return Services(paths=paths, settings=settings or SettingsStore.open(paths.settings_file), engine=engine)


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


class NotInstalled(AppError):
    """The model is known but not on this disk."""

    message = QT_TRANSLATE_NOOP("core", "{name} is not on this disk yet.")
    hint = QT_TRANSLATE_NOOP(
        "core", 'Download it on the Models page, or choose one that "snug models" shows as installed.'
    )


def find_model(services: Services, reference: str | None) -> "InstalledModel":
    """Return the installed model that `reference` names; None is the person's default. Blocking.

    The default: what the setting names, else what was used last and is still there, else the starter.
    Raises UnknownModel and its kin (with the nearest names), NotInstalled, ModelFileGone, StarterModelMissing, and the
    errors of gguf.header for a path.
    """
    from desktop.library.starter import starter_model
    from desktop.library.types import InstalledModel

    reference = reference or services.settings.get(DEFAULT_MODEL)
    if not reference:
        last = services.settings.get(LAST_MODEL)
        installed = services.library.installed() if last else ()
        return next((model for model in installed if model.id == last and not model.missing), None) or starter_model()
    found = _resolve(services, reference)
    if isinstance(found, InstalledModel):
        return found
    raise NotInstalled(name=found.id)


def _resolve(services: Services, reference: str) -> "InstalledModel | CatalogChoice":
    from desktop.library.errors import UnknownModel

    try:
        catalog = services.catalog
    except CatalogUnreadable as error:
        try:
            return services.library.find(reference)  # what is on this disk works without the catalog
        except UnknownModel:
            raise error from None
    return services.library.resolve(reference, catalog)


def queue_download(services: Services, *, model_id: str, quantization: str) -> "Download":
    """Queue one quantization of a catalog model; a download that is under way is returned as it is.

    Raises UnknownModel and UnknownQuantization; what happens later is told by the download.
    """
    return services.downloads.start(_catalog_choice(services.catalog, model_id, quantization))


def _catalog_choice(catalog: "Catalog", model_id: str, quantization: str) -> "CatalogChoice":
    from desktop.library.references import catalog_choice, unknown_model

    choice = catalog_choice(f"{model_id}:{quantization}", catalog)
    if choice is None:
        raise unknown_model(model_id, [model.id for model in catalog.models])
    return choice


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
