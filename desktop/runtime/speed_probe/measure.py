"""What is measured of a device: products with each type of weights, attention, and what a layer does beside them.

A model's layer is a handful of products of its weights with the tokens at hand, attention over what was kept of the
conversation, and small operations. Each is measured as the engine computes it: in the memory where libllama would put
the weights (laid out anew for this processor where ggml does so), and with as many threads.
"""

import ctypes
import random
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from desktop.engine.protocol import (
    NARROW_ROW,
    PROMPT_TOKENS,
    WIDE_ROW,
    AttentionSpeed,
    DeviceSpeeds,
    LayerSpeed,
    TypeSpeed,
)
from desktop.gguf.types import GGML_TYPES_BY_NAME
from desktop.runtime.speed_probe.graphs import Device, Graph, Timing, quantize

COMMON_TYPES = (
    "f16", "bf16", "f32", "q8_0", "q6_K", "q5_K", "q4_K", "q3_K", "q2_K", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl",
    "iq4_xs", "iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "mxfp4",
)  # fmt: skip
"""Types that the weights of models have."""

FEWEST_ROUNDS, MOST_ROUNDS = 2, 6
"""Everything is measured once a round, so that what disturbs the machine meets one round and not one type. A figure
is settled when its two best rounds agree."""
_AGREE = 1.08
_ENOUGH = 10.0  # seconds, after which no round begins

_ROOM = {True: 80 << 20, False: 288 << 20}  # bytes of weights: more than the caches of a processor, of a card
_SLOW_ROOM = 12 << 20  # of types that are unpacked at such cost that no cache matters
_SLOW_TYPES = frozenset({"iq3_s", "iq3_xxs", "iq2_s", "iq2_xs", "iq2_xxs", "mxfp4"})
_REPEATS = 2
_VALUES, _ALIKE = 1 << 15, 512  # values that weights repeat, and how many neighbours have one scale
_SPREAD = 0.4  # octaves, of the scales
_CACHE_ROOM = 48 << 20  # bytes of KV caches, as those of all layers of a model leave the processor's caches
_CELLS = 1024
_QUERIES = 128
_HEADS, _KV_HEADS = 32, 8
_WIDTHS = (64, 128)  # values of a head
_CACHES = ("f16", "q8_0")
_SMALL, _LARGE = 128, 2048  # values of the residual stream


class Contents:
    """What weights are filled with.

    It matters: ggml looks the scales of blocks up in a table of 256 KiB, so that weights with few different scales are
    read up to twice as fast as a model's. These spread as those of the starter model do: in most of its tensors some
    100 lines of that table, 64 bytes each, serve nine of ten blocks.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        chance = random.Random(0)  # noqa: S311 - no secret
        scales = [0.02 * 2 ** chance.gauss(0.0, _SPREAD) for _ in range(_VALUES // _ALIKE)]
        values = (chance.gauss(0.0, scale) for scale in scales for _ in range(_ALIKE))
        self._values = (ctypes.c_float * _VALUES)(*values)
        self._made: dict[tuple[str, int], bytes] = {}

    def of(self, kind: str, width: int) -> bytes:
        """Some rows of a type."""
        if (kind, width) not in self._made:
            self._made[kind, width] = quantize(self._device, kind, width, self._values)
        return self._made[kind, width]


class Machine(NamedTuple):
    """A device, what the engine calls it, and how many threads it computes with (0: it is no processor)."""

    device: Device
    contents: Contents
    name: str
    description: str
    threads: int


class _Task(NamedTuple):
    """One measurement; what it found is kept under `key`."""

    key: tuple[Any, ...]
    run: Callable[[], Timing | None]


def room_of(*, processor: bool) -> int:
    """Bytes of one buffer of weights."""
    return _ROOM[processor]


def measure_device(machine: Machine, types: Sequence[str], on_done: Callable[[float], None]) -> DeviceSpeeds:
    """Measure everything; `on_done` is told the fraction after each measurement. Raises NoMemory."""
    tasks = [*_type_tasks(machine, types), *_attention_tasks(machine), *_layer_tasks(machine)]
    found: dict[tuple[Any, ...], list[Timing]] = {}
    began = time.monotonic()
    for count in range(MOST_ROUNDS):
        if count >= FEWEST_ROUNDS and time.monotonic() - began > _ENOUGH:
            break
        for index, task in enumerate(tasks):
            timing = task.run()
            if timing is not None:
                found.setdefault(task.key, []).append(timing)
            on_done((count + (index + 1) / len(tasks)) / MOST_ROUNDS)
        tasks = [task for task in tasks if not _settled(found.get(task.key, ()), count + 1)]
    return _speeds(machine, types, {key: _together(seen) for key, seen in found.items()})


def _settled(seen: Sequence[Timing], rounds: int) -> bool:
    """Whether another round would tell nothing new; what a device cannot compute is settled at once."""
    if not seen:
        return True
    best = sorted(timing.best for timing in seen)
    return rounds >= FEWEST_ROUNDS and best[1] <= best[0] * _AGREE


def _together(seen: Iterable[Timing]) -> Timing:
    """The best round, and the second best: what disturbs the machine only makes it slower."""
    best = [timing.best for timing in seen]
    return Timing(min(best), sorted(best)[min(1, len(best) - 1)])


def _type_tasks(machine: Machine, types: Sequence[str]) -> list[_Task]:
    tasks = []
    for kind in types:
        for width in (NARROW_ROW, WIDE_ROW):
            tasks.append(_Task(("read", kind, width), partial(_read, machine, kind, width)))
            tasks.append(_Task(("compute", kind, width), partial(_compute, machine, kind, width)))
    tasks.append(_Task(("product",), partial(_products, machine, "f16", 64, rows=8, count=1000)))
    return tasks


def _attention_tasks(machine: Machine) -> list[_Task]:
    return [
        _Task(("attention", kind, width, queries), partial(_attend, machine, kind, width, queries))
        for kind in _CACHES
        for width in _WIDTHS
        for queries in (1, _QUERIES)
    ]


def _layer_tasks(machine: Machine) -> list[_Task]:
    return [
        _Task(("layer", n_embd, tokens), partial(_layer, machine, n_embd, tokens))
        for n_embd in (_SMALL, _LARGE)
        for tokens in (1, PROMPT_TOKENS)
    ]


def _read(machine: Machine, kind: str, width: int) -> Timing | None:
    """Seconds per byte of weights, one token at a time, from memory."""
    room = _SLOW_ROOM if kind in _SLOW_TYPES else machine.device.room - (4 << 20)
    size = GGML_TYPES_BY_NAME[kind].row_bytes(width) * width
    seen = _products(machine, kind, width, rows=width, count=max(room // size, 1))
    return seen and Timing(seen.best / size, seen.worst / size)


def _compute(machine: Machine, kind: str, width: int) -> Timing | None:
    """Seconds per operation while PROMPT_TOKENS are read."""
    rows = width if not machine.threads else 512
    seen = _products(machine, kind, width, rows=rows, count=1, tokens=PROMPT_TOKENS)
    work = 2 * width * rows * PROMPT_TOKENS
    return seen and Timing(seen.best / work, seen.worst / work)


def _products(machine: Machine, kind: str, width: int, *, rows: int, count: int, tokens: int = 1) -> Timing | None:
    """Seconds of one product of a matrix with the tokens; None where the device has no way to compute it."""
    with Graph(machine.device) as graph:
        weights = [graph.tensor(kind, width, rows) for _ in range(count)]
        inputs = graph.tensor("f32", width, tokens)
        results = [graph.apply("mul_mat", matrix, inputs) for matrix in weights]
        if not graph.place(weights, results[0], machine.contents.of(kind, width)):
            return None
        for result in results:
            graph.want(result)
        graph.allocate()
        graph.fill(inputs, machine.contents.of("f32", width))
        seen = graph.measure(_REPEATS)
    return Timing(seen.best / count, seen.worst / count)


def _attend(machine: Machine, kind: str, width: int, queries: int) -> Timing | None:
    """Seconds per head, cell of the cache, and query."""
    cell = GGML_TYPES_BY_NAME[kind].row_bytes(width)
    copies = _CACHE_ROOM // (2 * cell * _KV_HEADS * _CELLS) if queries == 1 else 1
    kept = []
    with Graph(machine.device) as graph:
        query = graph.tensor("f32", width, queries, _HEADS)
        mask = graph.tensor("f16", _CELLS, queries)
        for _ in range(copies):
            caches = [graph.tensor(kind, width * _KV_HEADS, _CELLS) for _ in range(2)]
            kept += caches
            views = [
                graph.apply("view_3d", cache, width, _CELLS, _KV_HEADS, cell * _KV_HEADS, cell, 0) for cache in caches
            ]
            result = graph.apply("flash_attn_ext", query, *views, mask, 0.125, 0.0, 0.0)
            graph.want(result)
        if not graph.supports(result):
            return None
        graph.allocate()
        for cache in kept:
            graph.fill(cache, machine.contents.of(kind, width))
        seen = graph.measure(_REPEATS)
    work = copies * _HEADS * _CELLS * queries
    return Timing(seen.best / work, seen.worst / work)


def _layer(machine: Machine, n_embd: int, tokens: int) -> Timing | None:
    """Seconds per token of what a llama's layer does beside products and attention."""
    copies = 16 if tokens == 1 else 2
    with Graph(machine.device) as graph:
        stream, norm = graph.tensor("f32", n_embd, tokens), graph.tensor("f32", n_embd)
        gate, up = graph.tensor("f32", 3 * n_embd, tokens), graph.tensor("f32", 3 * n_embd, tokens)
        head, kv = 64, n_embd // 4
        query, key = (
            graph.tensor("f32", head, n_embd // head, tokens),
            graph.tensor("f32", head, max(kv // head, 1), tokens),
        )
        kept, cache = graph.tensor("f32", kv, tokens), graph.tensor("f16", kv, max(tokens, 256))
        places, cells = graph.tensor("i32", tokens), graph.tensor("i64", tokens)
        for _ in range(copies):
            graph.want(graph.apply("mul", graph.apply("rms_norm", stream, 1e-5), norm))
            for rotated in (query, key):
                graph.want(graph.apply("rope_ext", rotated, places, None, head, 0, 4096, 1e4, 1.0, 0.0, 1.0, 32.0, 1.0))
            for _kind in "KV":
                graph.want(graph.apply("set_rows", cache, kept, cells))
            added = graph.apply("add", stream, stream)
            graph.want(graph.apply("mul", graph.apply("rms_norm", added, 1e-5), norm))
            graph.want(graph.apply("swiglu_split", gate, up))
            graph.want(graph.apply("add", added, stream))
        graph.allocate()
        graph.fill(places, bytes((ctypes.c_int32 * tokens)(*range(tokens))))
        graph.fill(cells, bytes((ctypes.c_int64 * tokens)(*range(tokens))))
        seen = graph.measure(_REPEATS)
    return Timing(seen.best / copies / tokens, seen.worst / copies / tokens)


def _speeds(machine: Machine, types: Sequence[str], found: dict[tuple[Any, ...], Timing]) -> DeviceSpeeds:
    return DeviceSpeeds(
        device=machine.name,
        description=machine.description,
        threads=machine.threads,
        product=found["product",].best if ("product",) in found else 0.0,
        decode_layer=_layer_speed(found, 1),
        prefill_layer=_layer_speed(found, PROMPT_TOKENS),
        types=tuple(_type_speed(kind, found) for kind in types if ("read", kind, WIDE_ROW) in found),
        attention=tuple(
            AttentionSpeed(
                kind=kind,
                width=width,
                decode=found["attention", kind, width, 1].best,
                prefill=found["attention", kind, width, _QUERIES].best,
            )
            for kind in _CACHES
            for width in _WIDTHS
            if ("attention", kind, width, _QUERIES) in found
        ),
    )


def _type_speed(kind: str, found: dict[tuple[Any, ...], Timing]) -> TypeSpeed:
    seen = [found[what, kind, width] for what in ("read", "compute") for width in (WIDE_ROW, NARROW_ROW)]
    start = found["product",].best if ("product",) in found else 0.0  # is told apart, as every product has it
    sizes = [GGML_TYPES_BY_NAME[kind].row_bytes(width) * width for width in (WIDE_ROW, NARROW_ROW)]
    reads = [max(timing.best - start / size, timing.best / 2) for timing, size in zip(seen, sizes, strict=False)]
    read_wide, read_narrow = (1 / seconds for seconds in reads)
    compute_wide, compute_narrow = (1 / timing.best for timing in seen[2:])
    return TypeSpeed(
        kind=kind,
        read_wide=read_wide,
        read_narrow=read_narrow,
        compute_wide=compute_wide,
        compute_narrow=compute_narrow,
        spread=max(timing.worst / timing.best for timing in seen[:2]),
    )


def _layer_speed(found: dict[tuple[Any, ...], Timing], tokens: int) -> LayerSpeed:
    small, large = found["layer", _SMALL, tokens].best, found["layer", _LARGE, tokens].best
    value = max(large - small, 0.0) / (_LARGE - _SMALL)
    return LayerSpeed(start=max(small - value * _SMALL, 0.0), value=value)
