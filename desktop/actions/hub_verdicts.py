"""Whether what the Hub has fits this machine, before anything is downloaded: of repositories, and of their files."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.asking import Asking, OnFailure, Question, as_they_come
from desktop.actions.hub import list_files, wanted_file
from desktop.catalog.catalog import CatalogUnreadable
from desktop.catalog.hub_errors import HubFileMissing
from desktop.errors import AppError
from desktop.services import Services, Survey
from desktop.settings import KV_TYPE, MINIMUM_SPEED, WANTED_CONTEXT

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing, HubModelFile
    from desktop.catalog.remote_header import RemoteHeaders
    from desktop.catalog.search import HubRepo
    from desktop.engine.protocol import KvType
    from desktop.fit.types import Choice, Verdict
    from desktop.library.types import InstalledModel, WantedModel

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
    installed = await asyncio.to_thread(_installed, services)
    questions = _questions(services, listing, listing.models, context, kv, installed)
    async with aclosing(asking.answers(questions, fetch=True)) as answers:
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
    slots = asyncio.Semaphore(LISTED_AT_ONCE)
    async with RemoteHeaders(services.hub) as headers:
        judge = _Judge(services, found, asking, headers, context, kv)
        judge.listings = {} if listings is None else listings
        judge.installed = await asyncio.to_thread(_installed, services)
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
        headers: "RemoteHeaders",
        context: int | None,
        kv: "KvType | None",
    ) -> None:
        self._services = services
        self._found = found
        self._asking = asking
        self._headers = headers
        self._context = context
        self._kv = kv
        self._minimum = services.settings.get(MINIMUM_SPEED)
        self._room = sum(max(budget.free - budget.overhead, 0) for budget in asking.budgets) + _HEADER_AT_MOST
        self.listings: dict[str, HubListing] = {}
        self.installed = _Installed()

    async def verdict(self, repo: "HubRepo", slots: asyncio.Semaphore) -> RepoVerdict:
        """The answer about one repository; one whose listing is out of date is listed anew."""
        async with slots:
            known = self.listings.get(repo.repo)
            if known is not None:
                verdict = await self._judged(repo, known)
                if not isinstance(verdict.failure, HubFileMissing):
                    return verdict
                self.listings.pop(repo.repo, None)  # its commit is gone
            try:
                listing = self.listings[repo.repo] = await list_files(self._services, repo.repo)
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
            question = self._question(listing, file)
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

    def _question(self, listing: "HubListing", file: "HubModelFile") -> Question:
        [question] = _questions(self._services, listing, (file,), self._context, self._kv, self.installed)
        return question

    def _too_large(self, listing: "HubListing") -> "Choice":
        """The smallest file, whose weights alone are more than there is memory."""
        from desktop.engine.protocol import DeviceMemory

        smallest = listing.models[0]
        question = self._question(listing, smallest)
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


class _Installed:
    """What can be loaded from this disk, by its place on the Hub and by its content."""

    def __init__(self, models: "Sequence[InstalledModel]" = ()) -> None:
        self._placed = {(model.repo, model.file): model for model in models if model.repo}
        self._alike = {model.sha256: model for model in models if model.sha256 and not model.is_split}

    def find(self, listing: "HubListing", file: "HubModelFile") -> "InstalledModel | None":
        """The model with the content of `file`: not an older one of its name; one of Ollama's or the starter, too."""
        placed = self._placed.get((listing.repo.repo, file.file))
        if placed is not None and _same_content(placed, file, listing):
            return placed
        return self._alike.get(file.sha256) if file.sha256 else None


def _installed(services: Services) -> _Installed:
    """Blocking."""
    models = (model for model in services.library.installed() if model.is_ready)
    return _Installed([_as_in_catalog(services, model) if model.bundled else model for model in models])


def _as_in_catalog(services: Services, starter: "InstalledModel") -> "InstalledModel":
    """The starter with the content that the catalog names for it."""
    try:
        model = next((each for each in services.catalog.models if each.id == starter.model_id), None)
    except CatalogUnreadable:  # told where the catalog is shown
        return starter
    offered = model.quantization(starter.quantization) if model is not None else None
    return starter if offered is None else msgspec.structs.replace(starter, sha256=offered.sha256 or "")


def _questions(
    services: Services,
    listing: "HubListing",
    files: "Sequence[HubModelFile]",
    context: int | None,
    kv: "KvType | None",
    installed: _Installed,
) -> list[Question]:
    context = context or services.settings.get(WANTED_CONTEXT)
    if listing.repo.context:
        context = min(context, listing.repo.context)
    chosen = services.settings.get(KV_TYPE)
    questions = []
    for file in files:
        here = installed.find(listing, file)
        source = wanted_file(services, listing, file)
        choice = _unjudged(listing, file, source, context, kv or chosen)
        if here is not None:
            choice = msgspec.structs.replace(choice, installed=True, installed_as=here.id)
        questions.append(Question(choice, source, here))
    return questions


def _same_content(model: "InstalledModel", file: "HubModelFile", listing: "HubListing") -> bool:
    """Whether what is on this disk is the file of the listing, not an older one of its name."""
    return model.revision == listing.commit or (bool(file.sha256) and model.sha256 == file.sha256)


def _unjudged(
    listing: "HubListing", file: "HubModelFile", source: "WantedModel", context: int, kv: "KvType"
) -> "Choice":
    """A choice of which nobody has said anything yet; never shown as it is."""
    from desktop.engine.protocol import Placement
    from desktop.fit.rating.quality import quality_by_name
    from desktop.fit.types import Choice, Speed

    return Choice(
        model_id=source.model_id,
        model_name=source.name,
        publisher=listing.repo.publisher,
        licence=source.licence,
        quantization=file.quantization,
        repo=listing.repo.repo,
        file=file.file,
        download_size=file.size,
        size_is_estimate=False,
        context=context,
        kv=kv,
        n_gpu_layers=0,
        n_layer=0,
        placement=Placement(layers=()),
        memory=(),
        verdict="does_not_fit",
        speed=Speed(decode_low=0.0, decode_high=0.0),
        quality=quality_by_name(file.quantization, listing.repo.parameters),
        capability=0.0,
    )


def _explained(choice: "Choice", asking: Asking, found: Survey) -> "Choice":
    """With its reasons."""
    from desktop.fit.advice.reasons import reasons_for_file

    reasons = reasons_for_file(choice, budgets=asking.budgets, disk_free=found.profile.disk.free)
    return msgspec.structs.replace(choice, reasons=reasons)
