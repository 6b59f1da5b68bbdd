"""How fast a model will write: bytes read per token over the bandwidth of the device that reads them.

t per token = t0 + sum over devices of (weights read / BW(device, type)) + attention over what was kept + hops between
devices. With the probe's figures of every device of a plan the answer is measured (measured.py), corrected by this
machine's own runs; otherwise bandwidths are assumed, `Speed.measured` is False, and prefill is not known.
"""

from collections.abc import Sequence
from typing import NamedTuple

from desktop.engine.protocol import PROMPT_TOKENS
from desktop.fit.cards.cards import known_bandwidth
from desktop.fit.memory.placement import CPU, Costs, Span
from desktop.fit.memory.shape import ModelShape
from desktop.fit.rating.quality import QuantFigures
from desktop.fit.remembered.observed import Run
from desktop.fit.speeds.measured import Correction, MeasuredDevice, Probes, correction, placement_key
from desktop.fit.types import DeviceBudget, Speed
from desktop.hardware.types import HardwareProfile

DEPTH = 2048
"""Tokens of conversation at which a speed is stated, unless the context is shorter."""

_GB = 10**9


class Bandwidth(NamedTuple):
    """Bytes per second at which F16 weights are read, at worst and at best."""

    low: float
    high: float


# Two x86-64 cores read F16 weights at 25 to 27 GB/s (mul_mat probe), so a core reaches 8 to 17; from some cores on
# memory is the limit: one channel of DDR4-2400 (19 GB/s) to two of DDR5-5600 (90 GB/s), of which about 70 % arrive.
_PER_CORE = Bandwidth(8 * _GB, 17 * _GB)
_RAM = Bandwidth(18 * _GB, 60 * _GB)
# Apple's published figures: M1 68 GB/s to M2 Ultra 800; the plain chips have 68 to 120.
_APPLE = Bandwidth(50 * _GB, 100 * _GB)
# Share of a card's theoretical bandwidth that F16 weights reach.
_GPU_SHARE = Bandwidth(0.65, 0.9)
# Vendors' figures by memory size, for cards of which neither driver nor table tells: slowest and fastest common card.
_GPU_BY_MEMORY = (
    (9 << 30, Bandwidth(128 * _GB, 448 * _GB)),
    (13 << 30, Bandwidth(216 * _GB, 672 * _GB)),
    (17 << 30, Bandwidth(288 * _GB, 960 * _GB)),
    (26 << 30, Bandwidth(360 * _GB, 1008 * _GB)),
)
_GPU_LARGE = Bandwidth(600 * _GB, 1792 * _GB)
_KV_EFFICIENCY = 0.5  # attention reads the cache in smaller pieces than weights are read
_LAYER_SECONDS = {True: 30e-6, False: 20e-6}  # starting the operations of one layer, on a GPU and on a CPU
HOP_SECONDS = 50e-6
"""Handing the hidden state on to the next device."""

# What the engine does per token beside the model: it chooses the token, tells of it, and prepares the next step. Seen
# on a CPU of 2.6 GHz; see docs/speed.md.
_TOKEN_SECONDS = 0.25e-3
_WORD_SECONDS = 4e-9  # per word of the vocabulary
# Half the width of the interval: for a model that never ran here, after one run of it, after more.
_UNSURE = (0.12, 0.08, 0.05)
_LARGEST_SPREAD = 0.3


class SpeedModel:
    """Bandwidth of every device of one machine; answers for any model on it."""

    def __init__(
        self, profile: HardwareProfile, budgets: Sequence[DeviceBudget], *, probes: Probes | None = None
    ) -> None:
        """probes: what was measured on this machine; without it everything is an estimate."""
        self._bandwidth = {budget.name: _assumed(budget, profile) for budget in budgets}
        self._probes = probes
        self._corrections: dict[tuple[str, str], tuple[Correction, Correction]] = {}

    def decode(
        self, costs: Costs, spans: Sequence[Span], figures: QuantFigures, *, depth: int = DEPTH, model: str = ""
    ) -> Speed:
        """Speed at `depth` tokens of conversation (at most the context), in tokens per second.

        model: its key (`tensors_key`), so that its own runs correct the figure.
        """
        devices = self._measured(costs.shape, spans)
        if devices is not None and self._probes is not None:
            at = min(depth, costs.request.n_ctx)
            return _corrected(_predict(devices, costs, spans, at), *self._taught(self._probes.runs, spans, model))
        if costs.request.n_ctx > depth:
            costs = Costs(costs.shape, costs.request._replace(n_ctx=depth))
        fast = slow = HOP_SECONDS * (len(spans) - 1)
        for span in spans:
            off_cpu = span.device != CPU
            efficiency = figures.gpu_efficiency if off_cpu else figures.cpu_efficiency
            read = _weights_read(costs, span) / efficiency + costs.kv(span.begin, span.end) / _KV_EFFICIENCY
            start = _LAYER_SECONDS[off_cpu] * (span.end - span.begin)
            low, high = self._bandwidth[span.device]
            slow += start + read / low
            fast += start + read / high
        return Speed(decode_low=1 / slow, decode_high=1 / fast)

    def predicted(self, costs: Costs, spans: Sequence[Span], *, depth: int) -> tuple[float, float] | None:
        """Decode and prefill speed at `depth` from the probe alone; None where a device was not measured."""
        devices = self._measured(costs.shape, spans)
        return None if devices is None else _predict(devices, costs, spans, depth, read_at=depth)[:2]

    def _taught(self, runs: Sequence[Run], spans: Sequence[Span], model: str) -> tuple[Correction, Correction]:
        """What runs say of decode and of prefill; remembered, because one search asks for few places many times."""
        placement = placement_key(spans)
        known = self._corrections.get((placement, model))
        if known is None:
            decode, prefill = (correction(runs, placement=placement, model=model, prefill=of) for of in (False, True))
            known = self._corrections[placement, model] = (decode, prefill)
        return known

    def _measured(self, shape: ModelShape, spans: Sequence[Span]) -> list[MeasuredDevice] | None:
        """The devices of a plan where each was measured, with every type of the model; otherwise None."""
        if self._probes is None or not spans:
            return None
        found = [self._probes.devices.get(span.device) for span in spans]
        known = [device for device in found if device is not None and device.knows(shape)]
        return known if len(known) == len(found) else None


class _Prediction(NamedTuple):
    """Tokens per second. spread: slower over faster measurement, of the types at hand."""

    decode: float
    prefill: float
    spread: float


def _predict(
    devices: Sequence[MeasuredDevice], costs: Costs, spans: Sequence[Span], depth: int, *, read_at: int = 0
) -> _Prediction:
    hops = HOP_SECONDS * (len(spans) - 1)
    token = _TOKEN_SECONDS + costs.shape.n_vocab * _WORD_SECONDS + hops
    pairs = list(zip(devices, spans, strict=True))
    return _Prediction(
        1 / (token + sum(device.decode(costs, span, depth) for device, span in pairs)),
        1 / (hops / PROMPT_TOKENS + sum(device.prefill(costs, span, read_at) for device, span in pairs)),
        max(device.spread(costs.shape) for device in devices),
    )


def _corrected(found: _Prediction, decode: Correction, prefill: Correction) -> Speed:
    """Multiply by what runs taught; the interval is narrower for a model that ran here."""
    unsure = min((found.spread - 1) / 2, _LARGEST_SPREAD)
    one, other = (_UNSURE[min(part.runs, 2)] + unsure for part in (decode, prefill))
    middle = found.prefill * prefill.factor
    return Speed(
        decode_low=found.decode * decode.factor * (1 - one),
        decode_high=found.decode * decode.factor * (1 + one),
        prefill=middle,
        prefill_low=middle * (1 - 2 * other),
        prefill_high=middle * (1 + 2 * other),
        measured=True,
    )


def _weights_read(costs: Costs, span: Span) -> float:
    """Bytes of weights that one token reads of a span: experts by their share, no token embeddings but a tied head."""
    shape = costs.shape
    inside = min(span.end, shape.n_layer)
    begin = min(span.begin, inside)
    read = (shape.weight_sums[inside] - shape.weight_sums[begin]) * shape.layer_active
    if span.end > shape.n_layer:
        read += shape.head_weights + shape.tied_weights
    return read


def _assumed(budget: DeviceBudget, profile: HardwareProfile) -> Bandwidth:
    if budget.is_gpu:
        return _assumed_gpu(budget)
    if "apple" in profile.cpu.name.lower():
        return _APPLE
    cores = max(profile.cpu.cores, 1)
    return Bandwidth(min(_PER_CORE.low * cores, _RAM.low), min(_PER_CORE.high * cores, _RAM.high))


def _assumed_gpu(budget: DeviceBudget) -> Bandwidth:
    bandwidth = budget.bandwidth or known_bandwidth(budget.label, budget.total)
    if bandwidth:
        return Bandwidth(bandwidth * _GPU_SHARE.low, bandwidth * _GPU_SHARE.high)
    cards = next((cards for size, cards in _GPU_BY_MEMORY if budget.total <= size), _GPU_LARGE)
    return Bandwidth(cards.low * _GPU_SHARE.low, cards.high * _GPU_SHARE.high)
