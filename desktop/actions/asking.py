"""Asking the engine about models of which the file is here, whose header was kept, or whose header can be fetched."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple, TypeVar

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
    from desktop.library.types import InstalledModel, WantedModel

FETCHED_AT_ONCE = 3
"""Headers that are fetched side by side for a page; each has a megabyte or ten."""

LOOKED_AT_ONCE = 3
"""Models that are known and looked at side by side: one more than the dry runs have children, so that none waits."""

KEPT_FOR_THE_SESSION = 4096
"""Answers that are remembered until the program ends."""

OnFailure = Callable[[AppError], None]
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Question(NamedTuple):
    """What is asked about. wanted: where the file comes from; installed: where it is on this disk."""

    choice: "Choice"
    wanted: "WantedModel"
    installed: "InstalledModel | None" = None


class _Subject(NamedTuple):
    """What the engine is asked about; size: bytes of its files."""

    subject: "FitSubject"
    size: int


class Asking:
    """One round of questions; the machine is the same for all of them. budgets: what answers are compared with.

    on_failure is told of each model that the engine refuses, or of which nothing can be said.
    """

    def __init__(
        self,
        services: Services,
        found: Survey,
        defaults: "FitDefaults",
        devices: "tuple[EngineDevice, ...]",
        imagined: "Sequence[ImaginedDevice]",
        on_failure: OnFailure,
    ) -> None:
        from desktop.fit.advice.exact_choice import budgets_for

        self._services = services
        self._found = found
        self._defaults = defaults
        self._devices = devices
        self._imagined = imagined
        self.budgets: tuple[DeviceBudget, ...] = budgets_for(found.profile, self._devices, defaults)
        self._measured = hash(defaults.probes.mark) if defaults.probes else 0
        self._on_failure = on_failure

    @classmethod
    async def begin(
        cls,
        services: Services,
        found: Survey,
        imagined: "Sequence[ImaginedDevice] | None" = None,
        *,
        on_failure: OnFailure | None = None,
    ) -> "Asking | None":
        """None where there is no engine to ask. imagined: cards instead of those at hand."""
        from desktop.fit.cards.what_if import as_engine_device

        if found.engine is None:
            return None
        defaults, told = await learned_defaults(services, found), on_failure or _tell_nobody
        if imagined is None:
            return cls(services, found, defaults, found.engine.devices, (), told)
        return cls(services, found, defaults.for_imagined(), tuple(map(as_engine_device, imagined)), imagined, told)

    async def answers(self, questions: "Sequence[Question]", *, fetch: bool) -> "AsyncGenerator[Choice, None]":
        """Yield each choice with the engine's own figures (`exact`), as soon as they are there.

        First those that are on this disk or whose header was kept; with `fetch` and a network the other headers are
        fetched then. What cannot be had is logged and left out; a model that the engine refuses comes back with its
        reason and is not exact. Close it when it is left early (aclosing).
        """
        from desktop.catalog.remote_header import RemoteHeaders

        unknown: list[Question] = []
        async with aclosing(as_they_come(self._about_known(questions, unknown))) as known:
            async for exact in known:
                yield exact
        if not unknown or not fetch or self._services.hub.offline:
            return
        async with (
            RemoteHeaders(self._services.hub) as headers,
            aclosing(as_they_come(self._about_unknown(unknown, headers))) as fetched,
        ):
            async for exact in fetched:
                yield exact

    def remembered(self, question: Question) -> "Choice | None":
        """What was said of the same question in this session, in the words of its choice."""
        from desktop.fit.advice.reasons import renewed_reasons

        choice, known = question.choice, self._services.exact_choices.get(self._key(question))
        if known is None:
            return None
        kept = msgspec.structs.replace(
            known,
            model_id=choice.model_id,  # a row of the catalog and one of the Hub may be about one file
            model_name=choice.model_name,
            publisher=choice.publisher,
            licence=choice.licence,
            quantization=choice.quantization,
            capability=choice.capability,
            installed=choice.installed,
            installed_as=choice.installed_as,
        )
        reasons = renewed_reasons(choice, kept, self.budgets, disk_free=self._found.profile.disk.free)
        return msgspec.structs.replace(kept, reasons=reasons)

    async def answer(self, question: Question, headers: "RemoteHeaders") -> "Choice":
        """What the engine says of one model; its header is fetched unless it is known.

        One that the engine refuses comes back with its reason and is not exact. Raises the AppError that keeps
        anybody from saying something of it.
        """
        try:
            if exact := self.remembered(question):
                return exact
            subject = await self._known(question)
            if subject is None:
                subject = await self._fetched(question, headers)
            return await self._ask(question, subject)
        except AppError as error:
            refused = self._without_figures(question.choice, error)
            if refused is None:
                raise
            return refused

    def _about_known(
        self, questions: Sequence[Question], unknown: list[Question]
    ) -> "list[asyncio.Task[Choice | None]]":
        """Ask about those that are on this disk, or whose header was kept; None where it failed.

        The others are added to `unknown`.
        """
        slots = asyncio.Semaphore(LOOKED_AT_ONCE)
        return [asyncio.ensure_future(self._look_and_ask(question, unknown, slots)) for question in questions]

    async def _look_and_ask(
        self, question: Question, unknown: list[Question], slots: asyncio.Semaphore
    ) -> "Choice | None":
        try:
            async with slots:
                if exact := self.remembered(question):
                    return exact
                subject = await self._known(question)
                if subject is not None:
                    return await self._ask(question, subject)
        except AppError as error:
            return self._without_figures(question.choice, error)
        unknown.append(question)
        return None

    def _about_unknown(
        self, questions: Sequence[Question], headers: "RemoteHeaders"
    ) -> "list[asyncio.Task[Choice | None]]":
        """Fetch what is missing, a few at a time, then ask; None where it failed."""
        slots = asyncio.Semaphore(FETCHED_AT_ONCE)
        return [asyncio.ensure_future(self._fetch_and_ask(question, headers, slots)) for question in questions]

    async def _fetch_and_ask(
        self, question: Question, headers: "RemoteHeaders", slots: asyncio.Semaphore
    ) -> "Choice | None":
        try:
            async with slots:
                subject = await self._fetched(question, headers)
            return await self._ask(question, subject)
        except AppError as error:
            return self._without_figures(question.choice, error)

    async def _ask(self, question: Question, about: _Subject) -> "Choice":
        from desktop.fit.advice.exact_choice import exact_choice
        from desktop.fit.dry_run.asking import ModelDryRuns, key_of_machine

        exact = await exact_choice(
            question.choice,
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
        kept[self._key(question)] = exact
        return exact

    async def _known(self, question: Question) -> _Subject | None:
        model, wanted = question.installed, question.wanted
        if model is not None:
            return _Subject(await asyncio.to_thread(installed_subject, model), model.size)
        kept = await kept_model(self._services, wanted)
        return _Subject(known_subject(wanted, kept), kept.size) if kept is not None else None

    async def _fetched(self, question: Question, headers: "RemoteHeaders") -> _Subject:
        known = await known_model(self._services, question.wanted, headers)
        return _Subject(known_subject(question.wanted, known.model), known.model.size)

    def _without_figures(self, choice: "Choice", error: AppError) -> "Choice | None":
        """What is left of a choice that could not be asked about: its reason, where the model is at fault."""
        _log.warning("no exact figures for %s in %s: %s", choice.model_name, choice.quantization, error)
        self._on_failure(error)
        about_the_model = isinstance(error, GgufError) or (
            isinstance(error, EngineError) and error.failure is not None and error.failure.kind in ABOUT_THE_MODEL
        )
        if not about_the_model:
            return None
        return msgspec.structs.replace(choice, reasons=(Phrase(error.message, error.arguments), *choice.reasons))

    def _key(self, question: Question) -> Hashable:
        choice, parallel = question.choice, self._defaults.parallel
        file = choice.repo, choice.file, question.wanted.revision, question.installed is not None
        return file, choice.context, choice.kv, parallel, self.budgets, self._measured


def _tell_nobody(_error: AppError) -> None:
    """What kept the engine from an answer is in the log."""


async def as_they_come(tasks: "Sequence[asyncio.Task[T | None]]") -> "AsyncGenerator[T, None]":
    """Yield what is answered; when this is left, all have ended."""
    try:
        for task in asyncio.as_completed(tasks):
            if (answer := await task) is not None:
                yield answer
    finally:
        for pending in tasks:
            pending.cancel()
        if tasks:
            await asyncio.wait(tasks)
