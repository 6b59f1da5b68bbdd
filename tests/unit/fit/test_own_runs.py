"""A model's own runs correct the speed that its plans and splits state; those of others only their devices'."""

from pathlib import Path

import msgspec
import pytest

from desktop.fit.memory.placement import CPU
from desktop.fit.plans.plan import PlanTask, decide, problem_of
from desktop.fit.plans.split_editor import draft_of, plan_of_draft, snugs_draft, split_problem
from desktop.fit.remembered.observed import Run
from desktop.fit.speeds.known_speeds import tensors_key
from desktop.fit.speeds.measured import Correction, MeasuredDevice, Probes, correction
from desktop.fit.types import Speed
from desktop.gguf.header import read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import device, device_speeds, machine, type_speed

CARD = device("CUDA0", 6)


def run(model: str, *, placement: str = "CUDA0:5", times: float = 0.5) -> Run:
    """A run that went `times` as fast as predicted."""
    return Run(
        engine="b", placement=placement, model=model, quantization="Q8_0", depth=0,
        decode=100 * times, predicted_decode=100.0, prefill=1000 * times, predicted_prefill=1000.0,
    )  # fmt: skip


def task_with(tmp_path: Path, *runs: Run) -> PlanTask:
    """A load of a small model on a machine whose two devices were measured."""
    path = write_gguf(tmp_path / "m.gguf", *dense_model())
    devices = {
        name: MeasuredDevice(device_speeds(type_speed("q8_0", read), device=name))
        for name, read in ((CPU, 10.0), ("CUDA0", 100.0))
    }
    return PlanTask(
        path=path, name="M", header=read_header(path), profile=machine(), devices=(CARD,), probes=Probes(devices, runs)
    )


def key_in(tmp_path: Path) -> str:
    return tensors_key(read_header(write_gguf(tmp_path / "k.gguf", *dense_model())))


def planned(task: PlanTask) -> Speed:
    return decide(task, problem_of(task)).candidate.speed


def test_a_plan_of_a_model_with_runs_states_what_they_taught(tmp_path: Path) -> None:
    without, own = planned(task_with(tmp_path)), planned(task_with(tmp_path, *[run(key_in(tmp_path))] * 3))
    assert own.decode / without.decode == pytest.approx(0.5 ** (3 / 4))
    assert own.prefill is not None
    assert without.prefill is not None
    assert own.prefill / without.prefill == pytest.approx(0.5 ** (3 / 4))
    width, before = (speed.decode_high / speed.decode_low for speed in (own, without))
    assert width < before


def test_its_own_runs_count_before_those_of_others(tmp_path: Path) -> None:
    mixed = planned(task_with(tmp_path, *[run("another", times=2.0)] * 20, run(key_in(tmp_path))))
    assert mixed.decode < planned(task_with(tmp_path)).decode


def test_a_split_by_hand_states_the_same(tmp_path: Path) -> None:
    task = task_with(tmp_path, run(key_in(tmp_path)))
    problem = split_problem(task)
    draft = snugs_draft(problem)
    assert draft.speed == draft_of(problem, draft.boundaries).speed == planned(task)
    assert draft.speed.decode < snugs_draft(split_problem(task_with(tmp_path))).speed.decode
    assert plan_of_draft(task, problem, draft).devices == ("CUDA0",)


def test_runs_of_other_models_count_wherever_they_had_the_same_devices(tmp_path: Path) -> None:
    alone = planned(task_with(tmp_path))
    larger = planned(task_with(tmp_path, *[run("another", placement="CUDA0:81")] * 20))
    assert larger.decode / alone.decode == pytest.approx(0.5 ** (20 / 24))
    elsewhere = ("CPU:81", "CPU:40,CUDA0:41", "CUDA1:81")
    assert planned(task_with(tmp_path, *(run("another", placement=place) for place in elsewhere))) == alone


def test_its_own_runs_in_another_place_count_as_those_of_others() -> None:
    def taught(placement: str) -> Correction:
        return correction([run("m", placement=placement)], placement="CPU:10,RPC0[a:1]:21", model="m")

    assert taught("CPU:10,RPC0[a:1]:21").runs == 1
    assert taught("CPU:1,RPC0[a:1]:30").runs == 0
    assert taught("CPU:10,RPC0[a:1]:21").factor < taught("CPU:1,RPC0[a:1]:30").factor < 1
    assert taught("CPU:10,RPC0[a:2]:21") == Correction()


def test_a_run_that_measured_only_one_speed_says_nothing_of_the_other() -> None:
    decode_only = msgspec.structs.replace(run("m"), prefill=0.0)
    runs = (decode_only, *[run("another", times=0.8)] * 4)
    decode, prefill = (correction(runs, placement="CUDA0:5", model="m", prefill=of) for of in (False, True))
    assert (decode.runs, prefill.runs) == (1, 0)
    assert prefill.factor == pytest.approx(0.8 ** (4 / 8))
