"""Ways to place one model on several devices, each with what it needs and how fast it would be.

Whole layers are shared out over the graphics cards (all of them, or one alone); where they do not all fit, the last
layers leave the processor, or all layers do while the experts or the feed-forward steps of the first ones stay on it.
Neither of the two is always faster: what a token reads and the conversation's length decide.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from desktop.engine.protocol import DeviceMemory, TensorOverride
from desktop.fit.memory.header_shape import EXPERTS, FEED_FORWARD
from desktop.fit.memory.placement import CPU, Costs, Span, Way, copied_bytes, memory_of, way_of
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.fit.memory.split import best_spans, headroom
from desktop.fit.rating.quality import QuantFigures
from desktop.fit.speeds.speed import DEPTH, HOP_SECONDS, SpeedModel
from desktop.fit.types import DeviceBudget, Kept, KeptKind, Speed

_PATTERNS: dict[KeptKind, str] = {"experts": EXPERTS, "feed_forward": FEED_FORWARD}


class Layout(NamedTuple):
    """Where each layer goes; `kept` is what stays behind."""

    spans: tuple[Span, ...]
    kept: Kept | None = None

    @property
    def offloaded(self) -> int:
        """Layers off the CPU, the output head among them."""
        return sum(span.end - span.begin for span in self.spans if span.device != CPU)

    @property
    def way(self) -> Way:
        """How the cards take part, as memory_of prices it."""
        cards = [span for span in self.spans if span.device != CPU]
        behind = bool(cards) and cards[0].begin > 0
        return way_of(cards=len(cards), copied=behind or self.kept is not None)

    @property
    def overrides(self) -> tuple[TensorOverride, ...]:
        """What a plan says of the tensors that stay behind."""
        if self.kept is None:
            return ()
        layers = "|".join(map(str, range(self.kept.blocks)))
        return (TensorOverride(pattern=_PATTERNS[self.kept.kind].format(layers=f"({layers})"), device=CPU),)


def layouts(costs: Costs, budgets: Sequence[DeviceBudget]) -> Iterator[Layout]:
    """Yield the ways that are worth a price, the one over all graphics cards first; whether they fit is not asked.

    budgets: the CPU first, then the graphics cards in the engine's order.
    """
    whole = Layout(best_spans(costs, budgets))
    yield whole
    cards = [budget for budget in budgets if budget.is_gpu]
    if len(cards) > 1:
        alone = (Layout(best_spans(costs, [budgets[0], card])) for card in cards)
        yield from (layout for layout in alone if layout.spans[0].device != CPU)
    if any(card.shares_ram for card in cards):
        yield Layout((Span(CPU, 0, costs.shape.n_layer + 1),))  # its buffers and its driver are in the same memory
    if cards and whole.spans[0].device == CPU:
        for kind in ("experts", "feed_forward"):
            yield from _staying_behind(costs, budgets, kind)


def layout_memory(costs: Costs, layout: Layout, *, overheads: dict[str, int]) -> tuple[DeviceMemory, ...]:
    """What each device needs, in bytes; what stays behind counts on the CPU."""
    if layout.kept is None:
        return memory_of(costs, layout.spans, overheads=overheads)
    lighter = costs.of(_without(costs.shape, layout.kept))
    cpu, *others = memory_of(
        lighter, layout.spans, overheads=overheads, copied=copied_bytes(behind_of(costs.shape, layout.kept))
    )
    behind = sum(behind_of(costs.shape, layout.kept))
    return (msgspec.structs.replace(cpu, weights=cpu.weights + behind), *others)


def rest_of(shape: ModelShape, kept: Kept) -> ModelShape:
    """The model without what stays behind, its active share made right: what the graphics cards read."""
    lighter = _without(shape, kept)
    if kept.kind == "feed_forward" or shape.layer_active == 1.0 or not lighter.weight_sums[-1]:
        return lighter
    active = shape.weight_sums[-1] * shape.layer_active - sum(behind_of(shape, kept)) * _experts_used(shape)
    return msgspec.structs.replace(lighter, layer_active=min(max(active / lighter.weight_sums[-1], 0.0), 1.0))


def behind_shape(shape: ModelShape, kept: Kept) -> ModelShape:
    """A model of nothing but what stays behind: what the CPU reads for each token."""
    nothing = (LayerCache(),) * kept.blocks
    share = _experts_used(shape) if kept.kind == "experts" else 1.0
    return msgspec.structs.replace(
        shape,
        layer_weights=behind_of(shape, kept),
        layers=nothing,
        head_weights=0,
        tied_weights=0,
        input_weights=0,
        shared_weights=0,
        layer_experts=(),
        layer_feed_forward=(),
        layer_active=share,
        layer_products=shape.layer_products[: kept.blocks],  # what is there of them goes by its bytes
        n_vocab=0,  # a token's own time is the cards'
    )


def behind_of(shape: ModelShape, kept: Kept) -> tuple[int, ...]:
    """Bytes that stay behind, per block."""
    return _movable(shape, kept.kind)[: kept.blocks]


def _experts_used(shape: ModelShape) -> float:
    """Share of the experts' bytes that one token reads: layer_active, with everything else read whole."""
    experts = sum(shape.layer_experts)
    if not experts:
        return 1.0
    return min(max(1 - shape.weight_sums[-1] * (1 - shape.layer_active) / experts, 0.0), 1.0)


def _staying_behind(costs: Costs, budgets: Sequence[DeviceBudget], kind: KeptKind) -> Iterator[Layout]:
    """All layers on the cards, and as few tensors of a kind on the CPU as let them, where that is enough."""
    if not any(_movable(costs.shape, kind)):
        return
    low, high = 1, costs.shape.n_layer
    best: Layout | None = None
    while low <= high:
        count = (low + high) // 2
        layout = _with_kept(costs, budgets, Kept(kind, count))
        if layout is None:
            low = count + 1
        else:
            best, high = layout, count - 1
    if best is not None:
        yield best


def _with_kept(costs: Costs, budgets: Sequence[DeviceBudget], kept: Kept) -> Layout | None:
    lighter = costs.of(_without(costs.shape, kept))
    spans = best_spans(lighter, budgets, copied=copied_bytes(behind_of(costs.shape, kept)))
    if spans[0].device == CPU:
        return None
    layout = Layout(spans, kept)
    memory = layout_memory(costs, layout, overheads={budget.name: budget.overhead for budget in budgets})
    left = headroom([part for part in memory if part.device != CPU], budgets)
    return layout if min(left.values()) >= 0 else None


def _movable(shape: ModelShape, kind: KeptKind) -> tuple[int, ...]:
    return shape.layer_experts if kind == "experts" else shape.layer_feed_forward


def _without(shape: ModelShape, kept: Kept) -> ModelShape:
    behind = behind_of(shape, kept)
    lighter = tuple(
        weights - (behind[index] if index < kept.blocks else 0) for index, weights in enumerate(shape.layer_weights)
    )
    return msgspec.structs.replace(shape, layer_weights=lighter, layer_experts=(), layer_feed_forward=())


def layout_speed(
    speeds: SpeedModel, costs: Costs, layout: Layout, figures: QuantFigures, *, depth: int = DEPTH, model: str = ""
) -> Speed:
    """Expected speed of a layout at `depth` tokens of conversation. model: its key, so that its own runs count.

    What stays behind is read by the CPU, between two hops for each of its blocks.
    """
    if layout.kept is None:
        return speeds.decode(costs, layout.spans, figures, depth=depth, model=model)
    # No run is noted of a model with tensors that stay behind: its runs are of other work, as those of other models.
    cards = speeds.decode(costs.of(rest_of(costs.shape, layout.kept)), layout.spans, figures, depth=depth)
    behind = (Span(CPU, 0, layout.kept.blocks),)
    cpu = speeds.decode(costs.of(behind_shape(costs.shape, layout.kept)), behind, figures, depth=depth)
    hops = 2 * HOP_SECONDS * layout.kept.blocks
    return Speed(
        decode_low=1 / (1 / cards.decode_low + 1 / cpu.decode_low + hops),
        decode_high=1 / (1 / cards.decode_high + 1 / cpu.decode_high + hops),
        measured=cards.measured and cpu.measured,
    )
