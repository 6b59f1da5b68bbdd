"""All files of one repository on the Hub, judged by the engine before anything is downloaded."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject

from desktop.actions.hub_verdicts import judge_files
from desktop.catalog.hub_errors import OfflineSwitchOn
from desktop.errors import AppError
from desktop.fit.types import Choice
from desktop.services import Services, Survey
from desktop.settings import KvCacheType
from desktop.ui.bridge import Coalescer, explain, sentences
from desktop.ui.pages.models.hub_listings import HubListings
from desktop.ui.pages.models.hub_results import HubResults
from desktop.ui.shell import Shell

if TYPE_CHECKING:
    from desktop.catalog.hub_files import HubListing
    from desktop.catalog.search import HubRepo

_TOGETHER = 120
"""Milliseconds in which verdicts on files are shown together."""


class HubFilesController(QObject):
    """Newest wins: another repository, or another price, gives up what was being asked.

    found, pricing: as HubController has them. `opened` is the repository whose files are shown, None while the list is.
    """

    def __init__(
        self,
        *,
        view: HubResults,
        services: Services,
        shell: Shell,
        listings: HubListings,
        found: Callable[[], Survey | None],
        pricing: Callable[[], tuple[int, KvCacheType]],
    ) -> None:
        super().__init__(view)
        self._view = view
        self._services = services
        self._shell = shell
        self._listings = listings
        self._found = found
        self._pricing = pricing
        self.opened: HubRepo | None = None
        self._judged: dict[str, Choice] = {}
        self._failures: Sequence[AppError] | None = None
        """What kept files of the opened repository from being judged, None while they are."""
        self._working: asyncio.Task[None] | None = None
        self._show = Coalescer(self._show_judged, view, milliseconds=_TOGETHER)

    def open(self, repo: "HubRepo") -> None:
        """Show all files of `repo`."""
        self.opened = repo
        self._judged.clear()
        self._failures = None
        self._view.show_files(repo)
        self._start(repo)

    def price_again(self) -> None:
        """Judge the files anew; they keep their verdicts until the new ones are there."""
        if self.opened is not None:
            self._start(self.opened)

    def ask_again(self) -> None:
        """Open the same repository as if nothing were known of it."""
        if self.opened is not None:
            self._listings.forget(self.opened.repo)
            self.open(self.opened)

    def close(self) -> None:
        """The list is shown again: ask no more."""
        self.opened = None
        self.stop()

    def stop(self) -> None:
        """Ask no more; what is shown stays."""
        if self._working is not None:
            self._working.cancel()

    def _start(self, repo: "HubRepo") -> None:
        self.stop()
        self._working = self._shell.tasks.start(self._list(repo), name="files of a repository")

    async def _list(self, repo: "HubRepo") -> None:
        try:
            listing = await self._listings.listing_of(repo.repo)
        except AppError as error:
            self._view.set_failed(*explain(error))
            return
        self._view.set_digests({model.file: model.sha256 for model in listing.models})
        found = self._found()
        if not listing.models:
            self._view.set_files((), self.tr("It has no model files (GGUF)."))
        elif found is None or found.engine is None:  # why, the page says above
            self._view.set_files((), self.tr("The engine cannot be asked which of its files fit."))
        else:
            await self._judge(found, listing)

    async def _judge(self, found: Survey, listing: "HubListing") -> None:
        context, kv = self._pricing()
        self._failures = None
        self._show_judged()
        of_before, failures = set(self._judged), list[AppError]()
        try:
            async with aclosing(
                judge_files(self._services, found, listing, context=context, kv=kv, on_failure=failures.append)
            ) as answers:
                async for choice in answers:
                    # All of one repository: what tells them apart is the file.
                    name = PurePosixPath(choice.file).stem
                    of_before.discard(choice.file)
                    self._judged[choice.file] = msgspec.structs.replace(choice, model_name=name)
                    self._show.request()
        except AppError as error:
            failures.append(error)
        for file in of_before:  # priced for another context, and nobody could do it again
            del self._judged[file]
        self._failures = failures
        self._show_judged()

    def _show_judged(self) -> None:
        """Those that were judged so far, in the order of the repository, and what of the others is to be said."""
        listing = self._listings.known.get(self.opened.repo) if self.opened is not None else None
        if listing is None:
            return
        shown = [self._judged[model.file] for model in listing.models if model.file in self._judged]
        left = len(listing.models) - len(shown)
        if self._failures is None:
            words = self.tr("{done} of {count} files checked …").format(done=len(shown), count=len(listing.models))
            self._view.set_files(shown, words if left else "")
        elif not left:
            self._view.set_files(shown)
        else:
            one, several = self.tr("One file could not be checked."), self.tr("{count} files could not be checked.")
            reasons = [*self._failures, *([OfflineSwitchOn()] if self._services.hub.offline else [])]
            hint = sentences(explain(reasons[0])) if reasons else ""
            self._view.set_files_left(shown, one if left == 1 else several.format(count=left), hint)
