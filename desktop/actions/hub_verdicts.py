"""Whether what the Hub has fits this machine, before anything is downloaded: of repositories, and of their files."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.asking import Asking, OnFailure, as_they_come
from desktop.actions.hub import list_files
from desktop.actions.hub_questions import FileQuestions
from desktop.catalog.hub_errors import HubFileMissing
from desktop.errors import AppError
from desktop.services import Services, Survey
from desktop.settings import MINIMUM_SPEED

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing, HubModelFile
    from desktop.catalog.remote_header import RemoteHeaders
    from desktop.catalog.search import HubRepo
    from desktop.engine.protocol import KvType
    from desktop.fit.types import Choice, Verdict

LISTED_AT_ONCE = 3
"""Repositories that are asked for their files side by side."""

TRIED_OF_A_REPOSITORY = 3
"""Headers that are fetched at most to find the best file of a repository that fits."""

_HEADER_AT_MOST = 64 << 20  # bytes of a file that are no weights
_CLEARLY_SMALLER = 0.8
_UNQUANTIZED = ("F32", "F16", "BF16")
_ORDER: "tuple[Verdict, ...]" = ("does_not_fit", "tight", "partial", "fits")
_log = logging.getLogger(__name__)


class RepoVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What of a repository is best here.

    choice: its best file that fits, else the nearest to it; None where nobody knows. failure: why nobody knows.
    """

    repo: "HubRepo"
    choice: "Choice | None" = None
    failure: AppError | None = None

    @property
    def fits(self) -> bool:
        """Whether something of it fits this machine."""
        return self.choice is not None and self.choice.fits


async def judge_files(
    services: Services,
    found: Survey,
    listing: "HubListing",
    *,
    context: int | None = None,
    kv: "KvType | None" = None,
    on_failure: OnFailure | None = None,
) -> "AsyncGenerator[Choice, None]":
    """Yield for each model of the listing what the engine says of it, known by its `file`, as soon as it is there.

    context, kv: None is what the settings say, but no more context than the model was trained for. Only headers are
    fetched. A model that the engine refuses comes with its reason, not exact; on_failure is told of it, and of what
    cannot be had. Close it when it is left early (aclosing).
    """
    asking = await Asking.begin(services, found, on_failure=on_failure)
    if asking is None:
        return
    questions = await FileQuestions.begin(services, context=context, kv=kv)
    about_each = [questions.about(listing, file) for file in listing.models]
    async with aclosing(asking.answers(about_each, fetch=True)) as answers:
        async for choice in answers:
            yield _explained(choice, asking, found) if choice.exact else choice


async def judge_repos(
    services: Services,
    found: Survey,
    repos: "Sequence[HubRepo]",
    *,
    context: int | None = None,
    kv: "KvType | None" = None,
    listings: "dict[str, HubListing] | None" = None,
) -> "AsyncGenerator[RepoVerdict, None]":
    """Yield for each repository its best file that fits this machine, as soon as it is found.

    Of a repository usually one header is fetched: that of the largest quantized file for which there is memory at
    all; then smaller ones, TRIED_OF_A_REPOSITORY in all. Where even the smallest file is larger than the memory, none
    is: the choice is not exact then, and `missing` is the least that would be. listings: what is known of repositories
    by their names, so that they are not asked for again; what is learned is added. Close it when it is left early
    (aclosing).
    """
    from desktop.catalog.remote_header import RemoteHeaders

    asking = await Asking.begin(services, found)
    if asking is None:
        return
    questions = await FileQuestions.begin(services, context=context, kv=kv)
    slots = asyncio.Semaphore(LISTED_AT_ONCE)
    async with RemoteHeaders(services.hub) as headers:
        judge = _Judge(services, found, asking, questions, headers, {} if listings is None else listings)
        tasks = [asyncio.ensure_future(judge.verdict(repo, slots)) for repo in repos]
        async with aclosing(as_they_come(tasks)) as verdicts:
            async for verdict in verdicts:
                yield verdict


class _Judge:
    """Looks for the best file of each repository."""

    def __init__(
        self,
        services: Services,
        found: Survey,
        asking: Asking,
        questions: FileQuestions,
        headers: "RemoteHeaders",
        listings: "dict[str, HubListing]",
    ) -> None:
        self._services = services
        self._found = found
        self._asking = asking
        self._questions = questions
        self._headers = headers
        self._listings = listings
        self._minimum = services.settings.get(MINIMUM_SPEED)
        self._room = sum(max(budget.free - budget.overhead, 0) for budget in asking.budgets) + _HEADER_AT_MOST

    async def verdict(self, repo: "HubRepo", slots: asyncio.Semaphore) -> RepoVerdict:
        """The answer about one repository; one whose listing is out of date is listed anew."""
        async with slots:
            known = self._listings.get(repo.repo)
            if known is not None:
                verdict = await self._judged(repo, known)
                if not isinstance(verdict.failure, HubFileMissing):
                    return verdict
                self._listings.pop(repo.repo, None)  # its commit is gone
            try:
                listing = self._listings[repo.repo] = await list_files(self._services, repo.repo)
            except AppError as error:
                _log.warning("nothing is known of the files of %s: %s", repo.repo, error)
                return RepoVerdict(repo=repo, failure=error)
            return await self._judged(repo, listing)

    async def _judged(self, repo: "HubRepo", listing: "HubListing") -> RepoVerdict:
        try:
            return RepoVerdict(repo=repo, choice=await self._best(listing))
        except AppError as error:
            return RepoVerdict(repo=repo, failure=error)

    async def _best(self, listing: "HubListing") -> "Choice | None":
        """The best file, as far as they could be judged; None where there is none. Raises why nothing could be."""
        best: Choice | None = None
        candidates = self._candidates(listing.models)
        if not candidates and listing.models:
            return self._too_large(listing)
        for file in candidates:
            question = self._questions.about(listing, file)
            try:
                choice = await self._asking.answer(question, self._headers)
            except AppError:
                if best is None:
                    raise
                break
            if choice.exact:
                choice = _explained(choice, self._asking, self._found)
            if best is None or self._rank(choice) > self._rank(best):
                best = choice
            if not choice.exact or self._serves_best(choice):
                break
        return best

    def _candidates(self, models: "Sequence[HubModelFile]") -> "list[HubModelFile]":
        """Those for whose weights there is memory at all, largest first, each clearly smaller than the one before."""
        fitting = [model for model in models if model.size <= self._room]
        quantized = [model for model in fitting if model.quantization not in _UNQUANTIZED] or fitting
        chosen: list[HubModelFile] = []
        for model in sorted(quantized, key=lambda model: model.size, reverse=True):
            if not chosen or model.size <= _CLEARLY_SMALLER * chosen[-1].size:
                chosen.append(model)
        return chosen[:TRIED_OF_A_REPOSITORY]

    def _too_large(self, listing: "HubListing") -> "Choice":
        """The smallest file, whose weights alone are more than there is memory."""
        from desktop.engine.protocol import DeviceMemory

        smallest = listing.models[0]
        question = self._questions.about(listing, smallest)
        choice = msgspec.structs.replace(
            question.choice,
            memory=(DeviceMemory(device=self._asking.budgets[0].name, weights=smallest.size),),
            missing=smallest.size - self._room,
        )
        return _explained(choice, self._asking, self._found)

    def _rank(self, choice: "Choice") -> tuple[bool, int]:
        """How well a choice serves: what fits and is quick enough before all others, then by the verdict."""
        quick = choice.speed.decode >= self._minimum
        return quick and choice.fits, _ORDER.index(choice.verdict)

    def _serves_best(self, choice: "Choice") -> bool:
        return self._rank(choice) == (True, _ORDER.index("fits"))


def _explained(choice: "Choice", asking: Asking, found: Survey) -> "Choice":
    """With its reasons."""
    from desktop.fit.advice.reasons import reasons_for_file

    reasons = reasons_for_file(choice, budgets=asking.budgets, disk_free=found.profile.disk.free)
    return msgspec.structs.replace(choice, reasons=reasons)
