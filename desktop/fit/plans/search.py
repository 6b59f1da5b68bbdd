"""Search for the best way to run one model on the devices at hand: layout, replies at once, context.

What fits is preferred to what does not; of what fits, the fastest at the wanted context. All of it is arithmetic; the
compute buffers are estimates, unless the engine's answer to an earlier question corrected them (`Problem.corrected`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from desktop.engine.protocol import DeviceMemory, KvType
from desktop.fit.memory.placement import Corrections, Costs, Request, assign_layers, request_for, spans_of
from desktop.fit.memory.shape import ModelShape
from desktop.fit.memory.split import headroom
from desktop.fit.plans.layout import Layout, layout_memory, layout_speed, layouts
from desktop.fit.rating.quality import QuantFigures
from desktop.fit.speeds.speed import DEPTH, SpeedModel
from desktop.fit.types import DeviceBudget, Speed

LEAST_CONTEXT = 1024
"""Tokens below which a context is not lowered by itself; contexts are lowered in steps of as many."""


class Candidate(NamedTuple):
    """One way to place the model.

    memory: what each device needs. left: bytes left on each after its margin, negative where they are missing. speed:
    as it is stated, at DEPTH. full: tokens per second that it writes with a full context, by which ways to place a
    model are compared.
    """

    request: Request
    layout: Layout
    memory: tuple[DeviceMemory, ...]
    left: dict[str, int]
    speed: Speed
    full: float

    @property
    def fits(self) -> bool:
        """Whether every device keeps its margin."""
        return min(self.left.values()) >= 0


Computed = Mapping[str, int]
"""Bytes of the compute buffer, by device."""


class _Placed(NamedTuple):
    layout: Layout
    memory: tuple[DeviceMemory, ...]
    left: dict[str, int]

    @property
    def least(self) -> int:
        return min(self.left.values())


class Problem(NamedTuple):
    """What is to be planned, apart from the context.

    budgets: the CPU first, then the graphics cards in the engine's order. speed: how fast these devices are. figures:
    of the model's quantization, for a speed that is not measured.
    gpu_layers, tensor_split: what the person fixed; None and () leave it open.
    model: its key (`tensors_key`), so that its own runs correct its speed; "" where no header is known. corrections:
    what the engine told so far.
    """

    name: str
    shape: ModelShape
    budgets: tuple[DeviceBudget, ...]
    speed: SpeedModel
    figures: QuantFigures
    model: str = ""
    gpu_layers: int | None = None
    tensor_split: tuple[int, ...] = ()
    corrections: Corrections = MappingProxyType({})

    def corrected(self, layout: Layout, stated: Computed, told: Computed) -> "Problem":
        """The same, knowing what the engine told of compute buffers where this stated others, for such a layout."""
        way = layout.way
        learned = {
            (device, way): self.corrections.get((device, way), 1.0) * told[device] / stated[device]
            for device in told.keys() & stated.keys()
            if stated[device] and told[device]
        }
        return self._replace(corrections={**self.corrections, **learned})

    def request(self, n_ctx: int, type_k: KvType, type_v: KvType, *, parallel: int) -> Request:
        """What is asked of this model."""
        return request_for(self.shape, n_ctx=n_ctx, type_k=type_k, type_v=type_v, parallel=parallel)

    def attempt(self, request: Request) -> Candidate:
        """The best way for one request, whether it fits or not.

        Where several replies at once keep it from fitting, or layers off a GPU, it is placed for one at a time.
        """
        shared = self._best(request)
        if request.n_parallel == 1 or not self.shape.sequences_cost:
            return shared
        alone = self._best(self.request(request.n_ctx, request.type_k, request.type_v, parallel=1))
        more = (alone.fits, alone.layout.offloaded) > (shared.fits, shared.layout.offloaded)
        return alone if more else shared

    def longest_context(self, request: Request) -> Candidate | None:
        """The longest context below the wanted one, in steps of LEAST_CONTEXT, that fits; None when none does."""
        low, high = 1, (request.n_ctx - 1) // LEAST_CONTEXT
        best = None
        while low <= high:
            steps = (low + high) // 2
            candidate = self.attempt(request._replace(n_ctx=steps * LEAST_CONTEXT))
            if candidate.fits:
                best, low = candidate, steps + 1
            else:
                high = steps - 1
        return best

    def candidate(self, costs: Costs, layout: Layout) -> Candidate:
        """What this layout comes to."""
        return self._candidate(costs, self._placed(costs, layout))

    def _best(self, request: Request) -> Candidate:
        costs = Costs(self.shape, request, corrections=self.corrections)
        if self.gpu_layers is not None:
            return self.candidate(costs, self._asked_layout(self.gpu_layers))
        placed = [self._placed(costs, layout) for layout in layouts(costs, self.budgets)]
        fitting = [one for one in placed if one.least >= 0]
        if len(fitting) > 1:
            fastest = max(fitting, key=lambda one: self._full(costs, one.layout))
        else:
            fastest = next(iter(fitting), None) or max(placed, key=lambda one: one.least)
        return self._candidate(costs, fastest)

    def _placed(self, costs: Costs, layout: Layout) -> _Placed:
        overheads = {budget.name: budget.overhead for budget in self.budgets}
        memory = layout_memory(costs, layout, overheads=overheads)
        return _Placed(layout, memory, headroom(memory, self.budgets))

    def _candidate(self, costs: Costs, placed: _Placed) -> Candidate:
        layout = placed.layout
        return Candidate(costs.request, *placed, self._speed(costs, layout, DEPTH), self._full(costs, layout))

    def _full(self, costs: Costs, layout: Layout) -> float:
        return self._speed(costs, layout, costs.request.n_ctx).decode

    def _speed(self, costs: Costs, layout: Layout, depth: int) -> Speed:
        return layout_speed(self.speed, costs, layout, self.figures, depth=depth, model=self.model)

    def _asked_layout(self, gpu_layers: int) -> Layout:
        devices = [budget.name for budget in self.budgets if budget.is_gpu]
        split = self.tensor_split or tuple(budget.usable >> 20 for budget in self.budgets if budget.is_gpu)
        layers = assign_layers(n_layer=self.shape.n_layer, n_gpu_layers=gpu_layers, tensor_split=split, devices=devices)
        return Layout(spans_of(layers))
