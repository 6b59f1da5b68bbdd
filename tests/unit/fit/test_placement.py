"""Layers per device and bytes per layer."""

import ctypes
import random

import pytest

from desktop.fit.memory.placement import (
    CPU,
    Costs,
    Request,
    Span,
    assign_layers,
    cells,
    cells_sliding,
    compute_bytes,
    memory_of,
    placement_of,
    spans_of,
)
from desktop.fit.memory.shape import LayerCache, ModelShape


def _shape(*layers: LayerCache, window: int = 0, tied: int = 0, weights: int = 1000) -> ModelShape:
    return ModelShape(
        layer_weights=(weights,) * len(layers),
        head_weights=0 if tied else 70,
        tied_weights=tied,
        input_weights=500,
        layers=layers,
        window=window,
        n_embd=64,
        ff_width=256,
        attention_width=128,
        n_vocab=1000,
    )


def _reference(n_layer: int, n_gpu_layers: int, split: list[int], devices: list[str]) -> list[str]:
    """libllama's rule, written down a second time with C floats and a linear search."""
    start = max(n_layer + 1 - n_gpu_layers, 0)
    active = min(n_gpu_layers, n_layer + 1)
    borders, total = [], ctypes.c_float(0)
    for part in split:
        total = ctypes.c_float(total.value + part)
        borders.append(total.value)
    borders = [ctypes.c_float(border / total.value).value for border in borders]
    layers = []
    for layer in range(n_layer + 1):
        if layer < start or layer - start >= active:
            layers.append(CPU)
            continue
        place = ctypes.c_float((layer - start) / active).value
        layers.append(devices[next(i for i, border in enumerate(borders) if border > place)])
    return layers


def test_layers_go_where_a_second_reading_of_the_rule_puts_them() -> None:
    generator = random.Random(7)
    for _ in range(2000):
        n_layer = generator.randint(1, 130)
        devices = [f"G{i}" for i in range(generator.randint(1, 6))]
        split = [generator.randint(0, 90) for _ in devices]
        split[generator.randrange(len(split))] += 1
        offloaded = generator.randint(0, n_layer + 3)
        layers = assign_layers(n_layer=n_layer, n_gpu_layers=offloaded, tensor_split=split, devices=devices)
        assert list(layers) == _reference(n_layer, offloaded, split, devices)


def test_integers_that_add_up_give_each_device_exactly_its_share() -> None:
    generator = random.Random(8)
    for _ in range(2000):
        split = [generator.randint(1, 50) for _ in range(generator.randint(1, 6))]
        devices = [f"G{i}" for i in range(len(split))]
        n_layer = sum(split) - 1 + generator.randint(0, 20)
        layers = assign_layers(n_layer=n_layer, n_gpu_layers=sum(split), tensor_split=split, devices=devices)
        assert [layers.count(device) for device in devices] == split
        assert layers.count(CPU) == n_layer + 1 - sum(split)


def test_the_last_layers_leave_the_processor_first() -> None:
    assert assign_layers(n_layer=3, n_gpu_layers=2, tensor_split=(1,), devices=("G",)) == (CPU, CPU, "G", "G")
    assert assign_layers(n_layer=3, n_gpu_layers=-1, tensor_split=(1,), devices=("G",)) == ("G",) * 4
    assert assign_layers(n_layer=3, n_gpu_layers=9, tensor_split=(), devices=()) == (CPU,) * 4


def test_spans_and_placement_are_two_spellings_of_the_same() -> None:
    spans = (Span(CPU, 0, 2), Span("A", 2, 5), Span("B", 5, 9))
    placement = placement_of(spans)
    assert placement.tensor_split == (3, 4)
    assert spans_of(placement.layers) == spans


@pytest.mark.parametrize(("context", "expected"), [(1, 256), (256, 256), (257, 512), (8192, 8192), (8193, 8448)])
def test_cells_are_padded_to_256(context: int, expected: int) -> None:
    assert cells(context) == expected


def test_a_window_bounds_the_cells_of_a_sliding_layer() -> None:
    assert cells_sliding(Request(32768), window=1024) == 1536
    assert cells_sliding(Request(700), window=1024) == 768
    assert cells_sliding(Request(32768, n_seq_max=4), window=1024) == 4608


@pytest.mark.parametrize(
    ("kind", "expected"), [("f32", 4096), ("f16", 2048), ("q8_0", 1088), ("q5_1", 768), ("q4_0", 576)]
)
def test_a_kv_cache_costs_its_types_bytes(kind: str, expected: int) -> None:
    shape = _shape(LayerCache(k_width=512, v_width=512))
    costs = Costs(shape, Request(1024, kind, kind))  # type: ignore[arg-type]
    assert costs.kv(0, 1) == expected * 1024


def test_sliding_recurrent_and_mla_layers_keep_what_they_keep() -> None:
    shape = _shape(
        LayerCache(64, 64),
        LayerCache(64, 64, sliding=True),
        LayerCache(576, 0),
        LayerCache(state=4444),
        window=512,
    )
    costs = Costs(shape, Request(8192, n_seq_max=2))
    assert [costs.kv(i, i + 1) for i in range(5)] == [8192 * 256, 1536 * 256, 8192 * 1152, 8888, 0]
    assert costs.kv(0, 5) == sum(costs.kv(i, i + 1) for i in range(4))


def test_a_tied_head_is_copied_only_when_it_leaves_the_processor() -> None:
    shape = _shape(*[LayerCache(8, 8)] * 4, tied=500)
    costs = Costs(shape, Request(256))
    on_cpu = memory_of(costs, (Span(CPU, 0, 5),), overheads={})
    assert [part.weights for part in on_cpu] == [4500]
    split = memory_of(costs, (Span(CPU, 0, 3), Span("G", 3, 5)), overheads={"G": 11})
    assert [(part.device, part.weights, part.overhead) for part in split] == [(CPU, 3500, 0), ("G", 1500, 11)]


def test_more_context_and_more_at_once_never_need_less() -> None:
    generator = random.Random(9)
    for _ in range(300):
        layers = [
            LayerCache(generator.randrange(0, 2048, 32), generator.randrange(0, 2048, 32), generator.random() < 0.5)
            for _ in range(generator.randint(1, 40))
        ]
        shape = _shape(*layers, window=generator.choice((512, 4096)))
        last = (0, 0)
        for context in sorted(generator.sample(range(1, 200_000), 6)):
            one, several = Request(context, n_ubatch=64), Request(context, n_ubatch=128, n_seq_max=4)
            found, more = (
                (Costs(shape, request).kv(0, len(layers)), compute_bytes(shape, request)) for request in (one, several)
            )
            assert last[0] <= found[0] <= more[0]
            assert last[1] <= found[1] <= more[1]
            last = found
