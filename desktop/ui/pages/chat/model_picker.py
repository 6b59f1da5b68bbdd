"""The model in the chat's header: the one that answers, and those to choose from."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from desktop.engine.state import EnginePhase, EngineState
from desktop.ui import figures
from desktop.ui.pages.chat.header import ModelEntry

if TYPE_CHECKING:
    from desktop.services import Services
    from desktop.ui.pages.chat.header import ChatHeader
    from desktop.ui.shell import Shell


class ModelPicker(QObject):
    """Fills the header's menu and says which model is loaded or coming. A library that fails is told by its task."""

    def __init__(self, *, view: "ChatHeader", services: "Services", shell: "Shell", parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._services = services
        self._shell = shell
        view.model_chosen.connect(shell.loader.load)
        view.models_page_requested.connect(lambda: shell.page_wanted.emit("models"))
        shell.loader.state_changed.connect(self._on_engine_state)
        shell.loader.loaded.connect(lambda _model: self._show())
        shell.models_changed.connect(self._refresh)
        self._show()
        self._refresh()

    def _refresh(self) -> None:
        self._shell.tasks.start(self._list())

    async def _list(self) -> None:
        library = await asyncio.to_thread(lambda: self._services.library)
        models = await asyncio.to_thread(library.installed)
        entries = [ModelEntry(each.id, each.name, each.quantization) for each in models if not each.missing]
        self._view.set_models(entries)

    def _on_engine_state(self, state: EngineState) -> None:
        self._show(loading=state.phase in (EnginePhase.STARTING, EnginePhase.LOADING))

    def _show(self, *, loading: bool = False) -> None:
        loader, model = self._shell.loader, self._services.engine.loaded
        installed = loader.coming or loader.installed
        if installed is None:
            return
        details = installed.quantization
        if loader.coming is not None or loading:
            details = self.tr("loading …")
        elif model is not None:
            details = f"{details} · {figures.tokens(model.n_ctx)}"
        self._view.set_model(installed.id, installed.name, details)
