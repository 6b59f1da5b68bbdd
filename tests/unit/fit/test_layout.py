"""Ways to place a model: what they need adds up, and what stays behind is priced."""

import re

import pytest

from desktop.engine.protocol import DeviceKind
from desktop.fit.memory.budget import budgets_of_devices
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import CPU, Costs, Request, Span
from desktop.fit.memory.shape import ModelShape
from desktop.fit.memory.split import headroom
from desktop.fit.plans.layout import Layout, behind_shape, layout_memory, layout_speed, layouts, rest_of
from desktop.fit.rating.quality import quant_figures
from desktop.fit.speeds.measured import MeasuredDevice, Probes
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.types import Kept
from desktop.gguf.header import GgufHeader, read_header
from tests.support.gguf_writer import write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.builders import device, device_speeds, machine, type_speed

REQUEST = Request(8192, n_outputs_max=16)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> GgufHeader:
    described = architectures.many_experts(n_layer=24, n_embd=2048, n_ff=1024, experts=128, used=4)
    return read_header(write_gguf(tmp_path_factory.mktemp("layout") / "sparse.gguf", *described))


@pytest.fixture(scope="module")
def shape(header: GgufHeader) -> ModelShape:
    return shape_of_header(header)


def test_experts_are_weighed_apart_and_named_as_the_engine_names_them(header: GgufHeader, shape: ModelShape) -> None:
    experts = [tensor for tensor in header.tensors if "_exps" in tensor.name]
    assert sum(shape.layer_experts) == sum(tensor.size for tensor in experts)
    assert sum(shape.layer_feed_forward) == 0
    (override,) = Layout((Span("CUDA0", 0, 25),), Kept("experts", 7)).overrides
    matched = [tensor for tensor in header.tensors if re.search(override.pattern, tensor.name)]
    assert sum(tensor.size for tensor in matched) == sum(shape.layer_experts[:7])
    assert {tensor.layer for tensor in matched} == set(range(7))


@pytest.mark.parametrize("free", [4, 6, 8, 11])
def test_what_stays_behind_is_as_little_as_lets_the_rest_fit(shape: ModelShape, free: float) -> None:
    budgets = budgets_of_devices(machine(ram=64), [device("CUDA0", free)])
    costs = Costs(shape, REQUEST)
    found = [layout for layout in layouts(costs, budgets) if layout.kept is not None]
    (layout,) = found
    assert layout.kept is not None
    memory = layout_memory(costs, layout, overheads={})
    assert sum(part.weights for part in memory) == shape.total_weights + shape.tied_weights
    assert sum(part.kv for part in memory) == costs.kv(0, shape.n_layer)
    overheads = {budget.name: budget.overhead for budget in budgets}
    assert headroom(layout_memory(costs, layout, overheads=overheads), budgets)["CUDA0"] >= 0
    fewer = Layout(layout.spans, layout.kept._replace(blocks=layout.kept.blocks - 1))
    assert headroom(layout_memory(costs, fewer, overheads=overheads), budgets)["CUDA0"] < 0


def test_what_a_token_reads_is_read_once_on_one_side_or_the_other(shape: ModelShape) -> None:
    kept = Kept("experts", 24)
    rest, behind = rest_of(shape, kept), behind_shape(shape, kept)
    read = sum(part.weight_sums[-1] * part.layer_active for part in (rest, behind))
    assert read == pytest.approx(shape.weight_sums[-1] * shape.layer_active, rel=1e-6)
    assert behind.layer_active == pytest.approx(4 / 128)
    assert rest.layer_active == pytest.approx(1.0)


@pytest.mark.parametrize("measured", [(), (CPU,), (CPU, "CUDA0")])
def test_experts_on_the_processor_are_slower_than_on_a_card_and_faster_than_whole_layers(
    shape: ModelShape, measured: tuple[str, ...]
) -> None:
    profile = machine(ram=64, gpus=(24,))
    budgets = budgets_of_devices(profile, [device("CUDA0", 24)])
    kinds = {part.kind for layer in (*shape.layer_products, shape.head_products) for part in layer}
    types = {name: [type_speed(kind, read) for kind in kinds] for name, read in ((CPU, 30.0), ("CUDA0", 300.0))}
    probes = Probes({name: MeasuredDevice(device_speeds(*types[name], device=name)) for name in measured})
    model, costs, figures = SpeedModel(profile, budgets, probes=probes), Costs(shape, REQUEST), quant_figures("Q4_0")
    on_card = Layout((Span("CUDA0", 0, 25),))
    speeds = [
        layout_speed(model, costs, layout, figures).decode
        for layout in (
            on_card,
            on_card._replace(kept=Kept("experts", 8)),
            on_card._replace(kept=Kept("experts", 24)),
            Layout((Span(CPU, 0, 24), Span("CUDA0", 24, 25))),
        )
    ]
    assert speeds == sorted(speeds, reverse=True)


def test_where_a_card_shares_the_main_memory_the_processor_alone_is_tried_too(shape: ModelShape) -> None:
    shared = device("Vulkan0", 11.5, kind=DeviceKind.INTEGRATED)
    budgets = budgets_of_devices(machine(ram=64, free=14), [shared])
    spans = [layout.spans for layout in layouts(Costs(shape, REQUEST), budgets)]
    assert (Span(CPU, 0, 25),) in spans
    assert len(spans) > 1


def test_one_card_is_tried_alone_only_where_everything_fits_on_it(shape: ModelShape) -> None:
    budgets = budgets_of_devices(machine(ram=64), [device("CUDA0", 24), device("CUDA1", 8)])
    used = [{span.device for span in layout.spans} for layout in layouts(Costs(shape, REQUEST), budgets)]
    assert {"CUDA0"} in used
    assert {"CUDA1"} not in used
