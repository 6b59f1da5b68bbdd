"""Drives the split editor: arithmetic at every move, the engine's own answer when the hand rests."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import msgspec

from desktop.actions.plan import task_of
from desktop.actions.split import exact_split
from desktop.engine.protocol import KvType, LoadedModel
from desktop.errors import AppError
from desktop.fit.plans.plan import PlanTask
from desktop.fit.plans.split_editor import (
    SplitDraft,
    SplitProblem,
    boundaries_of,
    draft_of,
    learned,
    moved,
    snugs_draft,
    split_problem,
    tensor_split_of,
    with_exact,
)
from desktop.library.types import InstalledModel
from desktop.services import Services, Survey
from desktop.settings import KV_TYPE, MEMORY_GUARD, KvCacheType
from desktop.ui.bridge import explain
from desktop.ui.pages.hardware.split import SplitCard, Stage
from desktop.ui.shell import Shell

REST = 0.3
"""Seconds without a move after which the engine is asked."""


class SplitController:
    """One model at a time: what is loaded, until the person chooses another."""

    def __init__(self, *, view: SplitCard, services: Services, shell: Shell) -> None:
        self._view = view
        self._services = services
        self._shell = shell
        self._found: Survey | None = None
        self._models: tuple[InstalledModel, ...] = ()
        self._model: InstalledModel | None = None
        self._task: PlanTask | None = None
        self._problem: SplitProblem | None = None
        self._draft: SplitDraft | None = None
        self._is_own = False  # the person moved a boundary; else the split is Snug's, or the loaded one
        self._filling: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        view.model_chosen.connect(self._on_model_chosen)
        view.boundary_moved.connect(self._on_boundary_moved)
        view.wishes_changed.connect(self._on_wishes_changed)
        view.reset_requested.connect(self._on_reset_requested)
        view.load_requested.connect(self._on_load_requested)

    def show(self, found: Survey) -> None:
        """The machine was looked at: offer what can be split on it."""
        self._found = found
        self._start(self._fill(found, self._model))

    def follow_engine(self) -> None:
        """Another model is loaded, or none is: show that one, as it is."""
        if self._found is not None:
            self._start(self._fill(self._found, None))

    def refresh(self) -> None:
        """The page is shown again: models may have come or gone; the split stays as the person left it."""
        if self._model is not None and (self._filling is None or self._filling.done()):
            self._filling = self._shell.tasks.start(self._refresh_models(), name="models to split")

    def price_again(self) -> None:
        """The machine was measured: the same split, with the speeds that are known now."""
        if self._model is not None and self._problem is not None and self._draft is not None:
            self._start(self._priced_again(self._model, self._problem, self._draft))

    async def _priced_again(self, model: InstalledModel, before: SplitProblem, draft: SplitDraft) -> None:
        is_own = self._is_own
        await self._open(model)
        if self._problem is None or (self._is_loaded() and not is_own):
            return
        self._view.set_wishes(before.context, before.kv)
        self._problem = msgspec.structs.replace(self._problem, context=before.context, kv=before.kv)
        if is_own:
            self._show_own(draft.boundaries)
        else:
            self._show_snugs()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Newest wins: what was being filled or asked belongs to what is no longer shown."""
        for task in (self._filling, self._asking):
            if task is not None:
                task.cancel()
        self._filling = self._shell.tasks.start(work, name="split editor")

    async def _fill(self, found: Survey, wanted: InstalledModel | None) -> None:
        if found.engine is None:
            self._view.set_no_engine()
            return
        try:
            self._models = await asyncio.to_thread(self._installed)
        except AppError as error:
            self._view.set_message(explain(error).message)
            return
        chosen = next((model for model in self._models if wanted and model.id == wanted.id), None)
        self._choose(chosen or self._in_use() or next(iter(self._models), None))
        self._show_models()
        if self._model is None:
            self._view.set_no_model()
            return
        # What is free is only right beside what the loaded model holds now: the last look may be older than its load.
        await self._open(self._model, again=self._services.engine.loaded is not None)

    def _choose(self, model: InstalledModel | None) -> None:
        """Another model: nothing that was worked out for the one before may be moved or loaded in its name."""
        if model != self._model:
            self._task = self._problem = self._draft = None
            self._is_own = False
            self._view.set_reading()
        self._model = model

    async def _refresh_models(self) -> None:
        try:
            self._models = await asyncio.to_thread(self._installed)
        except AppError as error:
            self._view.set_message(explain(error).message)
            return
        self._show_models()

    def _show_models(self) -> None:
        in_use = self._in_use()
        self._view.set_models(self._models, self._model.id if self._model else "", in_use.id if in_use else "")

    def _installed(self) -> tuple[InstalledModel, ...]:
        return tuple(model for model in self._services.library.installed() if not model.missing)

    def _in_use(self) -> InstalledModel | None:
        engine = self._services.engine
        if engine.loaded is None or engine.plan is None:
            return None
        path = engine.plan.model_path
        return next((model for model in self._models if model.path == path), None)

    async def _open(self, model: InstalledModel, *, again: bool = False) -> None:
        """Read the model's header and begin with what is loaded, or with what Snug would do."""
        try:
            task = await task_of(self._services, model, again=again)
            plan = self._services.engine.plan if self._is_loaded() else None
            if plan is not None:
                task = msgspec.structs.replace(task, context=plan.n_ctx, type_k=plan.type_k, type_v=plan.type_v)
            problem = await asyncio.to_thread(split_problem, task)
        except AppError as error:
            self._stop_asking()
            self._view.set_message(explain(error).message)
            return
        self._stop_asking()  # about what was moved while this was read; its answer would stand in place of this
        loaded = self._services.engine.loaded
        self._task = task
        self._problem = problem
        self._is_own = False
        self._view.set_wishes(problem.context, problem.kv)
        self._view.set_loaded(loaded if self._is_loaded() else None)
        if loaded is not None and self._is_loaded():
            self._show_loaded(self._problem, loaded)
        else:
            self._show_snugs()

    def _is_loaded(self) -> bool:
        return self._model is not None and self._model == self._in_use()

    def _show_loaded(self, problem: SplitProblem, loaded: LoadedModel) -> None:
        draft = draft_of(problem, boundaries_of(loaded.layers, problem.cards))
        overheads = {load.name: load.overhead for load in draft.devices}
        memory = [
            msgspec.structs.replace(part, overhead=overheads.get(part.device, 0))
            for part in loaded.memory
            if part.total
        ]
        self._show(with_exact(problem, draft, memory), "loaded")

    def _show_snugs(self) -> None:
        if self._problem is not None:
            self._is_own = False
            self._show(snugs_draft(self._problem), "asking")
            self._ask()

    def _show_own(self, boundaries: tuple[int, ...]) -> None:
        if self._problem is not None:
            self._is_own = True
            self._show(draft_of(self._problem, boundaries), "asking")
            self._ask()

    def _show(self, draft: SplitDraft, stage: Stage, *, note: str = "") -> None:
        self._draft = draft
        guarded = self._services.settings.get(MEMORY_GUARD)
        fits = draft.room == "fits" or not guarded
        may_load = fits and stage not in ("loaded", "loading")
        self._view.set_draft(draft, stage, may_load=may_load, may_reset=stage == "loaded" or self._is_own, note=note)

    def _ask(self) -> None:
        """Ask the engine when the hand rests; what was asked before is given up."""
        self._stop_asking()
        self._asking = self._shell.tasks.start(self._ask_engine(), name="exact split")

    def _stop_asking(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _ask_engine(self) -> None:
        await asyncio.sleep(REST)
        draft, problem, task = self._draft, self._problem, self._task
        if draft is None or problem is None or task is None:
            return
        try:
            memory = await exact_split(self._services, task, problem, draft)
        except AppError as error:
            self._show(draft, "estimate", note=explain(error).message)
            return
        exact = with_exact(problem, draft, memory)
        self._problem = learned(problem, draft, exact)
        self._show(exact, "exact")

    def _on_model_chosen(self, model_id: str) -> None:
        chosen = next((model for model in self._models if model.id == model_id), None)
        if chosen is not None:
            self._choose(chosen)
            self._start(self._open(chosen))

    def _on_boundary_moved(self, index: int, layer: int) -> None:
        if self._draft is not None and self._problem is not None:
            self._show_own(moved(self._problem, self._draft.boundaries, index, layer))

    def _on_wishes_changed(self, context: int, kv: str) -> None:
        if self._problem is None or self._draft is None:
            return
        self._problem = msgspec.structs.replace(self._problem, context=context, kv=cast("KvType", kv))
        if self._is_own:
            self._show_own(self._draft.boundaries)
        else:
            self._show_snugs()

    def _on_reset_requested(self) -> None:
        self._show_snugs()

    def _on_load_requested(self) -> None:
        draft, problem, model = self._draft, self._problem, self._model
        if draft is not None and problem is not None and model is not None:
            split = tensor_split_of(problem, draft.boundaries) if self._is_own else None
            self._stop_asking()
            self._show(draft, "loading")
            self._shell.tasks.start(self._load(model, problem, draft, split), name="load with a split")

    async def _load(
        self, model: InstalledModel, problem: SplitProblem, draft: SplitDraft, split: tuple[int, ...] | None
    ) -> None:
        await self._keep_kv(cast("KvCacheType", problem.kv))
        loading = self._shell.loader.load(model.id, context=problem.context, split=split)
        await asyncio.wait([loading])
        failed = loading.cancelled() or loading.exception() is not None
        if failed and self._draft is draft:  # the person was told why; the same split may be changed and tried again
            self._show(draft, "exact" if draft.exact else "estimate")

    async def _keep_kv(self, kv: KvCacheType) -> None:
        """A load takes the type from the settings; where they cannot be saved, it loads with what they say."""
        if kv == self._services.settings.get(KV_TYPE):
            return
        try:
            await asyncio.to_thread(self._services.settings.set, KV_TYPE, kv)
        except AppError as error:
            self._shell.report(error)
