"""Where each layer goes and what that needs: pure arithmetic, the same as libllama's.

Sources: llama.cpp (vendored in llama-cpp-python 0.3.36) llama-model.cpp for the split, llama-kv-cache*.cpp for the
cells. Weights and KV cache are exact when the shape is; the compute buffer is an estimate (see docs/fit.md) until
the engine's own dry run takes its place.
"""

import bisect
import itertools
import math
import operator
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple

from desktop.engine.protocol import DeviceMemory, KvType, LoadPlan, Placement
from desktop.fit.memory.shape import ModelShape

CPU = "CPU"
REMOTE = "RPC"
"""How the engine's names of devices in other machines begin."""
MANY_IDLE, FEW_IDLE = 12, 2
"""Sequences beside those that are answered: conversations that wait for their next turn."""
OUTPUTS = 16
"""Rows of logits of one step, so that speculation can check several tokens at once."""
_PAD = 256
_F32 = 4
_MASK_BYTES = 2
# Attention masks that a device holds. GGML_SCHED_MAX_COPIES: inputs are kept four times when layers are pipelined over
# devices. With layers or tensors on the CPU three were seen on the first card after them (dry runs to 340,000 tokens).
_MASKS = {"plain": 1, "pipelined": 4, "copied": 3}
_COMPUTE_FLOOR = 4 << 20
_COMPUTE_SAFETY = 1.15
_LARGEST_TENSOR = 0.4  # of a layer's bytes, what is copied to a GPU to read a prompt through a layer on the CPU


Way = Literal["plain", "pipelined", "copied"]
"""How a device takes part: layers pipelined over several; or weights on the CPU, copied to it to read a prompt."""


def way_of(*, cards: int, copied: bool) -> Way:
    """How each of so many cards takes part; copied: weights of theirs, or whole layers, are on the CPU."""
    return "copied" if copied else "pipelined" if cards > 1 else "plain"


Corrections = Mapping[tuple[str, Way], float]
"""By which the estimate of a device's compute buffer is multiplied, where the engine was asked about such a layout."""


class Request(NamedTuple):
    """What the person asks of a model; the fields are those of LoadPlan."""

    n_ctx: int
    type_k: KvType = "f16"
    type_v: KvType = "f16"
    n_ubatch: int = 512
    n_parallel: int = 1
    n_seq_max: int = 1
    n_outputs_max: int = 1
    kv_unified: bool = True


def request_of(plan: LoadPlan) -> Request:
    """Return the request that a plan fulfils."""
    return Request(
        plan.n_ctx,
        plan.type_k,
        plan.type_v,
        n_ubatch=plan.n_ubatch,
        n_parallel=plan.n_parallel,
        n_seq_max=plan.n_seq_max,
        n_outputs_max=plan.n_outputs_max,
        kv_unified=plan.kv_unified,
    )


def request_for(shape: ModelShape, *, n_ctx: int, type_k: KvType, type_v: KvType, parallel: int) -> Request:
    """Return the request for `parallel` replies at once, with room for conversations that wait for their next turn.

    In a unified KV cache of full attention a waiting sequence costs nothing of its own; a recurrent state or a
    sliding window is memory for each, so that few wait there. A single reply at a time keeps no other.
    """
    idle = 0 if parallel == 1 and shape.sequences_cost else FEW_IDLE if shape.sequences_cost else MANY_IDLE
    return Request(
        n_ctx,
        type_k,
        type_v,
        n_parallel=parallel,
        n_seq_max=parallel + idle,
        # libllama aborts where a context has more sequences than outputs (llama-context.cpp, output_reserve).
        n_outputs_max=max(OUTPUTS, parallel + idle),
    )


class Span(NamedTuple):
    """The layers begin to end - 1 live on `device`; index n_layer is the output head."""

    device: str
    begin: int
    end: int


def assign_layers(
    *, n_layer: int, n_gpu_layers: int, tensor_split: Sequence[int], devices: Sequence[str]
) -> tuple[str, ...]:
    """Return the device of each of n_layer + 1 layers, as libllama assigns them (LLAMA_SPLIT_MODE_LAYER).

    n_gpu_layers < 0 means all. The last layers leave the CPU first. An empty or all-zero tensor_split stands for
    equal parts here; the engine would take the free memory of the moment, so a plan always states it.
    """
    count = n_layer + 1
    active = count if n_gpu_layers < 0 else min(n_gpu_layers, count)
    if not devices or active == 0:
        return (CPU,) * count
    split = tensor_split if any(tensor_split) else (1,) * len(devices)
    borders = _float32_borders(tuple(split[: len(devices)]))
    chosen = (bisect.bisect_right(borders, _float32(index / active)) for index in range(active))
    return (CPU,) * (count - active) + tuple(devices[index] for index in chosen)


def spans_of(layers: Sequence[str]) -> tuple[Span, ...]:
    """Group neighbours on one device."""
    spans = []
    begin = 0
    for device, group in itertools.groupby(layers):
        end = begin + len(list(group))
        spans.append(Span(device, begin, end))
        begin = end
    return tuple(spans)


def placement_of(spans: Sequence[Span]) -> Placement:
    """Spell out the device of every layer."""
    layers: tuple[str, ...] = ()
    for span in spans:
        layers += (span.device,) * (span.end - span.begin)
    return Placement(layers=layers, tensor_split=tuple(s.end - s.begin for s in spans if s.device != CPU))


def cells(n_ctx: int) -> int:
    """Cells of a KV cache: the context padded to 256."""
    return -(-n_ctx // _PAD) * _PAD


def cells_full(request: Request) -> int:
    """Cells of a layer that keeps everything, of one stream: the context, or each sequence's part of it."""
    whole = cells(request.n_ctx)
    return whole if request.kv_unified else cells(whole // request.n_seq_max)


def cells_sliding(request: Request, window: int) -> int:
    """Cells of a sliding layer with swa_full=False: the window of every sequence and one batch, padded to 256."""
    sequences = request.n_seq_max if request.kv_unified else 1
    return cells(min(cells_full(request), window * sequences + request.n_ubatch))


class Costs:
    """Bytes of any run of layers, weights and KV cache, for one shape and one request."""

    def __init__(self, shape: ModelShape, request: Request, *, corrections: Corrections = MappingProxyType({})) -> None:
        """corrections: of compute buffers, by what the engine said of them."""
        self.corrections = corrections
        self._estimates: dict[tuple[Way, int], int] = {}
        streams = 1 if request.kv_unified else request.n_seq_max
        self.shape = shape
        self.request = request
        self._kv = shape.kv_sums(request.type_k, request.type_v).running(
            full=cells_full(request) * streams,
            sliding=cells_sliding(request, shape.window) * streams if shape.window else 0,
            sequences=request.n_seq_max,
        )

    def kv(self, begin: int, end: int) -> int:
        """KV cache and recurrent state of the layers begin to end - 1, in bytes; the head keeps nothing."""
        return self._kv[end] - self._kv[begin]

    def weights(self, begin: int, end: int, *, on_cpu: bool) -> int:
        """Weights of a run of layers, in bytes; the head is layer n_layer, the token embeddings are the CPU's."""
        shape = self.shape
        inside = min(end, shape.n_layer)
        total = shape.weight_sums[inside] - shape.weight_sums[min(begin, inside)] + shape.shared_weights
        if end > shape.n_layer:
            total += shape.head_weights + (0 if on_cpu else shape.tied_weights)
        return total

    def of(self, shape: ModelShape) -> "Costs":
        """The same request of another shape."""
        return Costs(shape, self.request, corrections=self.corrections)

    def compute(self, device: str, way: Way, *, copied: int = 0) -> int:
        """Bytes of a device's compute buffer; see compute_bytes."""
        estimate = self._estimate("plain" if device == CPU else way, copied)
        return math.ceil(estimate * self.corrections.get((device, way), 1.0))

    def _estimate(self, way: Way, copied: int) -> int:
        if (way, copied) not in self._estimates:
            self._estimates[way, copied] = compute_bytes(self.shape, self.request, way=way, copied=copied)
        return self._estimates[way, copied]

    def running(self) -> list[int]:
        """Bytes off the CPU of the first i layers, i from 0 to n_layer + 1; grows with i."""
        totals = list(map(operator.add, self.shape.weight_sums, self._kv))
        totals.append(totals[-1] + self.shape.head_weights + self.shape.tied_weights)
        return totals


def copied_bytes(layer_weights: Sequence[int]) -> int:
    """Bytes of the largest tensor among layers on the CPU, which is copied to a GPU while a prompt is read."""
    return int(max(layer_weights, default=0) * _LARGEST_TENSOR)


def compute_bytes(shape: ModelShape, request: Request, *, way: Way = "plain", copied: int = 0) -> int:
    """Estimate the compute buffer of one device, in bytes, flash attention on; meant never to be too small.

    Per token of a micro-batch: the widest feed-forward step three times (gate, up, product), the residual stream
    four times, queries, keys and values twice, all F32; the attention masks in F16, one per kind of cache, four
    times over when pipelined; the logits that are asked for. 15 % and 4 MiB on top. Over
    30 dry runs of libllama on the CPU it was never under, 1.3 to 3 times the truth (median 1.5) and at most 54 MiB
    over; no real GPU was at hand. copied: bytes of the largest tensor on the CPU that is copied to a GPU while a prompt
    is read (see copied_bytes).
    """
    values = 3 * shape.ff_width + 4 * shape.n_embd + 2 * shape.attention_width
    masks = cells(request.n_ctx) + (cells_sliding(request, shape.window) if shape.window else 0)
    size = request.n_ubatch * (_F32 * values + _MASK_BYTES * masks * _MASKS[way])
    size += request.n_outputs_max * shape.n_vocab * _F32
    return int(size * _COMPUTE_SAFETY) + _COMPUTE_FLOOR + copied


def memory_of(
    costs: Costs, spans: Sequence[Span], *, overheads: dict[str, int], copied: int = 0
) -> tuple[DeviceMemory, ...]:
    """What each device needs, the CPU first (it always holds the token embeddings and its own compute buffer).

    copied: as compute_bytes has it, where tensors of layers off the CPU stay on it; else it is worked out here.
    """
    off_cpu = [span for span in spans if span.device != CPU]
    spilled = bool(off_cpu) and off_cpu[0].begin > 0
    copied = max(copied, copied_bytes(costs.shape.layer_weights) if spilled else 0)
    way = way_of(cards=len(off_cpu), copied=copied > 0)
    on_cpu = off_cpu[0].begin if off_cpu else costs.shape.n_layer + 1
    cpu = DeviceMemory(
        device=CPU,
        weights=costs.weights(0, on_cpu, on_cpu=True) + costs.shape.input_weights,
        kv=costs.kv(0, on_cpu),
        compute=costs.compute(CPU, way),
        overhead=overheads.get(CPU, 0),
    )
    return (
        cpu,
        *(
            DeviceMemory(
                device=span.device,
                weights=costs.weights(span.begin, span.end, on_cpu=False),
                kv=costs.kv(span.begin, span.end),
                compute=costs.compute(span.device, way, copied=copied if way == "copied" else 0),
                overhead=overheads.get(span.device, 0),
            )
            for span in off_cpu
        ),
    )


@cache
def _float32_borders(split: tuple[int, ...]) -> tuple[float, ...]:
    """Running shares of a tensor split, rounded to float32 at each step as libllama does."""
    total = 0.0
    sums = []
    for part in split:
        total = _float32(total + part)
        sums.append(total)
    return tuple(_float32(value / total) for value in sums)


def _float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])
