"""How many whole layers leave the CPU, how several devices share them, and what is left free on each then.

Which of the ways to place a model is best is searched in `plans.search`.
"""

import bisect
from collections.abc import Sequence

from desktop.engine.protocol import DeviceMemory
from desktop.fit.memory.placement import CPU, Costs, Span, copied_bytes, memory_of, way_of
from desktop.fit.types import DeviceBudget


def best_spans(costs: Costs, budgets: Sequence[DeviceBudget], *, copied: int = 0) -> tuple[Span, ...]:
    """Put as many layers as fit on the GPUs, shared out in proportion to what each may hold.

    budgets: the CPU first, then the GPUs in the engine's order. The rest stays on the CPU, whether it fits or not:
    `headroom` tells. copied: as memory_of has it.
    """
    gpus = [budget for budget in budgets if budget.is_gpu]
    everything = costs.shape.n_layer + 1
    if not gpus:
        return (Span(CPU, 0, everything),)
    running = costs.running()
    rooms = _rooms(costs, gpus, whole=True, copied=copied)
    spans = _proportional(running, rooms, gpus) or _packed(running, rooms, gpus)
    if spans and spans[0].begin == 0:
        return spans
    spans = _packed(running, _rooms(costs, gpus, whole=False, copied=copied), gpus)
    first = spans[0].begin if spans else everything
    if first == 0:  # it fits without the copies that pipelining keeps, which a layer on the CPU ends
        first = 1
        spans = tuple(span._replace(begin=max(span.begin, first)) for span in spans if span.end > first)
    return (Span(CPU, 0, first), *spans)


def _rooms(costs: Costs, gpus: Sequence[DeviceBudget], *, whole: bool, copied: int) -> list[int]:
    """Bytes for layers on each GPU: what may be used, minus the compute buffer."""
    copied = max(copied, 0 if whole else copied_bytes(costs.shape.layer_weights))
    way = way_of(cards=len(gpus), copied=copied > 0)
    shared = costs.shape.shared_weights
    return [max(gpu.usable - costs.compute(gpu.name, way, copied=copied) - shared, 0) for gpu in gpus]


def _proportional(running: list[int], rooms: list[int], gpus: Sequence[DeviceBudget]) -> tuple[Span, ...]:
    """All layers, each GPU filled to about the same share; nothing when that does not fit."""
    total, everything = sum(rooms), len(running) - 1
    if total < running[-1]:
        return ()
    spans, begin, seen = [], 0, 0
    for gpu, room in zip(gpus, rooms, strict=True):
        seen += room
        end = everything if gpu is gpus[-1] else _nearest(running, running[-1] * seen // total)
        if running[end] - running[begin] > room:
            return ()
        if end > begin:
            spans.append(Span(gpu.name, begin, end))
        begin = end
    return tuple(spans)


def _packed(running: list[int], rooms: list[int], gpus: Sequence[DeviceBudget]) -> tuple[Span, ...]:
    """As many of the last layers as fit: each GPU is filled to the brim, from the last one back."""
    spans = []
    end = len(running) - 1
    for gpu, room in zip(reversed(gpus), reversed(rooms), strict=True):
        begin = bisect.bisect_left(running, running[end] - room)
        if begin < end:
            spans.append(Span(gpu.name, begin, end))
        end = begin
    return tuple(reversed(spans))


def _nearest(running: list[int], target: int) -> int:
    index = bisect.bisect_left(running, target)
    if index and target - running[index - 1] <= running[index] - target:
        return index - 1
    return index


def headroom(memory: Sequence[DeviceMemory], budgets: Sequence[DeviceBudget], *, margin: bool = True) -> dict[str, int]:
    """Bytes free (negative: missing) on each device, after its margin unless `margin` is False.

    What a device that shares the main memory holds counts there as well.
    """
    by_name = {budget.name: budget for budget in budgets}
    left = {}
    for part in memory:
        budget = by_name[part.device]
        left[part.device] = budget.free - (budget.margin if margin else 0) - part.total
    shared = sum(part.total for part in memory if by_name[part.device].shares_ram)
    if CPU in left:
        left[CPU] -= shared
    return left


def per_budget(memory: Sequence[DeviceMemory], budgets: Sequence[DeviceBudget]) -> list[DeviceMemory]:
    """What each device needs, in the order of the budgets; nothing where `memory` does not name it."""
    known = {part.device: part for part in memory}
    return [known.get(budget.name, DeviceMemory(device=budget.name)) for budget in budgets]


def memory_for(costs: Costs, spans: Sequence[Span], budgets: Sequence[DeviceBudget]) -> tuple[DeviceMemory, ...]:
    """What each device needs, with its overhead."""
    return memory_of(costs, spans, overheads={budget.name: budget.overhead for budget in budgets})
