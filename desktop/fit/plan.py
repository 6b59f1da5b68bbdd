"""From a model file and the devices at hand to a LoadPlan: context, layers per device, and what each will need."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from desktop.engine.protocol import DeviceMemory, EngineDevice, KvType, LoadPlan
from desktop.errors import QT_TRANSLATE_NOOP, Phrase, WrongUsage
from desktop.fit.budget import MARGIN, budgets_of_devices, with_reclaimed
from desktop.fit.errors import DoesNotFit, DoesNotFitAtThisContext
from desktop.fit.header_shape import shape_of_header
from desktop.fit.placement import CPU, Costs, Request, Span, assign_layers, placement_of, request_for, spans_of
from desktop.fit.shape import ModelShape
from desktop.fit.split import best_spans, headroom, memory_for
from desktop.fit.types import DeviceBudget
from desktop.gguf.header import GgufHeader, read_header
from desktop.gguf.shards import all_shards
from desktop.hardware.types import HardwareProfile
from desktop.sizes import gib

DEFAULT_CONTEXT = 8192
"""Tokens of context when nobody asked for a number, and the model was trained for as many."""

LEAST_CONTEXT = 1024
"""Tokens below which a context is not lowered by itself."""

_ON_ONE = QT_TRANSLATE_NOOP("core", "All {count} layers are on {device}.")
_ON_SEVERAL = QT_TRANSLATE_NOOP("core", "All {count} layers are on graphics cards, split as {parts}.")
_SPILLED = QT_TRANSLATE_NOOP(
    "core", "{offloaded} of {count} layers are on graphics cards ({parts}); the rest is on the processor and slower."
)
_LOWERED = QT_TRANSLATE_NOOP(
    "core", "The context was lowered from {wanted} to {context} tokens, so that everything fits into memory."
)
_BEYOND_TRAINING = QT_TRANSLATE_NOOP(
    "core", "The model was trained for {trained} tokens; with a longer context its answers get worse."
)
_ONE_AT_A_TIME = QT_TRANSLATE_NOOP(
    "core", "Replies come one at a time: with this model each further one would need memory of its own."
)
ESTIMATE = QT_TRANSLATE_NOOP(
    "core", "Weights and KV cache are computed exactly; the compute buffers are a careful estimate."
)
GEMMA_KV = QT_TRANSLATE_NOOP("core", "Models of the Gemma family lose much quality with a quantized KV cache.")


class _Candidate(NamedTuple):
    """One way to place the model, with the bytes left on each device."""

    request: Request
    spans: tuple[Span, ...]
    memory: tuple[DeviceMemory, ...]
    left: dict[str, int]

    @property
    def fits(self) -> bool:
        return min(self.left.values()) >= 0

    @property
    def offloaded(self) -> int:
        return sum(span.end - span.begin for span in self.spans if span.device != CPU)


class _Problem(NamedTuple):
    """What is to be planned, apart from the context."""

    name: str
    shape: ModelShape
    budgets: tuple[DeviceBudget, ...]
    gpu_layers: int | None
    tensor_split: tuple[int, ...]

    def checked(self) -> "_Problem":
        """Return itself; raises WrongUsage for a tensor split that the devices cannot follow."""
        gpus = sum(budget.is_gpu for budget in self.budgets)
        if len(self.tensor_split) > gpus or any(part < 0 for part in self.tensor_split):
            raise WrongUsage(reason=f"the tensor split has {len(self.tensor_split)} parts for {gpus} devices")
        return self

    def attempt(self, request: Request) -> _Candidate:
        """Place the model for one request, whether it fits or not.

        Where several replies at once keep it from fitting, or layers off a GPU, it is placed for one at a time.
        """
        shared = self._place(request)
        if request.n_parallel == 1 or not self.shape.sequences_cost:
            return shared
        alone = self._place(self.request(request.n_ctx, request.type_k, request.type_v, parallel=1))
        return alone if (alone.fits, alone.offloaded) > (shared.fits, shared.offloaded) else shared

    def request(self, n_ctx: int, type_k: KvType, type_v: KvType, *, parallel: int) -> Request:
        """What is asked of this model."""
        return request_for(self.shape, n_ctx=n_ctx, type_k=type_k, type_v=type_v, parallel=parallel)

    def _place(self, request: Request) -> _Candidate:
        costs = Costs(self.shape, request)
        spans = best_spans(costs, self.budgets) if self.gpu_layers is None else self._asked_spans()
        memory = memory_for(costs, spans, self.budgets)
        return _Candidate(request, spans, memory, headroom(memory, self.budgets))

    def longest_context(self, request: Request) -> _Candidate | None:
        """Halve the context until it fits; None when it never does."""
        while request.n_ctx > LEAST_CONTEXT:
            half = request.n_ctx // 2 // LEAST_CONTEXT * LEAST_CONTEXT
            request = request._replace(n_ctx=max(half, LEAST_CONTEXT))
            candidate = self.attempt(request)
            if candidate.fits:
                return candidate
        return None

    def _asked_spans(self) -> tuple[Span, ...]:
        devices = [budget.name for budget in self.budgets if budget.is_gpu]
        split = self.tensor_split or tuple(budget.usable >> 20 for budget in self.budgets if budget.is_gpu)
        layers = assign_layers(
            n_layer=self.shape.n_layer, n_gpu_layers=self.gpu_layers or 0, tensor_split=split, devices=devices
        )
        return spans_of(layers)


def make_plan(  # noqa: PLR0913 - one plan has as many wishes; all by keyword
    *,
    path: Path,
    name: str,
    header: GgufHeader,
    profile: HardwareProfile,
    devices: Sequence[EngineDevice],
    context: int | None = None,
    type_k: KvType = "f16",
    type_v: KvType = "f16",
    gpu_layers: int | None = None,
    tensor_split: Sequence[int] | None = None,
    threads: int = 0,
    rpc_endpoints: Sequence[str] = (),
    wanted_context: int = DEFAULT_CONTEXT,
    margin: int = MARGIN,
    reclaimed: Sequence[DeviceMemory] = (),
    parallel: int = 1,
    refuse: bool = True,
) -> LoadPlan:
    """Plan how to load the file at `path`; every device is checked at the end.

    devices: the engine's own, in its order; empty means CPU only. context: tokens that must be had; None takes
    `wanted_context` (at most what the model was trained for) and lowers it until everything fits, with a reason.
    gpu_layers, tensor_split: what the person fixed, None to let the plan choose. margin: bytes to stay free on each
    device. reclaimed: what a loaded model holds that this one replaces. parallel: replies at once (or one). Without
    `refuse` what does not fit is planned all the same.

    Raises DoesNotFit (DoesNotFitAtThisContext where a shorter one would do), WrongUsage, and what read_header raises.
    """
    budgets = with_reclaimed(budgets_of_devices(profile, devices, margin=margin), reclaimed)
    shape = shape_of_header(header, shards=other_headers(path))
    asked = _asked_layers(gpu_layers, tensor_split)
    problem = _Problem(name, shape, budgets, asked, tuple(tensor_split or ())).checked()
    n_ctx = context or min(wanted_context, header.context_length or wanted_context)
    wanted = request_for(shape, n_ctx=n_ctx, type_k=type_k, type_v=type_v, parallel=parallel)
    candidate, lowered = _decide(problem, wanted, may_lower=context is None, refuse=refuse)
    reasons = (_placement_reason(candidate, problem), *lowered, *_remarks(candidate.request, wanted, header))
    return _load_plan(candidate, problem, path, reasons=reasons, threads=threads, rpc_endpoints=tuple(rpc_endpoints))


def _remarks(request: Request, wanted: Request, header: GgufHeader) -> list[Phrase]:
    """What a person should know of the plan, beside where the layers are."""
    remarks = []
    if request.n_parallel < wanted.n_parallel:
        remarks.append(Phrase.of(_ONE_AT_A_TIME))
    if header.context_length and request.n_ctx > header.context_length:
        remarks.append(Phrase.of(_BEYOND_TRAINING, trained=header.context_length))
    if header.architecture.startswith("gemma") and (request.type_k, request.type_v) != ("f16", "f16"):
        remarks.append(Phrase.of(GEMMA_KV))
    return [*remarks, Phrase.of(ESTIMATE)]


def _decide(problem: _Problem, request: Request, *, may_lower: bool, refuse: bool) -> tuple[_Candidate, list[Phrase]]:
    candidate = problem.attempt(request)
    if candidate.fits or not refuse:
        return candidate, []
    lower = problem.longest_context(request)
    if lower is None or not may_lower:
        raise _refusal(problem, candidate, lower)
    return lower, [Phrase.of(_LOWERED, wanted=request.n_ctx, context=lower.request.n_ctx)]


def _refusal(problem: _Problem, candidate: _Candidate, lower: _Candidate | None) -> DoesNotFit:
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


def _placement_reason(candidate: _Candidate, problem: _Problem) -> Phrase:
    count = problem.shape.n_layer + 1
    labels = {budget.name: budget.label or budget.name for budget in problem.budgets}
    gpus = [span for span in candidate.spans if span.device != CPU]
    parts = ", ".join(f"{labels[span.device]}: {span.end - span.begin}" for span in gpus)
    if not gpus or (len(gpus) == 1 and gpus[0].begin == 0):
        return Phrase.of(_ON_ONE, count=count, device=labels[candidate.spans[0].device])
    if gpus[0].begin == 0:
        return Phrase.of(_ON_SEVERAL, count=count, parts=parts)
    return Phrase.of(_SPILLED, offloaded=count - gpus[0].begin, count=count, parts=parts)


def _load_plan(
    candidate: _Candidate,
    problem: _Problem,
    path: Path,
    *,
    reasons: tuple[Phrase, ...],
    threads: int,
    rpc_endpoints: tuple[str, ...],
) -> LoadPlan:
    request = candidate.request
    placement = placement_of(candidate.spans)
    return LoadPlan(
        model_path=str(path),
        model_name=problem.name,
        n_ctx=request.n_ctx,
        n_ubatch=request.n_ubatch,
        n_parallel=request.n_parallel,
        n_seq_max=request.n_seq_max,
        n_outputs_max=request.n_outputs_max,
        n_threads=threads,
        n_threads_batch=threads,
        type_k=request.type_k,
        type_v=request.type_v,
        # A quantized V cache works with flash attention only; otherwise the engine asks each device.
        flash_attention="on" if request.type_v not in ("f16", "f32", "bf16") else "auto",
        kv_unified=request.kv_unified,
        n_gpu_layers=sum(placement.tensor_split),
        devices=tuple(span.device for span in candidate.spans if span.device != CPU),
        tensor_split=placement.tensor_split,
        rpc_endpoints=rpc_endpoints,
        placement=placement,
        predicted=candidate.memory,
        reasons=reasons,
    )


def other_headers(path: Path) -> tuple[GgufHeader, ...]:
    """Read the headers of a split model's other parts; raises as read_header."""
    return tuple(read_header(shard) for shard in all_shards(path) if shard != path)


def _asked_layers(gpu_layers: int | None, tensor_split: Sequence[int] | None) -> int | None:
    if gpu_layers is None and tensor_split:
        return sum(tensor_split)
    return gpu_layers
