"""A model's own runs correct the speed that its plans and splits state; those of others only their devices'."""

from pathlib import Path

import pytest

from desktop.fit.known_speeds import model_key
from desktop.fit.measured import MeasuredDevice, Probes
from desktop.fit.observed import Run
from desktop.fit.placement import CPU
from desktop.fit.plan import PlanTask, decide, problem_of
from desktop.fit.split_editor import draft_of, plan_of_draft, snugs_draft, split_problem
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
    return model_key(read_header(write_gguf(tmp_path / "k.gguf", *dense_model())))


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
