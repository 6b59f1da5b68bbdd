"""Loads models for the window: one at a time, with progress, and tells the foot of the window how the engine is."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.engine.failure import explain_failure
from desktop.engine.protocol import FailureKind, LoadedModel, LoadPlan
from desktop.engine.state import EnginePhase, EngineState
from desktop.errors import Phrase
from desktop.ui.bridge import explain, render, sentences
from desktop.ui.engine_words import device_words, state_words
from desktop.ui.shell import NoticeWish

if TYPE_CHECKING:
    from desktop.library.types import InstalledModel
    from desktop.services import Services
    from desktop.ui.shell import Shell

_BREAKER = "breaker"
_GIVEN_UP = "given up for memory"
_PERHAPS_MEMORY = (
    FailureKind.OUT_OF_MEMORY,
    FailureKind.KILLED,
    FailureKind.KILLED_FOR_MEMORY,
    FailureKind.ABORTED,
    FailureKind.SEGMENTATION_FAULT,
    FailureKind.LOAD_FAILED,
)
_NOTHING_COMES = (EnginePhase.STOPPED, EnginePhase.STOPPING, EnginePhase.READY)


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
        self._wish: tuple[str, int | None, tuple[int, ...] | None, LoadPlan | None] | None = None
        self._last_loaded: LoadedModel | None = None
        self._given_up: dict[str, Phrase] = {}
        self.installed: InstalledModel | None = None
        """What is loaded."""
        self.coming: InstalledModel | None = None
        """What is being loaded; until it is there the one before answers."""
        self._unsubscribe = services.engine.subscribe(self._on_engine_state)
        shell.model_wanted.connect(self._on_model_wanted)
        self._on_engine_state(services.engine.state)

    def load(
        self,
        reference: str = "",
        *,
        context: int | None = None,
        split: tuple[int, ...] | None = None,
        plan: LoadPlan | None = None,
    ) -> "asyncio.Task[LoadedModel]":
        """Load the installed model `reference` ("" is the default); a load under way gives way to another wish.

        context: tokens; None takes what the settings want and the machine allows. split: layers per graphics card, in
        the engine's order; None lets the plan choose. plan: one for this model that is loaded as it is.
        """
        wish = (reference, context, split, plan)
        if self._loading is not None and not self._loading.done():
            if wish in (
                self._wish,
                (self._reference, None, None, None),
            ):  # the same model, and nothing else asked of it
                return self._loading
            self._loading.cancel()
        self._wish = wish
        self._reference = reference
        self._loading = self._shell.tasks.start(self._load(reference, context, split, plan), name=f"load {reference}")
        return self._loading

    def is_needed(self) -> bool:
        """Whether nothing is loaded, loading or coming back by itself."""
        engine = self._services.engine
        if engine.loaded is not None or (self._loading is not None and not self._loading.done()):
            return False
        if engine.plan is None:
            return True  # an engine that only starts, to be asked for its devices, brings no model back
        return engine.state.phase in _NOTHING_COMES or engine.state.breaker_open

    async def ensure(self) -> None:
        """Wait until a model is there or on its way back: the one that is loading, or the default. Raises AppError.

        Where another model is chosen meanwhile, that one is waited for.
        """
        if self.is_needed():
            self.load(self._reference)
        while (loading := self._loading) is not None and not loading.done():
            try:
                await asyncio.shield(loading)
            except asyncio.CancelledError:
                waiter = asyncio.current_task()
                if self._loading is loading or (waiter is not None and waiter.cancelling()):
                    raise  # who waits gives up, or the window closes

    def close(self) -> None:
        """Stop listening to the engine."""
        self._unsubscribe()

    async def _load(
        self, reference: str, context: int | None, split: tuple[int, ...] | None, plan: LoadPlan | None
    ) -> LoadedModel:
        from desktop.actions.load import load_exactly, load_model
        from desktop.actions.models import find_model
        from desktop.settings import LAST_MODEL

        self.began.emit()
        self._given_up.clear()
        self._shell.notice_unwanted.emit(_GIVEN_UP)
        try:
            coming = await asyncio.to_thread(find_model, self._services, reference or None)
            self.coming = coming
            self._on_engine_state(self._services.engine.state)
            if plan is not None:
                model = await load_exactly(self._services, plan)
            else:
                model = await load_model(
                    self._services,
                    coming,
                    context=context,
                    gpu_layers=None if split is None else sum(split),
                    tensor_split=split if split and any(split) else (),
                    on_step=self._on_step,
                )
            if reference:  # the person chose it, so it is there again after a restart
                await asyncio.to_thread(self._services.settings.set, LAST_MODEL, coming.id)
            return model
        except BaseException:
            self.failed.emit()
            raise
        finally:
            self.coming = None
            self._on_engine_state(self._services.engine.state)

    def _on_step(self, reason: Phrase) -> None:
        """Something was given up so that the model loads: say all of it that holds now."""
        self._given_up[reason.template] = reason
        words = sentences(render(each) for each in self._given_up.values())
        self._shell.notify(NoticeWish(text=words, kind="warn", key=_GIVEN_UP))

    def _on_model_wanted(self, reference: str) -> None:
        self.load(reference)

    def _on_engine_state(self, state: EngineState) -> None:
        changed = state.loaded is not self._last_loaded
        self._last_loaded = state.loaded
        if changed and state.loaded is not None:
            self.installed, self.coming = self.coming or self.installed, None
        kind, words = state_words(state)
        if self.coming is not None and state.phase is EnginePhase.READY:
            kind, words = "busy", self.tr("Preparing {name}").format(name=self.coming.name)
        self._shell.set_status(kind, words)
        if changed:
            self._shell.device_changed.emit(self._device_words(state.loaded))
        if changed and state.loaded is not None:
            self.loaded.emit(state.loaded)
        self._offer_a_new_start(state)
        self.state_changed.emit(state)

    def _offer_a_new_start(self, state: EngineState) -> None:
        """After too many crashes the engine stays down until the person wants it; say so, with the way on."""
        if not state.breaker_open or state.failure is None:
            self._shell.notice_unwanted.emit(_BREAKER)
            return
        words = explain(explain_failure(state.failure))
        offer = state.offer
        context = None if offer else self._smaller_context(state.failure.kind)
        action, hint = self.tr("Start it again"), words.hint
        if offer is not None:
            action = self.tr("Start it as it worked last")
            before = self.tr("It answered before with {count} tokens of context.").format(count=offer.n_ctx)
            hint = sentences((hint, before))
        elif context is not None:
            action = self.tr("Start it with {count} tokens of context").format(count=context)
            hint = sentences((hint, self.tr("Half the context needs less memory.")))
        self._shell.notify(
            NoticeWish(
                text=self.tr("The engine crashed several times and was left off. {reason}").format(
                    reason=words.message
                ),
                hint=hint,
                kind="bad",
                action=action,
                on_action=lambda: self._start_again(context, offer),
                key=_BREAKER,
            )
        )

    def _smaller_context(self, kind: FailureKind) -> int | None:
        """Half the context of the plan that crashed, in tokens, where too little memory may have been the reason."""
        from desktop.actions.load import smaller_context

        plan = self._services.engine.plan
        return smaller_context(plan) if plan is not None and kind in _PERHAPS_MEMORY else None

    def _start_again(self, context: int | None, plan: LoadPlan | None) -> None:
        self.load(self._reference, context=context, plan=plan)

    def _device_words(self, model: LoadedModel | None) -> str:
        info = self._services.engine.info
        return device_words(model, info.devices if info else ())
