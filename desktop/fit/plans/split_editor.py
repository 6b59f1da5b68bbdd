"""A split that a person moves by hand: what each device would hold, as arithmetic, at every step of the mouse.

The n_layer + 1 layers are a line (the output head is the last one): the first part belongs to the CPU, then follow the
graphics cards in the engine's order. A boundary per card says at which layer its part begins. Whole layers move, as
libllama's layer split does it; the engine's own dry run then says the same exactly (`with_exact`).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from desktop.engine.protocol import DeviceMemory, KvType, LoadPlan
from desktop.fit.memory.placement import CPU, Costs, Span
from desktop.fit.memory.split import headroom, memory_for, per_budget
from desktop.fit.plans.layout import Layout
from desktop.fit.plans.plan import Decision, PlanTask, plan_of, problem_of, wanted_request
from desktop.fit.plans.search import Problem
from desktop.fit.types import DeviceBudget, Kept, Speed

Boundaries = tuple[int, ...]
"""For each graphics card the layer at which its part begins, 0 to n_layer + 1, never falling."""

Room = Literal["fits", "tight", "does_not_fit"]
"""fits: with its margin; tight: only without the margin; does_not_fit."""

_WORTH_A_WORD = 1.05


class DeviceLoad(msgspec.Struct, frozen=True, kw_only=True):
    """One device under a split. Sizes are bytes.

    others: what other programs use now. overhead: what the driver, or the engine's process itself, takes. first, last:
    its layers, last < first where it has none. missing: bytes that would have to be free in addition, the margin kept.
    """

    name: str
    label: str
    is_gpu: bool
    total: int
    others: int
    weights: int
    kv: int
    compute: int
    overhead: int
    first: int
    last: int
    room: Room
    missing: int

    @property
    def needed(self) -> int:
        """Bytes of the model on this device, with the overhead."""
        return self.weights + self.kv + self.compute + self.overhead

    @property
    def free(self) -> int:
        """Bytes that would stay free; 0 where there is less than needed."""
        return max(self.total - self.others - self.needed, 0)

    @property
    def layers(self) -> int:
        """How many layers it has."""
        return max(self.last - self.first + 1, 0)


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """One card that holds everything, and how many times as fast that would be."""

    label: str
    factor: float


class SplitDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A split and what it comes to.

    kept: what stays on the CPU of layers that do not, in Snug's own split only. exact: the engine answered.
    """

    boundaries: Boundaries
    devices: tuple[DeviceLoad, ...]
    parallel: int
    speed: Speed
    alone: Alone | None = None
    kept: Kept | None = None
    exact: bool = False

    @property
    def room(self) -> Room:
        """The worst of all devices."""
        order: tuple[Room, ...] = ("fits", "tight", "does_not_fit")
        return max((device.room for device in self.devices), key=order.index)


class SplitProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be split over which devices.

    search: the model, the devices (the CPU first) and their speeds. context: tokens. parallel: replies at once, as many
    as a plan would allow at most.
    """

    search: Problem
    context: int
    kv: KvType
    parallel: int = 1

    @property
    def layers(self) -> int:
        """Layers to share out, the output head among them."""
        return self.search.shape.n_layer + 1

    @property
    def budgets(self) -> tuple[DeviceBudget, ...]:
        """The CPU, then the graphics cards in the engine's order, less what other programs hold."""
        return self.search.budgets

    @property
    def cards(self) -> tuple[DeviceBudget, ...]:
        """The graphics cards."""
        return tuple(budget for budget in self.budgets if budget.is_gpu)

    def costs(self, parallel: int) -> Costs:
        """What any run of layers needs with so many replies at once."""
        request = self.search.request(self.context, self.kv, self.kv, parallel=parallel)
        return Costs(self.search.shape, request, corrections=self.search.corrections)


def split_problem(task: PlanTask) -> SplitProblem:
    """The problem of a load that is to be planned by hand, at the context it would have. Raises WrongUsage."""
    search = problem_of(task)
    request = wanted_request(task, search)
    return SplitProblem(search=search, context=request.n_ctx, kv=request.type_k, parallel=task.parallel)


def snugs_draft(problem: SplitProblem) -> SplitDraft:
    """What Snug itself would do, whether it fits or not; it may also keep tensors of a layer apart from the layer."""
    search = problem.search._replace(gpu_layers=None, tensor_split=())
    candidate = search.attempt(search.request(problem.context, problem.kv, problem.kv, parallel=problem.parallel))
    layers = [span.device for span in candidate.layout.spans for _ in range(span.begin, span.end)]
    boundaries = boundaries_of(layers, problem.cards)
    return SplitDraft(
        boundaries=boundaries,
        devices=_loads(problem, boundaries, candidate.memory),
        parallel=candidate.request.n_parallel,
        speed=candidate.speed,
        kept=candidate.layout.kept,
    )


def plan_of_draft(task: PlanTask, problem: SplitProblem, draft: SplitDraft) -> LoadPlan:
    """The plan that a draft stands for, to ask the engine about."""
    costs = problem.costs(draft.parallel)
    candidate = problem.search.candidate(costs, Layout(_spans(problem, draft.boundaries), draft.kept))
    return plan_of(task, problem.search, Decision(candidate, costs.request))


def draft_of(problem: SplitProblem, boundaries: Boundaries) -> SplitDraft:
    """Say what a split comes to. As in a plan, replies come one at a time where several would not fit."""
    draft = _draft(problem, boundaries, problem.parallel)
    if problem.parallel > 1 and problem.search.shape.sequences_cost and draft.room != "fits":
        alone = _draft(problem, boundaries, 1)
        return alone if alone.room == "fits" else draft
    return draft


def with_exact(problem: SplitProblem, draft: SplitDraft, memory: Sequence[DeviceMemory]) -> SplitDraft:
    """The same split with the engine's own figures (bytes per device, overhead included)."""
    devices = _loads(problem, draft.boundaries, memory)
    return msgspec.structs.replace(draft, devices=devices, exact=True)


def learned(problem: SplitProblem, estimate: SplitDraft, exact: SplitDraft) -> SplitProblem:
    """The problem with the engine's word on compute buffers, so that the next estimate comes closer."""
    stated = {device.name: device.compute for device in estimate.devices}
    told = {device.name: device.compute for device in exact.devices}
    layout = Layout(_spans(problem, estimate.boundaries), estimate.kept)
    return msgspec.structs.replace(problem, search=problem.search.corrected(layout, stated, told))


def moved(problem: SplitProblem, boundaries: Boundaries, index: int, layer: int) -> Boundaries:
    """Move one boundary; it stops at its neighbours and at the ends of the line."""
    low = boundaries[index - 1] if index else 0
    high = boundaries[index + 1] if index + 1 < len(boundaries) else problem.layers
    return (*boundaries[:index], min(max(layer, low), high), *boundaries[index + 1 :])


def boundaries_of(layers: Sequence[str], cards: Sequence[DeviceBudget]) -> Boundaries:
    """The boundaries of layers that are placed: one device name per layer, cards in their order."""
    found = []
    begin = len(layers) - sum(layers.count(card.name) for card in cards)
    for card in cards:
        found.append(begin)
        begin += layers.count(card.name)
    return tuple(found)


def tensor_split_of(problem: SplitProblem, boundaries: Boundaries) -> tuple[int, ...]:
    """Layers per card, 0 where it has none: what a plan is asked for."""
    ends = (*boundaries[1:], problem.layers)
    return tuple(end - begin for begin, end in zip(boundaries, ends, strict=True)) if boundaries else ()


def _draft(problem: SplitProblem, boundaries: Boundaries, parallel: int) -> SplitDraft:
    costs = problem.costs(parallel)
    spans = _spans(problem, boundaries)
    speed = _speed(problem.search, costs, spans)
    return SplitDraft(
        boundaries=boundaries,
        devices=_loads(problem, boundaries, memory_for(costs, spans, problem.budgets)),
        parallel=parallel,
        speed=speed,
        alone=_faster_alone(problem, costs, speed, spans),
    )


def _speed(search: Problem, costs: Costs, spans: Sequence[Span]) -> Speed:
    return search.speed.decode(costs, spans, search.figures, model=search.model)


def _spans(problem: SplitProblem, boundaries: Boundaries) -> tuple[Span, ...]:
    borders = (0, *boundaries, problem.layers)
    names = (CPU, *(card.name for card in problem.cards))
    parts = zip(names, pairwise(borders), strict=True)
    return tuple(Span(name, begin, end) for name, (begin, end) in parts if end > begin)


def _loads(problem: SplitProblem, boundaries: Boundaries, memory: Sequence[DeviceMemory]) -> tuple[DeviceLoad, ...]:
    parts = per_budget(memory, problem.budgets)
    kept = headroom(parts, problem.budgets)
    left = headroom(parts, problem.budgets, margin=False)
    borders = (0, *boundaries, problem.layers)
    return tuple(
        _load(budget, part, (begin, end - 1), kept=kept[budget.name], left=left[budget.name])
        for budget, part, (begin, end) in zip(problem.budgets, parts, pairwise(borders), strict=True)
    )


def _load(budget: DeviceBudget, part: DeviceMemory, layers: tuple[int, int], *, kept: int, left: int) -> DeviceLoad:
    """kept, left: bytes free beyond the need, with and without the margin; what shares the RAM counts there too."""
    idle = budget.is_gpu and not part.total  # nothing goes there, so its margin is nobody's concern
    return DeviceLoad(
        name=budget.name,
        label=budget.label or budget.name,
        is_gpu=budget.is_gpu,
        total=budget.total,
        others=max(budget.total - left - part.total, 0),
        weights=part.weights,
        kv=part.kv,
        compute=part.compute,
        overhead=part.overhead,
        first=layers[0],
        last=layers[1],
        room="fits" if kept >= 0 or idle else "tight" if left >= 0 else "does_not_fit",
        missing=0 if idle else max(-kept, 0),
    )


def _faster_alone(problem: SplitProblem, costs: Costs, speed: Speed, spans: Sequence[Span]) -> Alone | None:
    """A single card that holds everything with its margin and would clearly be faster than these spans."""
    best: Alone | None = None
    for card in problem.cards:
        whole = (Span(card.name, 0, problem.layers),)
        if len(spans) == 1 or min(headroom(memory_for(costs, whole, problem.budgets), problem.budgets).values()) < 0:
            continue
        factor = _speed(problem.search, costs, whole).decode / speed.decode
        if factor >= max(_WORTH_A_WORD, best.factor if best else 0):
            best = Alone(label=card.label or card.name, factor=factor)
    return best
