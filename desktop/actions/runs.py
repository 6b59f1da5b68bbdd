"""Runs that teach this machine's speed: those of `snug bench`, and replies whose figures are worth it."""

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from desktop.actions.survey import learned_speeds
from desktop.catalog.file_names import quantization_of
from desktop.engine.client import EndedReply
from desktop.engine.protocol import PROMPT_TOKENS, LoadedModel, LoadPlan
from desktop.engine.state import EngineState
from desktop.errors import AppError
from desktop.fit.speeds.bench import Pace
from desktop.services import Services, Survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from desktop.fit.speeds.measured import Probes
    from desktop.gguf.header import GgufHeader

_LEAST_WRITTEN = 48
"""Tokens: over fewer, a moment in which another program had the processor weighs more than the model."""
_LEAST_READ = 256
"""Tokens: fewer are read at another rate than the PROMPT_TOKENS that the probe measures."""

log = logging.getLogger(__name__)


class RunningModel(NamedTuple):
    """A model that is loaded, with the headers it was loaded from: its file may be gone or another by now."""

    plan: LoadPlan
    loaded: LoadedModel
    header: "GgufHeader"
    shards: "tuple[GgufHeader, ...]" = ()
    quantization: str = ""


def predicted_pace(found: Survey, probes: "Probes | None", model: RunningModel, pace: Pace) -> Pace | None:
    """What the probe alone says of such a run; None where it cannot: unmeasured, or with tensors elsewhere."""
    from desktop.fit.memory.budget import budgets_of_devices
    from desktop.fit.memory.header_shape import shape_of_header
    from desktop.fit.memory.placement import Costs, request_of, spans_of
    from desktop.fit.speeds.speed import SpeedModel

    if model.plan.tensor_overrides or found.engine is None:
        return None
    budgets = budgets_of_devices(found.profile, found.engine.devices)
    speeds = SpeedModel(found.profile, budgets, probes=probes)
    costs = Costs(shape_of_header(model.header, shards=model.shards), request_of(model.plan))
    spans = spans_of(model.loaded.layers)
    written = speeds.predicted(costs, spans, depth=pace.depth)
    read = speeds.predicted(costs, spans, depth=pace.read_at)
    return None if written is None or read is None else pace._replace(decode=written[0], prefill=read[1])


def note_run(services: Services, engine: str, model: RunningModel, actual: Pace, predicted: Pace | None) -> None:
    """Remember a run beside what was predicted of it. engine: its version. Blocking."""
    from desktop.fit.memory.placement import spans_of
    from desktop.fit.remembered.observed import Run
    from desktop.fit.speeds.known_speeds import tensors_key
    from desktop.fit.speeds.measured import placement_key

    run = Run(
        engine=engine,
        placement=placement_key(spans_of(model.loaded.layers)),
        model=tensors_key(model.header),
        quantization=model.quantization,
        depth=actual.depth,
        decode=actual.decode,
        prefill=actual.prefill,
        predicted_decode=predicted.decode if predicted else 0.0,
        predicted_prefill=predicted.prefill if predicted else 0.0,
    )
    services.observed.note_run(run)


def pace_of(reply: EndedReply) -> Pace | None:
    """What a reply says of the machine's speed; None where that is nothing.

    Company shares the steps, accepted guesses and beams make several tokens of one, a shift of the context takes time
    and leaves no depth, and attachments are read by another model.
    """
    stats, request = reply.stats, reply.request
    if not reply.alone or stats.drafted or stats.discarded or request.sampling.beams > 1:
        return None
    read = stats.prompt_tokens - stats.cached_tokens
    attached = any(message.attachments for message in request.messages)
    pace = Pace(
        # A reply grows while it is written: its speed is that of its middle.
        depth=max(stats.context_used - stats.completion_tokens // 2, 0),
        decode=stats.decode_speed if stats.completion_tokens >= _LEAST_WRITTEN else 0.0,
        prefill=stats.prefill_speed if read >= _LEAST_READ and not attached else 0.0,
        # The prediction itself counts half of the tokens that are read at once to the depth.
        read_at=stats.cached_tokens + max(read - PROMPT_TOKENS, 0) // 2,
    )
    return pace if pace.decode > 0 or pace.prefill > 0 else None


class RunLearner:
    """Notes the replies of the model that is loaded as runs, for as long as its context lasts."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._model: LoadedModel | None = None
        self._headers: asyncio.Task[Sequence[GgufHeader] | None] | None = None
        self._work: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        engine = self._services.engine
        self._undo = (engine.subscribe(self._on_state), engine.subscribe_stats(self._on_reply))
        self._on_state(engine.state)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        for undo in self._undo:
            undo()
        await asyncio.gather(*self._work, *filter(None, [self._headers]))

    def _on_state(self, state: EngineState) -> None:
        """Read the headers while the file is still the one that was loaded."""
        plan = self._services.engine.plan
        if state.loaded is None or plan is None or state.loaded is self._model:
            return
        self._model = state.loaded
        self._headers = asyncio.create_task(asyncio.to_thread(_headers_of, Path(plan.model_path)))

    def _on_reply(self, reply: EndedReply) -> None:
        engine, pace = self._services.engine, pace_of(reply)
        if pace is None or engine.plan is None or engine.loaded is None or self._headers is None:
            return
        # A prediction knows nothing of adapters, and of tensors that stay behind.
        if engine.plan.purpose != "chat" or engine.plan.lora or engine.plan.tensor_overrides:
            return
        work = asyncio.create_task(self._learn(engine.plan, engine.loaded, self._headers, pace))
        self._work.add(work)
        work.add_done_callback(self._work.discard)

    async def _learn(
        self,
        plan: LoadPlan,
        loaded: LoadedModel,
        headers: "asyncio.Task[Sequence[GgufHeader] | None]",
        pace: Pace,
    ) -> None:
        found = await headers
        if found is None:
            return
        model = RunningModel(plan, loaded, found[0], tuple(found[1:]), quantization_of(Path(plan.model_path).name))
        try:
            await asyncio.to_thread(self._note, model, pace)
        except Exception:  # what is learned is a gain where it works; a reply must not suffer from it
            log.exception("the speed of a reply was not noted")

    def _note(self, model: RunningModel, pace: Pace) -> None:
        found = self._services.surveys.latest
        if found is None or found.engine is None:
            return
        predicted = predicted_pace(found, learned_speeds(self._services, found), model, pace)
        if predicted is not None:
            note_run(self._services, found.engine.version, model, pace, predicted)


def _headers_of(path: Path) -> "Sequence[GgufHeader] | None":
    """The file's own first; None where they cannot be read, which is logged. Blocking."""
    from desktop.gguf.header import other_headers, read_header

    try:
        return (read_header(path), *other_headers(path))
    except (AppError, OSError) as error:
        log.info("speeds of %s will not be noted: %s", path, error)
        return None
