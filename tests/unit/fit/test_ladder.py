"""What is given up when the memory runs out, in which order, and what is remembered of it."""

import time
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from desktop.engine.protocol import LoadPlan, Placement
from desktop.fit.memory.header_shape import shape_of_header
from desktop.fit.memory.placement import Costs, memory_of, request_of, spans_of
from desktop.fit.plans.ladder import REMEMBERED_FOR, Failed, Freedom, as_it_worked, freedom_of, outcome_of, steps_down
from desktop.fit.plans.plan import PlanTask
from desktop.fit.remembered.observed import LoadOutcome, Outcome
from desktop.gguf.header import read_header
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import machine


def on_card() -> Failed:
    return Failed("CUDA0", in_ram=False)


PLAN = LoadPlan(
    model_path="/m.gguf",
    model_name="M",
    n_ctx=16384,
    n_gpu_layers=24,
    devices=("CUDA0", "CUDA1"),
    tensor_split=(16, 8),
    placement=Placement(layers=("CPU",) * 9 + ("CUDA0",) * 16 + ("CUDA1",) * 8, tensor_split=(16, 8)),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    described = dense_model(n_layer=32, n_embd=1024, n_head=16, n_ff=4096, vocab=32000)
    return write_gguf(tmp_path_factory.mktemp("ladder") / "m.gguf", *described)


def test_context_comes_first_then_the_cache_then_layers_and_each_step_needs_less(path: Path) -> None:
    shape = shape_of_header(read_header(path))
    plans = [PLAN, *(step.plan for step in steps_down(PLAN, Freedom(), on_card))]
    assert [(plan.n_ctx, plan.type_k, plan.n_gpu_layers) for plan in plans] == [
        (16384, "f16", 24),
        (8192, "f16", 24),
        (4096, "f16", 24),
        (4096, "q8_0", 24),
        (4096, "q8_0", 18),
        (4096, "q8_0", 12),
        (4096, "q8_0", 6),
        (4096, "q8_0", 0),
        (2048, "q8_0", 0),
        (1024, "q8_0", 0),
    ]
    needs = []
    for plan in plans:
        assert plan.placement is not None
        assert sum(plan.tensor_split) == plan.n_gpu_layers
        assert len(plan.devices) == len(plan.tensor_split)
        parts = memory_of(Costs(shape, request_of(plan)), spans_of(plan.placement.layers), overheads={})
        needs.append((sum(part.total for part in parts if part.device != "CPU"), sum(part.total for part in parts)))
    assert all(after[0] < before[0] or after[1] < before[1] for before, after in pairwise(needs))
    assert all(after[0] <= before[0] for before, after in pairwise(needs))


def test_every_step_says_what_it_gave_up() -> None:
    words = [step.reason.render() for step in steps_down(PLAN, Freedom(), on_card)]
    assert len(set(words)) == len(words)
    assert all("CUDA0 ran out of memory" in word for word in words)


def test_what_the_person_fixed_is_not_touched(path: Path) -> None:
    task = PlanTask(path=path, name="M", header=read_header(path), profile=machine())
    assert freedom_of(task) == Freedom(context=True, kv=True, layers=True)
    assert not freedom_of(msgspec.structs.replace(task, context=4096)).context
    assert not freedom_of(msgspec.structs.replace(task, type_k="q8_0", type_v="q8_0")).kv
    assert not freedom_of(msgspec.structs.replace(task, tensor_split=(16, 8))).layers
    assert list(steps_down(PLAN, Freedom(context=False, kv=False, layers=False), on_card)) == []


def test_gemma_keeps_its_cache_as_it_is(tmp_path: Path) -> None:
    gemma = write_gguf(tmp_path / "g.gguf", *dense_model(n_layer=4, n_embd=512, n_head=8, architecture="gemma3"))
    task = PlanTask(path=gemma, name="G", header=read_header(gemma), profile=machine())
    assert not freedom_of(task).kv


def test_a_load_begins_as_it_worked_after_the_same_ran_out_of_memory() -> None:
    first, second, *_ = [step.plan for step in steps_down(PLAN, Freedom(), on_card)]
    now = time.time()
    ends: dict[LoadPlan, list[LoadOutcome]] = {}

    def ended(plan: LoadPlan, how: Outcome, ago: float = 60) -> None:
        ends.setdefault(plan, []).insert(0, msgspec.structs.replace(outcome_of(plan, how), at=now - ago))

    def begun() -> LoadPlan | None:
        step = as_it_worked(PLAN, Freedom(), lambda plan: ends.get(plan, ()))
        return step.plan if step else None

    ended(PLAN, "out_of_memory")
    ended(first, "out_of_memory")
    assert begun() is None
    ended(second, "loaded")
    assert begun() == second
    ended(PLAN, "loaded", 1)
    assert begun() is None
    ends[PLAN].clear()
    ended(PLAN, "out_of_memory", REMEMBERED_FOR + 1)
    assert begun() is None


def test_where_main_memory_ran_out_no_layers_are_moved_into_it() -> None:
    steps = list(steps_down(PLAN, Freedom(), lambda: Failed("CPU", in_ram=True)))
    assert {step.plan.n_gpu_layers for step in steps} == {PLAN.n_gpu_layers}
    assert [step.plan.n_ctx for step in steps] == [8192, 4096, 4096, 2048, 1024]


def test_each_step_names_the_device_that_failed_last() -> None:
    newest = iter(["CUDA0", "CUDA1", *["CUDA1"] * 20])
    words = [step.reason.render() for step in steps_down(PLAN, Freedom(), lambda: Failed(next(newest), in_ram=False))]
    assert words[0].startswith("CUDA0")
    assert words[1].startswith("CUDA1")
