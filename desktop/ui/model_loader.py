"""Loads models for the window: one at a time, with progress, and tells the foot of the window how the engine is."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.engine.protocol import LoadedModel
from desktop.engine.state import EnginePhase, EngineState
from desktop.ui.engine_words import device_words, state_words

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel
    from desktop.services import Services
    from desktop.ui.shell import Shell

_NEEDS_A_LOAD = (EnginePhase.STOPPED, EnginePhase.STOPPING)


class ModelLoader(QObject):
    """The window's only way to load a model."""

    began = Signal()
    """A load began; `installed` is known a moment later."""
    loaded = Signal(object)
    """LoadedModel; also after the engine came back from a crash."""
    failed = Signal()
    """A load ended without a model; the person was told."""
    state_changed = Signal(object)
    """EngineState."""

    def __init__(self, *, services: "Services", shell: "Shell") -> None:
        super().__init__(shell)
        self._services = services
        self._shell = shell
        self._loading: asyncio.Task[LoadedModel] | None = None
        self._reference = ""
        self._last_loaded: LoadedModel | None = None
        self.installed: InstalledModel | None = None
        self._unsubscribe = services.engine.subscribe(self._on_engine_state)
        shell.model_wanted.connect(self._on_model_wanted)
        self._on_engine_state(services.engine.state)

    def load(self, reference: str = "") -> "asyncio.Task[LoadedModel]":
        """Load the installed model `reference` ("" is the default); a load under way gives way to another model."""
        if self._loading is not None and not self._loading.done():
            if reference == self._reference:
                return self._loading
            self._loading.cancel()
        self._reference = reference
        self._loading = self._shell.tasks.start(self._load(reference), name=f"load {reference}")
        return self._loading

    def is_needed(self) -> bool:
        """Whether nothing is loaded, loading or coming back by itself."""
        state = self._services.engine.state
        if self._loading is not None and not self._loading.done():
            return False
        if state.loaded is None and state.phase is EnginePhase.READY:
            return True
        return state.phase in _NEEDS_A_LOAD or state.breaker_open

    async def ensure(self) -> None:
        """Wait until a model is there or on its way back: the one that is loading, or the default. Raises AppError."""
        loading = self._loading
        if self.is_needed():
            loading = self.load(self._reference)
        if loading is not None and not loading.done():
            await asyncio.shield(loading)

    def close(self) -> None:
        """Stop listening to the engine."""
        self._unsubscribe()

    async def _load(self, reference: str) -> LoadedModel:
        from desktop.services import find_model, load_model
        from desktop.settings import DEFAULT_MODEL

        self.began.emit()
        wanted = reference or self._services.settings.get(DEFAULT_MODEL) or None
        try:
            installed = await asyncio.to_thread(find_model, self._services, wanted)
            self.installed = installed
            return await load_model(self._services, reference=installed.id)
        except BaseException:
            self.failed.emit()
            raise

    def _on_model_wanted(self, reference: str) -> None:
        self.load(reference)

    def _on_engine_state(self, state: EngineState) -> None:
        kind, words = state_words(state)
        self._shell.set_status(kind, words)
        if state.loaded is not self._last_loaded:
            self._last_loaded = state.loaded
            self._shell.device_changed.emit(self._device_words(state.loaded))
            if state.loaded is not None:
                self.loaded.emit(state.loaded)
        self.state_changed.emit(state)

    def _device_words(self, model: LoadedModel | None) -> str:
        info = self._services.engine.info
        return device_words(model, info.devices if info else ())
