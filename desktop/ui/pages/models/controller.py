"""Fills the models page: the answer, the priced rows, what is installed, and the download under way."""

import asyncio
from typing import cast

from desktop.download.record import Download
from desktop.download.types import UNDER_WAY
from desktop.engine.protocol import KvType
from desktop.fit.types import Choice, Recommendation
from desktop.library.types import InstalledModel
from desktop.services import Services, Survey, recommend_models, survey
from desktop.settings import WANTED_CONTEXT
from desktop.ui.bridge import Coalescer
from desktop.ui.fetch import Fetch
from desktop.ui.pages.models.view import ModelsView
from desktop.ui.shell import Shell


class ModelsController:
    """Prices again whenever context or KV type change, at most once a frame."""

    def __init__(self, *, view: ModelsView, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._fetch = Fetch(services, shell)
        self._found: Survey | None = None
        self._context = services.settings.get(WANTED_CONTEXT)
        self._kv: KvType = "f16"
        self._pricing: asyncio.Task[None] | None = None
        self._reprice = Coalescer(self._start_pricing, view)
        self._download_id = ""
        view.set_pricing(self._context, self._kv)
        view.choice_chosen.connect(self._on_choice_chosen)
        view.installed_chosen.connect(self._on_installed_chosen)
        view.stop_requested.connect(self._on_stop_requested)
        view.pricing_changed.connect(self._on_pricing_changed)
        shell.models_changed.connect(self._on_models_changed)
        self._unsubscribe = services.downloads.subscribe(self._on_download_changed)

    def activate(self) -> None:
        """Look at the machine once, then price."""
        self._shell.tasks.start(self._fill(), name="models page")

    async def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

    async def _fill(self) -> None:
        self._found = await survey(self._services)
        await self._show_installed()
        self._start_pricing()
        for download in self._services.downloads.downloads():
            self._on_download_changed(download)

    async def _show_installed(self) -> None:
        models = await asyncio.to_thread(self._services.library.installed)
        plan = self._services.engine.plan
        in_use = next((model.id for model in models if plan is not None and model.path == plan.model_path), "")
        self._view.set_installed(models, in_use)

    def _start_pricing(self) -> None:
        if self._found is None:
            return
        if self._pricing is not None:
            self._pricing.cancel()
        self._pricing = self._shell.tasks.start(self._price(self._found), name="prices")

    async def _price(self, found: Survey) -> None:
        advice = await asyncio.to_thread(
            recommend_models, self._services, found.profile, context=self._context, kv=self._kv
        )
        self._show(advice)

    def _show(self, advice: Recommendation) -> None:
        self._view.set_choices((*advice.choices, *advice.rejected))
        if advice.choices:
            self._view.answer.set_choice(advice.choices[0])
        else:
            self._view.answer.set_waiting(self._view.tr("Nothing of the catalog fits at this context length."))
        self._view.header.set_remark(self._view.tr("estimates for this machine"))

    def _on_pricing_changed(self, context: int, kv: str) -> None:
        self._context = context
        self._kv = cast("KvType", kv)
        self._reprice.request()

    def _on_choice_chosen(self, choice: Choice) -> None:
        if choice.installed:
            self._shell.model_wanted.emit(f"{choice.model_id}:{choice.quantization}")
        else:
            self._fetch.start(choice, then_chat=True)

    def _on_installed_chosen(self, model: InstalledModel) -> None:
        self._shell.model_wanted.emit(model.id)

    def _on_models_changed(self) -> None:
        if self._found is not None:
            self.activate()

    def _on_stop_requested(self) -> None:
        if self._download_id:
            self._services.downloads.pause(self._download_id)

    def _on_download_changed(self, download: Download) -> None:
        if download.progress.state in UNDER_WAY:
            self._download_id = download.id
            title, figures, fraction = self._fetch.words(download)
            self._view.show_progress(title, figures, fraction)
        elif download.id == self._download_id:
            self._download_id = ""
            self._view.hide_progress()
