"""Searches the Hub, and has the engine judge what is on the screen before anything is downloaded."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices

from desktop.actions.hub import search_hub
from desktop.actions.hub_verdicts import RepoVerdict, judge_repos
from desktop.catalog.hub_errors import HubFileMissing
from desktop.errors import AppError
from desktop.fit.types import Choice
from desktop.services import Services, Survey
from desktop.settings import KvCacheType
from desktop.ui.bridge import Coalescer, explain
from desktop.ui.pages.models.hub_files_controller import HubFilesController
from desktop.ui.pages.models.hub_listings import HubListings
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import NoticeWish, Shell

if TYPE_CHECKING:
    from desktop.catalog.search import HubRepo, HubSort

_REST = 250
"""Milliseconds without scrolling after which rows that came into sight are judged."""
_HURRY = 0.25
"""Seconds that a search waits when it took the place of one that had no answer yet: who holds Enter asks once."""


class HubController(QObject):
    """Newest wins: a new search, or the files of a repository, give up what was being asked.

    found: the machine as it was looked at, None before that. pricing: context in tokens and KV type of the sliders;
    keep_pricing: has what is loaded from now on be loaded with them.
    """

    def __init__(
        self,
        *,
        view: ModelsView,
        services: Services,
        shell: Shell,
        found: Callable[[], Survey | None],
        pricing: Callable[[], tuple[int, KvCacheType]],
        keep_pricing: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__(view)
        self._view = view.hub
        self._services = services
        self._shell = shell
        self._found = found
        self._pricing = pricing
        self._keep_pricing = keep_pricing
        self._text = self._base = ""
        self._sort: HubSort = "trending"
        self._repos: tuple[HubRepo, ...] = ()
        self._cursor = ""
        self._is_more_wanted = False  # by the search that was begun last
        self._asked: set[str] = set()
        self._waiting: set[str] = set()
        """Those among the asked whose verdict is not there yet."""
        self._listings = HubListings(services)
        self._files = HubFilesController(
            view=view.hub, services=services, shell=shell, listings=self._listings, found=found, pricing=pricing
        )
        self._working: asyncio.Task[None] | None = None
        self._is_hurried = False
        self._judging: asyncio.Task[None] | None = None
        self._look = Coalescer(self._judge_in_sight, view, milliseconds=_REST)
        self._again = Coalescer(self._price_again, view, milliseconds=_REST)
        self._connect(view)

    def _connect(self, view: ModelsView) -> None:
        view.hub_search_requested.connect(self.search)
        view.scroll_area.verticalScrollBar().valueChanged.connect(self._look.request)
        self._view.sort_chosen.connect(self._on_sort_chosen)
        self._view.more_requested.connect(lambda: self._start(self._search(more=True)))
        self._view.again_requested.connect(self._on_again_requested)
        self._view.repo_chosen.connect(self._open)
        self._view.base_chosen.connect(lambda repo: self._begin("", repo.base_model))
        self._view.page_requested.connect(self._on_page_requested)
        self._view.back_requested.connect(self._on_back_requested)
        self._view.choice_chosen.connect(self._on_choice_chosen)
        self._view.fitting_chosen.connect(self._look.request)
        self._view.rows.added.connect(self._look.request)
        self._view.closed.connect(self._on_closed)

    def search(self, text: str) -> None:
        """Search for `text`; "" is what the Hub puts first."""
        self._begin(text, "")

    def _begin(self, text: str, base_model: str) -> None:
        self._text, self._base = text, base_model
        self._files.close()
        self._view.set_searched(text, base_model=base_model)
        self._start(self._search(more=False))

    def price_again(self) -> None:
        """The machine is known now, or other context or KV cache was chosen: judge anew what is in sight."""
        if self._repos:
            self._again.request()

    def _price_again(self) -> None:
        if self._view.isHidden():
            return  # closed: nothing is asked for what nobody sees
        self._asked.clear()
        if self._files.opened is not None:
            self._files.price_again()
        else:
            self._stop_judging()
            self._look.request()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._is_hurried = self._working is not None and not self._working.done()
        self._stop()
        self._working = self._shell.tasks.start(work, name="search of the Hub")

    def _on_closed(self) -> None:
        self._stop()
        self._files.stop()

    def _stop(self) -> None:
        self._stop_judging()
        if self._working is not None:
            self._working.cancel()

    def _stop_judging(self) -> None:
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None
        self._asked -= self._waiting  # their rows are asked about when they are seen again
        self._waiting.clear()

    async def _search(self, *, more: bool) -> None:
        self._is_more_wanted = more
        if self._is_hurried:
            await asyncio.sleep(_HURRY)
        try:
            page = await search_hub(
                self._services,
                self._text,
                sort=self._sort,
                base_model=self._base,
                cursor=self._cursor if more else "",
            )
        except AppError as error:
            self._view.set_failed(*explain(error))
            return
        if not more:
            self._asked.clear()
        self._listings.forget_changed(page.repos)
        repos = (*self._repos, *page.repos) if more else page.repos
        self._repos = tuple({each.repo: each for each in repos}.values())  # pages shift, and likes grow between two
        self._cursor = page.cursor
        self._view.set_repos(self._repos, more=bool(page.cursor))
        self._look.request()

    def _judge_in_sight(self) -> None:
        """Have the rows judged that are on the screen; those that come into sight meanwhile are judged after them."""
        found = self._found()
        busy = self._judging is not None and not self._judging.done()
        repos = [repo for repo in self._view.repos_in_sight() if repo.repo not in self._asked]
        if found is not None and found.engine is not None and repos and not busy and self._files.opened is None:
            self._judging = self._shell.tasks.start(self._judge(found, repos), name="verdicts of the Hub")

    async def _judge(self, found: Survey, repos: "list[HubRepo]") -> None:
        context, kv = self._pricing()
        for repo in repos:
            self._view.set_checking(repo.repo)
        self._waiting = {repo.repo for repo in repos}
        self._asked |= self._waiting
        try:
            async with aclosing(
                judge_repos(self._services, found, repos, context=context, kv=kv, listings=self._listings.known)
            ) as verdicts:
                async for verdict in verdicts:
                    self._show_verdict(verdict)
        except AppError as error:
            self._shell.report(error)
            for name in self._waiting:
                self._view.set_verdict(name, None, *explain(error))
        self._waiting.clear()
        self._judging = None
        self._look.request()

    def _show_verdict(self, verdict: RepoVerdict) -> None:
        repo = verdict.repo.repo
        self._waiting.discard(repo)
        if verdict.choice is not None:
            self._view.set_verdict(repo, verdict.choice)
        elif verdict.failure is not None:
            self._view.set_verdict(repo, None, *explain(verdict.failure))
        else:
            self._view.set_verdict(repo, None, self.tr("No file of it can be judged"))

    def _open(self, repo: "HubRepo") -> None:
        self._stop()
        self._files.open(repo)

    def _on_sort_chosen(self, sort: "HubSort") -> None:
        self._sort = sort
        self._begin(self._text, self._base)

    def _on_again_requested(self) -> None:
        """Nothing of before counts: neither what a repository had, nor that the keyring was silent."""
        self._services.hub.ask_keyring_again()
        if self._files.opened is not None:
            self._files.ask_again()
        elif self._is_more_wanted:
            self._start(self._search(more=True))
        else:
            self._begin(self._text, self._base)

    def _on_back_requested(self) -> None:
        self._files.close()
        self._look.request()

    def _on_page_requested(self, repo: "HubRepo") -> None:
        address = f"{self._services.hub.shown_endpoint}/{repo.repo}"
        if not QDesktopServices.openUrl(QUrl(address)):
            text = self.tr("No browser could be opened. The page is {address}").format(address=address)
            self._shell.notify(NoticeWish(text=text, key="page of a repository"))

    def _on_choice_chosen(self, choice: Choice) -> None:
        if choice.installed:
            self._shell.tasks.start(self._chat_with(choice), name="chat with")
        else:
            self._shell.tasks.start(self._download(choice), name="download from the Hub")

    async def _chat_with(self, choice: Choice) -> None:
        await self._keep_pricing()
        self._shell.model_wanted.emit(choice.installed_as)  # it may be the starter, or lie in another program's folder

    async def _download(self, choice: Choice) -> None:
        await self._keep_pricing()
        try:  # a newer search may have found that the repository has changed
            listing = await self._listings.listing_of(choice.repo)
        except AppError as error:
            self._shell.report(error)
            return
        file = next((each for each in listing.models if each.file == choice.file), None)
        if file is None:
            self._shell.report(HubFileMissing(what=f"{choice.repo}/{choice.file}"))
        else:
            self._shell.fetch.start_file(listing, file, then_chat=True)
