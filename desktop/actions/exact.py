"""What the engine itself says of choices of the catalog, at once where a header is known, else once it was fetched."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from desktop.actions.fit import installed_subject, known_subject, learned_defaults
from desktop.actions.known import kept_model, known_model
from desktop.actions.plan import ABOUT_THE_MODEL
from desktop.engine.failure import EngineError
from desktop.errors import AppError, Phrase
from desktop.gguf.errors import GgufError
from desktop.services import Services, Survey

if TYPE_CHECKING:
    from desktop.catalog.remote_header import RemoteHeaders
    from desktop.engine.protocol import EngineDevice, ImaginedDevice
    from desktop.fit.plans.wish import FitDefaults
    from desktop.fit.subject import FitSubject
    from desktop.fit.types import Choice, DeviceBudget
    from desktop.library.types import CatalogChoice, InstalledModel

FETCHED_AT_ONCE = 3
"""Headers that are fetched side by side for a page; each has a megabyte or ten."""

LOOKED_AT_ONCE = 3
"""Models that are known and looked at side by side: one more than the dry runs have children, so that none waits."""

KEPT_FOR_THE_SESSION = 4096
"""Choices with the engine's figures; beyond that all are forgotten and asked about again."""

_log = logging.getLogger(__name__)


class _Subject(NamedTuple):
    """What is asked about; size: bytes of its files."""

    subject: "FitSubject"
    size: int


async def verify_choices(
    services: Services,
    found: Survey,
    choices: "Sequence[Choice]",
    *,
    fetch: bool,
    imagined: "Sequence[ImaginedDevice] | None" = None,
    on_failure: Callable[[AppError], None] | None = None,
) -> "AsyncGenerator[Choice, None]":
    """Yield each choice again with the engine's own figures (`exact`), as soon as they are there.

    First those that are on this disk or whose header was kept; with `fetch` and a network the other headers are fetched
    then, a few at a time. What cannot be had is logged and left out; a model that the engine refuses comes back with
    its reason and is not exact; `on_failure` hears of both. imagined: cards instead of those at hand, for the profile
    in `found`. Close it when it is left early (aclosing).
    """
    from desktop.catalog.remote_header import RemoteHeaders

    asking = await _Asking.begin(services, found, imagined)
    if asking is None:
        return
    asking.on_failure = on_failure
    unknown: list[Choice] = []
    async with aclosing(_as_they_come(asking.about_known(choices, unknown))) as answers:
        async for exact in answers:
            yield exact
    if not unknown or not fetch or services.hub.offline:
        return
    async with (
        RemoteHeaders(services.hub) as headers,
        aclosing(_as_they_come(asking.about_unknown(unknown, headers))) as answers,
    ):
        async for exact in answers:
            yield exact


async def _as_they_come(tasks: "list[asyncio.Task[Choice | None]]") -> "AsyncGenerator[Choice, None]":
    """Yield what is answered; when this is left, all have ended."""
    try:
        for task in asyncio.as_completed(tasks):
            if exact := await task:
                yield exact
    finally:
        for pending in tasks:
            pending.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def remembered_choices(
    services: Services,
    found: Survey,
    choices: "Sequence[Choice]",
    *,
    imagined: "Sequence[ImaginedDevice] | None" = None,
) -> "tuple[Choice, ...]":
    """Return the choices, each with the engine's figures where it was asked the same in this session already."""
    asking = await _Asking.begin(services, found, imagined)
    if asking is None:
        return tuple(choices)
    return tuple(asking.remembered(choice) or choice for choice in choices)


class _Asking:
    """One round of questions; the machine is the same for all of them."""

    def __init__(
        self,
        services: Services,
        found: Survey,
        defaults: "FitDefaults",
        devices: "tuple[EngineDevice, ...]",
        imagined: "Sequence[ImaginedDevice]",
    ) -> None:
        from desktop.fit.advice.exact_choice import budgets_for

        self._services = services
        self._found = found
        self._defaults = defaults
        self._devices = devices
        self._imagined = imagined
        self._budgets: tuple[DeviceBudget, ...] = budgets_for(found.profile, self._devices, defaults)
        self._measured = hash(defaults.probes.mark) if defaults.probes else 0
        self._installed: dict[tuple[str, str], InstalledModel] = {}
        self.on_failure: Callable[[AppError], None] | None = None

    @classmethod
    async def begin(
        cls, services: Services, found: Survey, imagined: "Sequence[ImaginedDevice] | None"
    ) -> "_Asking | None":
        """None where there is no engine to ask."""
        from desktop.fit.cards.what_if import as_engine_device

        if found.engine is None:
            return None
        defaults = await learned_defaults(services, found)
        if imagined is None:
            asking = cls(services, found, defaults, found.engine.devices, ())
        else:
            probes = defaults.probes.only_cpu() if defaults.probes else None
            defaults = msgspec.structs.replace(defaults, overheads={}, probes=probes)
            asking = cls(services, found, defaults, tuple(map(as_engine_device, imagined)), imagined)
        await asyncio.to_thread(asking._look_into_library)
        return asking

    def remembered(self, choice: "Choice") -> "Choice | None":
        """What was said of the same question, in the words of `choice`."""
        from desktop.fit.advice.reasons import renewed_reasons

        known = self._services.exact_choices.get(self._key(choice))
        if known is None:
            return None
        kept = msgspec.structs.replace(known, capability=choice.capability, installed=choice.installed)
        reasons = renewed_reasons(choice, kept, self._budgets, disk_free=self._found.profile.disk.free)
        return msgspec.structs.replace(kept, reasons=reasons)

    def about_known(self, choices: "Sequence[Choice]", unknown: "list[Choice]") -> "list[asyncio.Task[Choice | None]]":
        """Ask about those that are on this disk, or whose header was kept; None where it failed.

        The others are added to `unknown`.
        """
        slots = asyncio.Semaphore(LOOKED_AT_ONCE)
        return [asyncio.ensure_future(self._look_and_ask(choice, unknown, slots)) for choice in choices]

    async def _look_and_ask(
        self, choice: "Choice", unknown: "list[Choice]", slots: asyncio.Semaphore
    ) -> "Choice | None":
        try:
            async with slots:
                if exact := self.remembered(choice):
                    return exact
                subject = await self._known(choice)
                if subject is not None:
                    return await self._ask(choice, subject)
        except AppError as error:
            return self._without_figures(choice, error)
        unknown.append(choice)
        return None

    def about_unknown(
        self, choices: "Sequence[Choice]", headers: "RemoteHeaders"
    ) -> "list[asyncio.Task[Choice | None]]":
        """Fetch what is missing, a few at a time, then ask; None where it failed."""
        slots = asyncio.Semaphore(FETCHED_AT_ONCE)
        return [asyncio.ensure_future(self._fetch_and_ask(choice, headers, slots)) for choice in choices]

    async def _fetch_and_ask(
        self, choice: "Choice", headers: "RemoteHeaders", slots: asyncio.Semaphore
    ) -> "Choice | None":
        source = self._source(choice)
        try:
            async with slots:
                known = await known_model(self._services, source, headers)
            return await self._ask(choice, _Subject(known_subject(source, known.model), known.model.size))
        except AppError as error:
            return self._without_figures(choice, error)

    async def _ask(self, choice: "Choice", about: _Subject) -> "Choice":
        from desktop.fit.advice.exact_choice import exact_choice
        from desktop.fit.dry_run.asking import ModelDryRuns, key_of_machine

        exact = await exact_choice(
            choice,
            about.subject,
            size=about.size,
            profile=self._found.profile,
            devices=self._devices,
            defaults=self._defaults,
            engine=ModelDryRuns(
                self._services.dry_runs,
                about.subject,
                folder=self._services.paths.stubs,
                imagined=self._imagined,
                hardware=key_of_machine(self._found.profile, self._devices),
            ),
        )
        kept = self._services.exact_choices
        if len(kept) >= KEPT_FOR_THE_SESSION:
            kept.clear()
        kept[self._key(choice)] = exact
        return exact

    async def _known(self, choice: "Choice") -> _Subject | None:
        model = self._installed.get((choice.model_id, choice.quantization))
        if model is not None:
            return _Subject(await asyncio.to_thread(installed_subject, model), model.size)
        kept = await kept_model(self._services, self._source(choice))
        return _Subject(known_subject(self._source(choice), kept), kept.size) if kept is not None else None

    def _without_figures(self, choice: "Choice", error: AppError) -> "Choice | None":
        """What is left of a choice that could not be asked about: its reason, where the model is at fault."""
        _log.warning("no exact figures for %s in %s: %s", choice.model_name, choice.quantization, error)
        if self.on_failure is not None:
            self.on_failure(error)
        about_the_model = isinstance(error, GgufError) or (
            isinstance(error, EngineError) and error.failure is not None and error.failure.kind in ABOUT_THE_MODEL
        )
        if not about_the_model:
            return None
        return msgspec.structs.replace(choice, reasons=(Phrase(error.message, error.arguments), *choice.reasons))

    def _source(self, choice: "Choice") -> "CatalogChoice":
        """Where the file of a choice comes from, pinned where the catalog pins it."""
        from desktop.library.references import choice_of
        from desktop.library.types import CatalogChoice

        model = self._services.catalog.find(choice.model_id)
        entry = model.quantization(choice.quantization) if model is not None else None
        if model is not None and entry is not None:
            return choice_of(model, entry)
        return CatalogChoice(
            model_id=choice.model_id,
            name=choice.model_name,
            quantization=choice.quantization,
            repo=choice.repo,
            file=choice.file,
        )

    def _look_into_library(self) -> None:
        """Blocking."""
        installed = self._services.library.installed()
        self._installed = {(each.model_id, each.quantization): each for each in installed if not each.missing}

    def _key(self, choice: "Choice") -> Hashable:
        here = (choice.model_id, choice.quantization) in self._installed
        parallel, measured = self._defaults.parallel, self._measured
        return choice.repo, choice.file, here, choice.context, choice.kv, parallel, self._budgets, measured
