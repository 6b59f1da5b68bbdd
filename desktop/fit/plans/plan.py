"""From a model file and the devices at hand to a LoadPlan: context, layers per device, and what each will need."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from desktop.catalog.file_names import quantization_of
from desktop.engine.protocol import MOST_CONTEXT, UNQUANTIZED_KV, DeviceMemory, EngineDevice, KvType, LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, Phrase, WrongUsage
from desktop.fit.errors import DoesNotFit, DoesNotFitAtThisContext
from desktop.fit.memory.budget import MARGIN, budgets_of_devices, with_reclaimed
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import CPU, Request, placement_of
from desktop.fit.plans.search import Candidate, Problem
from desktop.fit.rating.quality import kv_is_warned_of, kv_may_be_lowered, quant_figures
from desktop.fit.speeds.known_speeds import tensors_key
from desktop.fit.speeds.measured import Probes
from desktop.fit.speeds.speed import SpeedModel
from desktop.gguf.header import GgufHeader
from desktop.hardware.types import HardwareProfile
from desktop.sizes import gib

DEFAULT_CONTEXT = 8192
"""Tokens of context when nobody asked for a number, and the model was trained for as many."""

_ON_ONE = QT_TRANSLATE_NOOP("core", "All {count} layers are on {device}.")
_ON_SEVERAL = QT_TRANSLATE_NOOP("core", "All {count} layers are on graphics cards, split as {parts}.")
_SPILLED = QT_TRANSLATE_NOOP(
    "core", "{offloaded} of {count} layers are on graphics cards ({parts}); the rest is on the processor and slower."
)
_LOWERED = QT_TRANSLATE_NOOP(
    "core", "The context was lowered from {wanted} to {context} tokens, so that everything fits into memory."
)
_LOWER_KV_INSTEAD = QT_TRANSLATE_NOOP(
    "core", "With a KV cache in q8_0, {context} tokens would fit; it loses very little with this model."
)
_ONE_IS_FASTER = QT_TRANSLATE_NOOP("core", "One card is faster here than several, and it has room for the whole model.")
EXPERTS_KEPT = QT_TRANSLATE_NOOP(
    "core", "The experts of {blocks} layers stay on the processor, which is faster here than moving whole layers there."
)
FEED_FORWARD_KEPT = QT_TRANSLATE_NOOP(
    "core",
    "The feed-forward steps of {blocks} layers stay on the processor, which is faster here than moving whole layers "
    "there.",
)
_AS_ASKED = QT_TRANSLATE_NOOP("core", "It does not fit with its margin; it was planned exactly as asked.")
_BEYOND_TRAINING = QT_TRANSLATE_NOOP(
    "core", "The model was trained for {trained} tokens; with a longer context its answers get worse."
)
_ONE_AT_A_TIME = QT_TRANSLATE_NOOP(
    "core", "Replies come one at a time: with this model each further one would need memory of its own."
)
SAID_ALOUD = frozenset({_LOWERED, _LOWER_KV_INSTEAD, _AS_ASKED})
"""Reasons that a person is told while the model loads; the others stand with the plan."""

ESTIMATE = QT_TRANSLATE_NOOP(
    "core", "Weights and KV cache are computed exactly; the compute buffers are a careful estimate."
)
GEMMA_KV = QT_TRANSLATE_NOOP("core", "Models of the Gemma family lose much quality with a quantized KV cache.")


class PlanTask(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be loaded on what, and what the person fixed.

    quantization: as catalogs name it, for the speed; shards: headers of a split model's other parts. devices: the
    engine's own, in its order; empty means CPU only. context: tokens that must be had; None takes `wanted_context` (at
    most what the model was trained for) and lowers it until everything fits, with a reason. gpu_layers, tensor_split:
    None and () let the plan choose. parallel: replies at once (or one). margin: bytes to stay free on each device;
    overheads: what a device's driver takes of it, as learned here; probes: how fast each was measured to be. reclaimed:
    what a loaded model holds that this one replaces. Without `refuse` what does not fit is planned all the same,
    exactly as asked.
    """

    path: Path
    name: str
    header: GgufHeader
    quantization: str = ""
    shards: tuple[GgufHeader, ...] = ()
    profile: HardwareProfile
    devices: tuple[EngineDevice, ...] = ()
    context: int | None = None
    wanted_context: int = DEFAULT_CONTEXT
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    gpu_layers: int | None = None
    tensor_split: tuple[int, ...] = ()
    threads: int = 0
    rpc_endpoints: tuple[str, ...] = ()
    margin: int = MARGIN
    overheads: dict[str, int] = {}
    probes: Probes | None = None
    reclaimed: tuple[DeviceMemory, ...] = ()
    parallel: int = 1
    refuse: bool = True


class Decision(NamedTuple):
    """What was chosen, what was wished for, and what a person should know of the way there."""

    candidate: Candidate
    wanted: Request
    remarks: tuple[Phrase, ...] = ()


def plan_by_arithmetic(task: PlanTask) -> LoadPlan:
    """Plan without asking the engine: weights and KV cache are exact, the compute buffers a careful estimate.

    Raises DoesNotFit (DoesNotFitAtThisContext where a shorter one would do) and WrongUsage.
    """
    problem = problem_of(task)
    return plan_of(task, problem, decide(task, problem))


def problem_of(task: PlanTask) -> Problem:
    """Work out what is to be searched. Raises WrongUsage for a tensor split that the devices cannot follow."""
    budgets = with_reclaimed(
        budgets_of_devices(task.profile, task.devices, margin=task.margin, overheads=task.overheads), task.reclaimed
    )
    gpus = sum(budget.is_gpu for budget in budgets)
    if len(task.tensor_split) > gpus or any(part < 0 for part in task.tensor_split):
        raise WrongUsage(reason=f"the tensor split has {len(task.tensor_split)} parts for {gpus} devices")
    fixed = sum(task.tensor_split) if task.gpu_layers is None and task.tensor_split else task.gpu_layers
    return Problem(
        name=task.name,
        shape=shape_of_header(task.header, shards=task.shards),
        budgets=budgets,
        speed=SpeedModel(task.profile, budgets, probes=task.probes),
        figures=quant_figures(task.quantization or quantization_of(task.path.name)),
        # Some milliseconds for a model of many tensors, which a slider has not; only runs need it.
        model=tensors_key(task.header) if task.probes and task.probes.runs else "",
        gpu_layers=fixed,
        tensor_split=task.tensor_split,
    )


def wanted_request(task: PlanTask, problem: Problem) -> Request:
    """What the person asked for, or what is usual. Raises WrongUsage for what cannot be a context."""
    n_ctx = task.context or min(task.wanted_context, task.header.context_length or task.wanted_context)
    if not 1 <= n_ctx <= MOST_CONTEXT:
        raise WrongUsage(reason=f"{n_ctx} is not a number of tokens that a context could have")
    return problem.request(n_ctx, task.type_k, task.type_v, parallel=task.parallel)


def decide(task: PlanTask, problem: Problem) -> Decision:
    """Choose by arithmetic. Raises DoesNotFit and DoesNotFitAtThisContext, unless the task does not want to refuse."""
    wanted = wanted_request(task, problem)
    candidate = problem.attempt(wanted)
    if not candidate.fits and task.refuse:
        lower = problem.longest_context(wanted)
        if lower is None or task.context is not None:
            raise refusal(problem, candidate, lower)
        candidate = lower
    remarks = remarks_on_lowering(task, problem, candidate, wanted, fits=candidate.fits)
    return Decision(candidate, wanted, tuple(remarks))


def remarks_on_lowering(
    task: PlanTask, problem: Problem, candidate: Candidate, wanted: Request, *, fits: bool
) -> list[Phrase]:
    """What was given up so that it fits, and what could be given up instead."""
    if not fits:
        return [Phrase.of(_AS_ASKED)]
    if candidate.request.n_ctx == wanted.n_ctx:
        return []
    remarks = [Phrase.of(_LOWERED, wanted=wanted.n_ctx, context=candidate.request.n_ctx)]
    smaller = wanted._replace(type_k="q8_0", type_v="q8_0")
    if wanted.type_k == "f16" and kv_may_be_lowered(task.header.architecture) and problem.attempt(smaller).fits:
        remarks.append(Phrase.of(_LOWER_KV_INSTEAD, context=wanted.n_ctx))
    return remarks


def plan_of(
    task: PlanTask, problem: Problem, decision: Decision, *, memory: Sequence[DeviceMemory] | None = None
) -> LoadPlan:
    """Write a decision down. memory: what the engine itself said of it; without it the plan says "estimate"."""
    candidate = decision.candidate
    request, layout = candidate.request, candidate.layout
    placement = placement_of(layout.spans)
    reasons = (
        _placement_reason(candidate, problem),
        *_layout_remarks(candidate, problem),
        *decision.remarks,
        *_remarks(candidate.request, decision.wanted, task.header),
        *(() if memory is not None else (Phrase.of(ESTIMATE),)),
    )
    return LoadPlan(
        model_path=str(task.path),
        model_name=task.name,
        n_ctx=request.n_ctx,
        n_ubatch=request.n_ubatch,
        n_parallel=request.n_parallel,
        n_seq_max=request.n_seq_max,
        n_outputs_max=request.n_outputs_max,
        n_threads=task.threads,
        n_threads_batch=task.threads,
        type_k=request.type_k,
        type_v=request.type_v,
        # A quantized V cache works with flash attention only; otherwise the engine asks each device.
        flash_attention=flash_attention_for(request.type_v),
        kv_unified=request.kv_unified,
        n_gpu_layers=sum(placement.tensor_split),
        devices=tuple(span.device for span in layout.spans if span.device != CPU),
        tensor_split=placement.tensor_split,
        tensor_overrides=layout.overrides,
        rpc_endpoints=task.rpc_endpoints,
        placement=placement,
        predicted=tuple(memory) if memory is not None else candidate.memory,
        exact=memory is not None,
        reasons=reasons,
    )


def flash_attention_for(type_v: KvType) -> Literal["on", "auto"]:
    """What a plan says of flash attention: the engine refuses a quantized V cache without it."""
    return "auto" if type_v in UNQUANTIZED_KV else "on"


def _remarks(request: Request, wanted: Request, header: GgufHeader) -> list[Phrase]:
    """What a person should know of the plan, beside where the layers are."""
    remarks = []
    if request.n_parallel < wanted.n_parallel:
        remarks.append(Phrase.of(_ONE_AT_A_TIME))
    if header.context_length and request.n_ctx > header.context_length:
        remarks.append(Phrase.of(_BEYOND_TRAINING, trained=header.context_length))
    if kv_is_warned_of(header.architecture, request.type_k, request.type_v):
        remarks.append(Phrase.of(GEMMA_KV))
    return remarks


def _layout_remarks(candidate: Candidate, problem: Problem) -> list[Phrase]:
    kept = candidate.layout.kept
    if kept is not None:
        return [Phrase.of(EXPERTS_KEPT if kept.kind == "experts" else FEED_FORWARD_KEPT, blocks=kept.blocks)]
    used = {span.device for span in candidate.layout.spans}
    alone = problem.gpu_layers is None and len(used) == 1 and CPU not in used
    return [Phrase.of(_ONE_IS_FASTER)] if alone and sum(budget.is_gpu for budget in problem.budgets) > 1 else []


def refusal(problem: Problem, candidate: Candidate, lower: Candidate | None) -> DoesNotFit:
    """What to raise for a candidate that does not fit; lower: one with a shorter context that does."""
    device = min(candidate.left, key=lambda name: candidate.left[name])
    budget = next(budget for budget in problem.budgets if budget.name == device)
    need = next(part.total for part in candidate.memory if part.device == device)
    missing = -candidate.left[device]
    arguments: dict[str, str | int] = {
        "model": problem.name,
        "context": candidate.request.n_ctx,
        "device": budget.label or device,
        "need": gib(need),
        "free": gib(max(need - missing, 0)),
    }
    if lower is None:
        return DoesNotFit(missing=missing, detail=candidate, **arguments)
    return DoesNotFitAtThisContext(missing=missing, alternative=lower.request.n_ctx, detail=candidate, **arguments)


def _placement_reason(candidate: Candidate, problem: Problem) -> Phrase:
    count = problem.shape.n_layer + 1
    labels = {budget.name: budget.label or budget.name for budget in problem.budgets}
    spans = candidate.layout.spans
    gpus = [span for span in spans if span.device != CPU]
    parts = ", ".join(f"{labels[span.device]}: {span.end - span.begin}" for span in gpus)
    if not gpus or (len(gpus) == 1 and gpus[0].begin == 0):
        return Phrase.of(_ON_ONE, count=count, device=labels[spans[0].device])
    if gpus[0].begin == 0:
        return Phrase.of(_ON_SEVERAL, count=count, parts=parts)
    return Phrase.of(_SPILLED, offloaded=count - gpus[0].begin, count=count, parts=parts)
