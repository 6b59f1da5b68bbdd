"""From the probe's figures to the speed of a model."""

from pathlib import Path

import pytest

from desktop.engine.protocol import TypeSpeed
from desktop.fit.advice.rows import Learned, machine_of, price, rows_of
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import CPU, Costs, Request, Span
from desktop.fit.memory.products import Products, main_type
from desktop.fit.memory.shape import ModelShape
from desktop.fit.rating.quality import quant_figures
from desktop.fit.remembered.observed import Observed, Run
from desktop.fit.speeds.known_speeds import known_probes, remember_probes, tensors_key, unmeasured
from desktop.fit.speeds.measured import MeasuredDevice, Probes, correction, placement_key
from desktop.fit.speeds.speed import SpeedModel
from desktop.gguf.header import read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import GB, catalog, device_speeds, engine_with, machine, model, type_speed

FIGURES = quant_figures("Q8_0")


def _shape(tmp_path: Path, **changes: int | str | bool) -> ModelShape:
    return shape_of_header(read_header(write_gguf(tmp_path / "m.gguf", *dense_model(**changes))))  # type: ignore[arg-type]


def _whole(shape: ModelShape, device: str = CPU) -> tuple[Span, ...]:
    return (Span(device, 0, shape.n_layer + 1),)


def test_a_token_takes_its_bytes_over_the_bandwidth_of_their_type(tmp_path: Path) -> None:
    shape = _shape(tmp_path)
    costs, (span,) = Costs(shape, Request(1024)), _whole(shape)
    seconds = MeasuredDevice(device_speeds(type_speed("q8_0", 10.0))).decode(costs, span, 0)
    matrices = sum(part.size for layer in (*shape.layer_products, shape.head_products) for part in layer)
    assert shape.head_products
    assert seconds == pytest.approx(matrices / (10 * GB))


def test_a_token_of_a_prompt_takes_its_operations_over_the_rate_of_their_type(tmp_path: Path) -> None:
    shape = _shape(tmp_path)
    costs, (span,) = Costs(shape, Request(1024)), _whole(shape)
    seconds = MeasuredDevice(device_speeds(type_speed("q8_0", 10.0, 50.0))).prefill(costs, span, 0)
    work = sum(2 * part.rows * part.width for layer in shape.layer_products for part in layer)
    assert seconds == pytest.approx(work / (50 * GB))  # the head reads the last token only


def test_depth_costs_attention_by_heads_and_cells_and_a_window_ends_that(tmp_path: Path) -> None:
    shape = _shape(tmp_path)  # 4 layers of 4 heads
    device = MeasuredDevice(device_speeds(type_speed("q8_0", 10.0), attention=1e-8))
    costs, (span,) = Costs(shape, Request(4096)), _whole(shape)
    more = device.decode(costs, span, 1000) - device.decode(costs, span, 0)
    assert more == pytest.approx(4 * 4 * 1000 * 1e-8)


def test_narrow_rows_cost_more_where_that_was_measured(tmp_path: Path) -> None:
    slow = TypeSpeed(kind="q8_0", read_wide=20 * GB, read_narrow=5 * GB, compute_wide=GB, compute_narrow=GB)
    narrow, wide = (_shape(tmp_path, n_embd=width, n_ff=width) for width in (512, 4096))
    rates = []
    for shape in (narrow, wide):
        seconds = MeasuredDevice(device_speeds(slow)).decode(Costs(shape, Request(1024)), _whole(shape)[0], 0)
        rates.append(
            sum(part.size for layer in (*shape.layer_products, shape.head_products) for part in layer) / seconds
        )
    assert rates == pytest.approx([5 * GB, 20 * GB])


def test_layers_on_two_devices_add_up(tmp_path: Path) -> None:
    shape = _shape(tmp_path)
    costs = Costs(shape, Request(1024))
    fast, slow = (MeasuredDevice(device_speeds(type_speed("q8_0", read))) for read in (40.0, 10.0))
    probes = Probes({CPU: slow, "CUDA0": fast})
    model = SpeedModel(machine(gpus=(24,)), machine_of(machine(gpus=(24,))).budgets, probes=probes)
    places = [_whole(shape), (Span(CPU, 0, 2), Span("CUDA0", 2, 5)), _whole(shape, "CUDA0")]
    cpu, both, card = (model.decode(costs, spans, FIGURES).decode for spans in places)
    assert cpu < both < card


def test_what_was_not_measured_stays_an_estimate(tmp_path: Path) -> None:
    shape = _shape(tmp_path)
    costs, spans = Costs(shape, Request(1024)), _whole(shape)
    profile = machine()
    budgets = machine_of(profile).budgets
    other_type = Probes({CPU: MeasuredDevice(device_speeds(type_speed("q4_K", 10.0)))})
    known = Probes({CPU: MeasuredDevice(device_speeds(type_speed("q8_0", 10.0)))})
    for probes, measured in ((None, False), (other_type, False), (known, True)):
        speed = SpeedModel(profile, budgets, probes=probes).decode(costs, spans, FIGURES)
        assert speed.measured is measured
        assert (speed.prefill is not None) is measured
        assert speed.decode_low < speed.decode_high


def test_a_catalog_row_is_measured_too() -> None:
    row = next(row for row in rows_of(catalog(model("m"))) if row.quantization.name == "Q4_K_M")
    kinds = ("q5_0", "q8_0")  # its rows of 4544 values are too odd for K-quants
    probes = Probes({CPU: MeasuredDevice(device_speeds(*(type_speed(kind, 20.0) for kind in kinds)))})
    speed = price(row, machine_of(machine(ram=64), learned=Learned(probes)), Request(8192)).speed
    assert speed.measured
    read = sum(row.shape.layer_weights) + row.shape.head_weights + row.shape.tied_weights
    assert 20 * GB / read == pytest.approx(speed.decode, rel=0.1)


@pytest.mark.parametrize(
    ("name", "width", "kind"),
    [
        ("Q4_K_M", 4096, "q4_K"),
        ("UD-Q4_K_XL", 4096, "q4_K"),
        ("Q4_K_M", 576, "q5_0"),
        ("Q8_0", 576, "q8_0"),
        ("IQ3_M", 4096, "iq3_s"),
        ("IQ2_XXS", 4096, "iq2_xxs"),
        ("F16", 4096, "f16"),
        ("MXFP4_MOE", 4096, "mxfp4"),
        ("nobody knows", 4096, None),
    ],
)
def test_the_type_behind_a_quantization(name: str, width: int, kind: str | None) -> None:
    assert main_type(name, width) == kind


def test_runs_correct_a_prediction_little_at_first_and_more_with_each() -> None:
    def run(model: str, actual: float) -> Run:
        return Run(
            engine="b", placement="CPU:31", model=model, quantization="Q4_1", depth=0, decode=actual,
            predicted_decode=100.0,
        )  # fmt: skip

    others = [correction([run("other", 80.0)] * count, placement="CPU:31", model="m") for count in (0, 1, 20)]
    factors = [entry.factor for entry in others]
    assert factors[0] == 1.0 > factors[1] > factors[2] > 0.8
    same = correction([run("other", 150.0)] * 20 + [run("m", 80.0)], placement="CPU:31", model="m")
    assert same.runs == 1
    assert 0.8 < same.factor < 0.95  # its own runs, not those of the other
    assert correction([run("m", 80.0)], placement="CUDA0:31", model="m").factor == 1.0
    assert correction([run("m", 2.0)], placement="CPU:31", model="m").factor == 1.0  # something else was the matter


def test_what_was_measured_is_found_again_by_device_driver_and_engine(tmp_path: Path) -> None:
    observed = Observed(tmp_path / "observed.sqlite3")
    engine = engine_with()
    assert known_probes(observed, engine, ()) is None
    assert unmeasured(None, engine.devices)
    remember_probes(observed, (device_speeds(type_speed("q8_0", 10.0)),), engine="b1", cards=())
    found = known_probes(observed, engine, ())
    assert found is not None
    assert list(found.devices) == [CPU]
    assert not unmeasured(found, engine.devices)
    assert known_probes(observed, engine, (), threads=7) is None
    observed.close()


def test_a_model_is_known_by_its_tensors(tmp_path: Path) -> None:
    one, other = (
        read_header(write_gguf(tmp_path / f"{name}.gguf", *dense_model(kind=kind)))
        for name, kind in (("a", "q8_0"), ("b", "f16"))
    )
    moved = read_header(write_gguf(tmp_path / "elsewhere.gguf", *dense_model(kind="q8_0")))
    assert tensors_key(one) == tensors_key(moved) != tensors_key(other)


def test_matrices_are_added_up_by_type_and_width(tmp_path: Path) -> None:
    shape = _shape(tmp_path)  # n_embd 256, K and V 128 rows each, n_ff 512
    layer = set(shape.layer_products[0])
    assert layer == {Products("q8_0", 256, 256 + 128 + 128 + 256 + 512 + 512, 6), Products("q8_0", 512, 256, 1)}
    assert placement_key((Span(CPU, 0, 2), Span("CUDA0", 2, 5))) == "CPU:2,CUDA0:3"
