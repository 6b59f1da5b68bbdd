"""Loading a model as planned; with less, step by step and never silently, where the memory turns out too small."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from desktop.actions.plan import NOT_ASKED, Planned, plan_model, predict_anew
from desktop.engine.failure import EngineError
from desktop.engine.protocol import DeviceKind, DeviceMemory, FailureKind, LoadedModel, LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, Phrase
from desktop.fit.memory.placement import CPU
from desktop.fit.remembered.actual import actual_memory, load_key, predicted_memory
from desktop.services import Services
from desktop.settings import MEMORY_GUARD
from desktop.sizes import gib

if TYPE_CHECKING:
    from desktop.fit.plans.ladder import Failed, Freedom, Step
    from desktop.fit.remembered.observed import LoadOutcome, Outcome
    from desktop.library.types import InstalledModel

OnStep = Callable[[Phrase], None]
_TOO_LITTLE_MEMORY = frozenset({FailureKind.OUT_OF_MEMORY, FailureKind.KILLED_FOR_MEMORY})

log = logging.getLogger(__name__)


async def load_model(
    services: Services,
    model: "InstalledModel",
    *,
    context: int | None = None,
    gpu_layers: int | None = None,
    tensor_split: Sequence[int] = (),
    on_progress: Callable[[float], None] | None = None,
    on_step: OnStep | None = None,
) -> LoadedModel:
    """Plan `model` (what find_model gave) and load it; after running out of memory, with less.

    What was given up stands in the plan's reasons and is told to `on_step` before it is tried; how each load ended is
    remembered for the next. With the memory check switched off nothing is given up. Raises what plan_model raises, and
    the errors of engine.failure; NothingLeftToGiveUp after the last step.
    """
    planned = await plan_model(services, model, context=context, gpu_layers=gpu_layers, tensor_split=tensor_split)
    loads = _Loads(services, model, planned, on_progress=on_progress, on_step=on_step)
    return await loads.load(planned.plan)


async def load_exactly(
    services: Services, plan: LoadPlan, on_progress: Callable[[float], None] | None = None
) -> LoadedModel:
    """Load what `plan` says and nothing else. Raises the errors of engine.failure."""
    # Drivers hold memory on the cards for each child of the dry runs.
    quiet = services.dry_runs.paused() if plan.devices else contextlib.nullcontext()
    async with quiet:
        return await services.engine.load(plan, on_progress)


class NothingLeftToGiveUp(EngineError):
    """The last step of the ladder ran out of memory too."""

    message = QT_TRANSLATE_NOOP(
        "core", "There is not enough memory for {model}, not even with {context} tokens of context."
    )
    hint = QT_TRANSLATE_NOOP(
        "core", "Choose a smaller quantization ({smaller}) or a smaller model, or close other programs."
    )


class _Loads:
    """One model's way into memory."""

    def __init__(
        self,
        services: Services,
        model: "InstalledModel",
        planned: Planned,
        *,
        on_progress: Callable[[float], None] | None,
        on_step: OnStep | None,
    ) -> None:
        self._services = services
        self._model = model
        self._task = planned.task
        self._on_progress = on_progress
        self._on_step = on_step
        self._failed: EngineError | None = None
        devices = (f"{one.name} {one.description} {one.memory_total}" for one in planned.task.devices)
        self._machine = f"{planned.task.profile.ram.total} {','.join(devices)}"

    async def load(self, plan: LoadPlan) -> LoadedModel:
        self._say_aloud(plan)
        if not self._services.settings.get(MEMORY_GUARD):
            return await self._try(plan)
        from desktop.fit.plans.ladder import as_it_worked, freedom_of

        freedom = freedom_of(self._task)
        step = await asyncio.to_thread(as_it_worked, plan, freedom, self._outcomes)
        if step is not None:
            plan = await self._step_to(step)
        return await self._try_with_less(plan, freedom)

    async def _try_with_less(self, plan: LoadPlan, freedom: "Freedom") -> LoadedModel:
        from desktop.fit.plans.ladder import steps_down

        if (loaded := await self._try_unless_too_large(plan)) is not None:
            return loaded
        for step in steps_down(plan, freedom, self._where):
            plan = await self._step_to(step)
            if (loaded := await self._try_unless_too_large(plan)) is not None:
                return loaded
        smaller = await asyncio.to_thread(_smaller_quantizations, self._services, self._model)
        raise NothingLeftToGiveUp(
            model=self._model.name, context=plan.n_ctx, smaller=smaller, detail=self._failed
        ) from self._failed

    async def _try_unless_too_large(self, plan: LoadPlan) -> LoadedModel | None:
        """None where the memory ran out; every other failure is raised."""
        try:
            return await self._try(plan)
        except EngineError as error:
            if not _is_memory(error):
                raise
            self._failed = error
            return None

    def _say_aloud(self, plan: LoadPlan) -> None:
        from desktop.fit.plans.plan import SAID_ALOUD

        for reason in plan.reasons:
            if self._on_step is not None and reason.template in SAID_ALOUD | {NOT_ASKED}:
                self._on_step(reason)

    async def _step_to(self, step: "Step") -> LoadPlan:
        """Tell what is given up, and have the engine say what is needed then."""
        log.warning("loading %s with less: %s", self._model.name, step.reason.render())
        if self._on_step is not None:
            self._on_step(step.reason)
        plan = msgspec.structs.replace(step.plan, reasons=(*step.plan.reasons, step.reason))
        return await predict_anew(self._services, self._task, plan)

    async def _try(self, plan: LoadPlan) -> LoadedModel:
        try:
            loaded = await load_exactly(self._services, plan, self._on_progress)
        except EngineError as error:
            if _is_memory(error):
                await self._note(plan, "out_of_memory")
            raise
        actual = actual_memory(plan, loaded)
        _compare(plan, loaded.name, actual)
        await self._note(plan, "loaded")
        await asyncio.to_thread(self._services.observed.note_actual, load_key(plan), actual)
        return loaded

    async def _note(self, plan: LoadPlan, outcome: "Outcome") -> None:
        from desktop.fit.plans.ladder import outcome_of

        await asyncio.to_thread(self._services.observed.note_outcome, self._key(plan), outcome_of(plan, outcome))

    def _outcomes(self, plan: LoadPlan) -> "tuple[LoadOutcome, ...]":
        return self._services.observed.outcomes(self._key(plan))

    def _key(self, plan: LoadPlan) -> str:
        """Identifies this plan on this machine: a larger card or more memory is another."""
        return f"{load_key(plan)} {self._machine}"

    def _where(self) -> "Failed":
        """Where the memory ran out the last time."""
        from desktop.fit.plans.ladder import Failed

        device = str(self._failed.arguments.get("device") or CPU) if self._failed else CPU
        cards = {one.name for one in self._task.devices}
        shared = {one.name for one in self._task.devices if one.kind == DeviceKind.INTEGRATED}
        return Failed(device, device == CPU or device in shared or not cards)


def _is_memory(error: EngineError) -> bool:
    return error.failure is not None and error.failure.kind in _TOO_LITTLE_MEMORY


def _compare(plan: LoadPlan, name: str, actual: Sequence[DeviceMemory]) -> None:
    """Predicted and actual side by side in the log."""
    predicted = {part.device: part.total for part in predicted_memory(plan)}
    for part in actual:
        stated = gib(predicted.get(part.device, 0))
        log.info("%s on %s: predicted %s, used %s", name, part.device, stated, gib(part.total))


def _smaller_quantizations(services: Services, model: "InstalledModel") -> str:
    """Names of the catalog's smaller files of the same model, the largest first; "-" where none is known."""
    from desktop.fit.rating.quality import quant_figures

    entry = next((entry for entry in services.catalog.models if entry.id == model.model_id), None)
    if entry is None:
        return "-"
    bits = {one.name: quant_figures(one.name).bits_per_weight for one in entry.quantizations}
    mine = quant_figures(model.quantization).bits_per_weight
    smaller = sorted((name for name in bits if bits[name] < mine), key=lambda name: -bits[name])
    return ", ".join(smaller[:3]) or "-"


def smaller_context(plan: LoadPlan) -> int | None:
    """Return half of a plan's context in tokens: what to try after the engine crashed with it again and again.

    None when half would be too little to talk in.
    """
    from desktop.fit.plans.search import LEAST_CONTEXT

    half = plan.n_ctx // 2
    return half if half >= LEAST_CONTEXT else None
