"""From what the probe measured of a device to the seconds that a model takes on it.

A token that is written takes, layer by layer, its products with all weights (bytes over the bandwidth of their type),
attention over what was kept, and small operations; a token of a prompt the same with operations over the rate of their
type. How each of it is measured: runtime/speed_probe/measure.py; the formula and its errors: docs/speed.md.
"""

import itertools
import math
import statistics
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from desktop.engine.protocol import (
    NARROW_ROW,
    PROMPT_TOKENS,
    UNQUANTIZED_KV,
    WIDE_ROW,
    AttentionSpeed,
    DeviceSpeeds,
    LayerSpeed,
)
from desktop.fit.memory.placement import CPU, Costs, Span
from desktop.fit.memory.products import Products
from desktop.fit.memory.shape import ModelShape
from desktop.fit.remembered.observed import Run

_KEPT_SHAPES = 256  # of one device; a catalog has some 150 rows
_LEAST = 0.7  # of the faster of both measured rates, for rows beyond those that were measured
_RECENT = 20  # runs that count
_PRIOR_RUNS = {True: 1.0, False: 4.0}  # weight of "as predicted": against runs of the same model, of others
_FAR_OFF = 4.0


class MeasuredDevice:
    """One device. Times are seconds."""

    def __init__(self, speeds: DeviceSpeeds) -> None:
        self.speeds = speeds
        self._types = {speed.kind: speed for speed in speeds.types}
        self._sums: OrderedDict[tuple[int, str], tuple[ModelShape, list[float]]] = OrderedDict()

    def knows(self, shape: ModelShape) -> bool:
        """Whether the matrices of this model are known, and every type among them was measured."""
        kinds = {part.kind for layer in (*shape.layer_products, shape.head_products) for part in layer}
        return bool(shape.head_products) and all(shape.layer_products) and kinds <= self._types.keys()

    def spread(self, shape: ModelShape) -> float:
        """How far the measurements of these types were apart: slower over faster."""
        kinds = {part.kind for layer in shape.layer_products for part in layer}
        return max((self._types[kind].spread for kind in kinds if kind in self._types), default=1.0)

    def decode(self, costs: Costs, span: Span, depth: int) -> float:
        """Seconds of a span's layers for one token that is written after `depth` others."""
        shape = costs.shape
        sums = self._running(shape, "decode", self._read_seconds)
        layers = min(span.end, shape.n_layer) - min(span.begin, shape.n_layer)
        seconds = sums[span.end] - sums[span.begin] + layers * _layer(self.speeds.decode_layer, shape)
        return seconds + self._attention(costs, span, lambda speed: speed.decode, cells=float(depth))

    def prefill(self, costs: Costs, span: Span, depth: int) -> float:
        """Seconds per token of a span's layers, for PROMPT_TOKENS that are read after `depth` others."""
        shape = costs.shape
        sums = self._running(shape, "prefill", self._compute_seconds)
        inside = min(span.end, shape.n_layer)
        begin = min(span.begin, inside)
        seconds = sums[inside] - sums[begin] + (inside - begin) * _layer(self.speeds.prefill_layer, shape)
        return seconds + self._attention(costs, span, lambda speed: speed.prefill, cells=depth + PROMPT_TOKENS / 2)

    def _running(self, shape: ModelShape, what: str, price: Callable[[Products], float]) -> list[float]:
        """Running sums of the products' seconds, n_layer + 2 entries, the head last."""
        key = (id(shape), what)  # the shape is kept beside them, so that its id is not given again
        if key not in self._sums:
            each = [_priced(layer, weights, price) for layer, weights in _layers(shape)]
            head = sum(map(price, shape.head_products))
            self._sums[key] = shape, [0.0, *itertools.accumulate([*(t * shape.layer_active for t in each), head])]
            if len(self._sums) > _KEPT_SHAPES:
                self._sums.popitem(last=False)
        self._sums.move_to_end(key)
        return self._sums[key][1]

    def _read_seconds(self, part: Products) -> float:
        speed = self._types[part.kind]
        per_byte = _at_width(part.width, 1 / speed.read_narrow, 1 / speed.read_wide)
        return part.size * per_byte + part.matrices * self.speeds.product

    def _compute_seconds(self, part: Products) -> float:
        speed = self._types[part.kind]
        per_operation = _at_width(part.width, 1 / speed.compute_narrow, 1 / speed.compute_wide)
        return 2 * part.rows * part.width * per_operation

    def _attention(self, costs: Costs, span: Span, rate: Callable[[AttentionSpeed], float], *, cells: float) -> float:
        shape = costs.shape
        width = _head_width(shape)
        per_cell = self._per_cell(costs.request.type_k, width, rate) * max(shape.n_head, 1)
        seconds = 0.0
        for layer in shape.layers[span.begin : span.end]:
            seen = min(cells, shape.window) if layer.sliding and shape.window else cells
            seconds += seen * per_cell if layer.k_width else 0.0
            seconds += 2 * layer.state * self._state_rate()
        return seconds

    def _per_cell(self, cache: str, width: float, rate: Callable[[AttentionSpeed], float]) -> float:
        """Seconds per head and cell, along the line through the widths that were measured."""
        kind = "f16" if cache in UNQUANTIZED_KV else "q8_0"
        found = sorted((speed.width, rate(speed)) for speed in self.speeds.attention if speed.kind == kind)
        if not found:
            return 0.0
        (narrow, low), (wide, high) = found[0], found[-1]
        slope = max(high - low, 0.0) / max(wide - narrow, 1)
        return max(low + slope * (width - narrow), low * width / narrow * _LEAST)

    def _state_rate(self) -> float:
        speed = self._types.get("f32")
        return 1 / speed.read_wide if speed else 0.0


def _layers(shape: ModelShape) -> Iterator[tuple[tuple[Products, ...], int]]:
    return zip(shape.layer_products, shape.layer_weights, strict=True)


def _priced(layer: tuple[Products, ...], weights: int, price: Callable[[Products], float]) -> float:
    """Seconds of a layer's products; where some of its weights live elsewhere, of the rest in proportion."""
    whole = sum(part.size for part in layer)
    return sum(map(price, layer)) * min(weights / whole, 1.0) if whole else 0.0


def _layer(speed: LayerSpeed, shape: ModelShape) -> float:
    return speed.start + speed.value * shape.n_embd


def _head_width(shape: ModelShape) -> float:
    kept = max((layer.k_width + layer.v_width for layer in shape.layers), default=0)
    return max(shape.attention_width - kept, 0) / max(shape.n_head, 1) or 128.0


def _at_width(width: int, narrow: float, wide: float) -> float:
    """Seconds per byte or operation in rows of `width`: a row costs something by itself and something per value."""
    share = (1 / width - 1 / WIDE_ROW) / (1 / NARROW_ROW - 1 / WIDE_ROW)
    return max(wide + (narrow - wide) * share, _LEAST * min(narrow, wide))


class Probes(NamedTuple):
    """What was measured on a machine: the probe's figures by the engine's names of devices, and its own runs."""

    devices: dict[str, MeasuredDevice]
    runs: tuple[Run, ...] = ()

    @property
    def mark(self) -> Hashable:
        """What the figures are, to tell whether they are others."""
        return tuple((name, device.speeds) for name, device in sorted(self.devices.items())), self.runs

    def only_cpu(self) -> "Probes":
        """For cards that are not there: what is known of the processor."""
        return Probes({name: device for name, device in self.devices.items() if name == CPU})


class Correction(NamedTuple):
    """What a prediction is multiplied with, by how runs went. runs: how many of this model there were."""

    factor: float = 1.0
    runs: int = 0


def correction(runs: Sequence[Run], *, placement: str, model: str, prefill: bool = False) -> Correction:
    """How this machine's runs compare with what was predicted of them, drawn towards 1 where there are few.

    Runs of the same model with as many layers on each device count before those of any model on the same devices, whose
    layers are other layers anyway. model: its key, "" where unknown.
    """
    devices = _devices_of(placement)
    here = [run for run in runs if _devices_of(run.placement) == devices]
    same = _ratios((run for run in here if model and run.model == model and run.placement == placement), prefill)
    ratios = same or _ratios(here, prefill)
    if not ratios:
        return Correction()
    weight = len(ratios) / (len(ratios) + _PRIOR_RUNS[bool(same)])
    return Correction(math.exp(weight * statistics.median(map(math.log, ratios))), len(same))


def placement_key(spans: Sequence[Span]) -> str:
    """Which devices hold how many layers, as runs are remembered by."""
    return ",".join(f"{span.device}:{span.end - span.begin}" for span in spans)


@lru_cache(maxsize=1024)
def _devices_of(placement: str) -> tuple[str, ...]:
    """The names in a placement's key; those of remote workers have a colon themselves."""
    return tuple(part.rpartition(":")[0] for part in placement.split(","))


def _ratios(runs: Iterable[Run], prefill: bool) -> list[float]:
    """Actual over predicted of the newest that count; a run need not have measured both speeds."""
    return [ratio for run in runs if (ratio := _ratio(run, prefill=prefill))][:_RECENT]


def _ratio(run: Run, *, prefill: bool) -> float | None:
    """Actual over predicted; None where one is missing, or they are so far apart that something else was the matter."""
    actual, predicted = (run.prefill, run.predicted_prefill) if prefill else (run.decode, run.predicted_decode)
    if actual <= 0 or predicted <= 0:
        return None
    ratio = actual / predicted
    return ratio if 1 / _FAR_OFF < ratio < _FAR_OFF else None
