"""Fills the models page: the answer, the priced rows, what is installed, and the downloads."""

import asyncio
from typing import cast

from desktop.actions.recommend import recommend_models
from desktop.actions.survey import survey
from desktop.errors import AppError
from desktop.fit.types import Choice, Recommendation
from desktop.library.types import InstalledModel
from desktop.services import Services, Survey
from desktop.settings import KV_TYPE, MINIMUM_SPEED, WANTED_CONTEXT, KvCacheType
from desktop.ui.bridge import Coalescer, explain
from desktop.ui.looking import tell_engine_failure
from desktop.ui.pages.models.checking import ExactRows
from desktop.ui.pages.models.downloads_controller import DownloadsController
from desktop.ui.pages.models.hub_controller import HubController
from desktop.ui.pages.models.library_controller import LibraryController
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import Shell


class ModelsController:
    """Prices again whenever context or KV type change, at most once a frame; never two pricings at a time."""

    def __init__(self, *, view: ModelsView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._found: Survey | None = None
        self._is_scanned = False
        self._context = services.settings.get(WANTED_CONTEXT)
        self._kv: KvCacheType = services.settings.get(KV_TYPE)
        self._filling: asyncio.Task[None] | None = None
        self._is_fill_wanted = False
        self._pricing: asyncio.Task[None] | None = None
        self._stale = False
        self._reprice = Coalescer(self._start_pricing, view)
        self._is_pricing_chosen = False
        self._advice: Recommendation | None = None
        self._exact = ExactRows(view=view, services=services, shell=shell, on_answers=self._show_advice)
        view.set_pricing(self._context, self._kv)
        view.choice_chosen.connect(self._on_choice_chosen)
        view.installed_chosen.connect(self._on_installed_chosen)
        self._downloads = DownloadsController(view=view, services=services, fetch=shell.fetch)
        self._library = LibraryController(view=view, services=services, shell=shell)
        self._hub = HubController(
            view=view,
            services=services,
            shell=shell,
            found=lambda: self._found,
            pricing=lambda: (self._context, self._kv),
            keep_pricing=self._keep_pricing,
        )
        view.pricing_changed.connect(self._on_pricing_changed)
        view.look_requested.connect(lambda: self._fill(again=True))
        view.rest_requested.connect(self._on_rest_requested)
        view.rest_stopped.connect(self._exact.stop)
        shell.models_changed.connect(self._on_models_changed)

    def activate(self) -> None:
        """Look at the machine once, then price."""
        self._fill()

    async def close(self) -> None:
        """Stop listening."""
        self._downloads.close()
        self._library.close()

    def _fill(self, *, again: bool = False) -> None:
        self._is_fill_wanted = True
        if self._filling is None or self._filling.done():
            self._filling = self._shell.tasks.start(self._fill_while_wanted(again=again), name="models page")

    async def _fill_while_wanted(self, *, again: bool) -> None:
        while self._is_fill_wanted:  # what changed while the page was filled is not on it yet
            self._is_fill_wanted = False
            await self._look(again=again)
            again = False

    async def _look(self, *, again: bool) -> None:
        if self._found is None:
            self._view.set_looking()
        try:
            await self._library.show()
            await self._downloads.follow()
            self._found = await survey(self._services, again=again)
        except AppError as error:
            self._fail(error)
            return
        tell_engine_failure(self._shell, self._found.failure, lambda: self._fill(again=True))
        self._start_pricing()
        self._hub.price_again()
        if not self._is_scanned:
            self._is_scanned = True
            self._library.look_for_new()

    def _fail(self, error: AppError) -> None:
        """The page itself says it, in the answer's place, and offers to look again."""
        self._view.set_failed(*explain(error))

    def _start_pricing(self) -> None:
        if self._found is None:
            return
        if self._pricing is not None and not self._pricing.done():
            self._stale = True  # a thread cannot be stopped: the next one starts when it is done
            return
        self._pricing = self._shell.tasks.start(self._price(), name="prices")

    async def _price(self) -> None:
        self._stale = True
        while self._stale and (found := self._found) is not None:  # the machine may have been looked at meanwhile
            self._stale = False
            try:
                advice = await asyncio.to_thread(
                    recommend_models, self._services, found.profile, context=self._context, kv=self._kv
                )
            except AppError as error:
                self._fail(error)
                return
            if not self._stale:
                await self._exact.restart(found, advice)
        self._advice = advice
        self._show_advice()

    def _show_advice(self) -> None:
        """Show the rows, with the engine's own figures where it has answered; none changes its place for that."""
        if self._advice is None:
            return
        shown = self._exact.merged(self._advice)
        self._view.set_choices(
            shown.choices,
            shown.rejected,
            notes=shown.notes,
            minimum_speed=self._services.settings.get(MINIMUM_SPEED),
            found_to_fit=self._exact.found_to_fit(self._advice),
            checking=self._exact.is_asking,
            may_ask=self._exact.are_left and not self._services.hub.offline,
        )

    def _on_rest_requested(self) -> None:
        self._exact.ask_rest()
        self._show_advice()

    def _on_pricing_changed(self, context: int, kv: str) -> None:
        self._context = context
        self._kv = cast("KvCacheType", kv)
        self._is_pricing_chosen = True
        self._reprice.request()
        self._hub.price_again()

    def _on_choice_chosen(self, choice: Choice) -> None:
        if choice.installed:
            self._shell.tasks.start(self._chat_with(f"{choice.model_id}:{choice.quantization}"), name="chat with")
        else:
            self._shell.tasks.start(self._download(choice), name="download")

    def _on_installed_chosen(self, model: InstalledModel) -> None:
        self._shell.tasks.start(self._chat_with(model.id), name="chat with")

    async def _chat_with(self, reference: str) -> None:
        await self._keep_pricing()
        self._shell.model_wanted.emit(reference)

    async def _download(self, choice: Choice) -> None:
        await self._keep_pricing()
        self._shell.fetch.start(choice, then_chat=True)

    async def _keep_pricing(self) -> None:
        """What the rows were priced with is what the model is loaded with; where that cannot be saved, it is said."""
        if not self._is_pricing_chosen:
            return
        self._is_pricing_chosen = False
        try:
            await asyncio.to_thread(self._save_pricing, self._context, self._kv)
        except AppError as error:
            self._is_pricing_chosen = True
            self._shell.report(error)  # a full disk keeps nobody from chatting: the settings of before hold

    def _save_pricing(self, context: int, kv: KvCacheType) -> None:
        self._services.settings.set(WANTED_CONTEXT, context)
        self._services.settings.set(KV_TYPE, kv)

    def _on_models_changed(self) -> None:
        if self._view.isVisible():  # else the page looks again when it is shown
            self._fill()
