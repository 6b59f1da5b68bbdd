"""A split that is moved by hand."""

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desktop.engine.protocol import DeviceMemory, KvType
from desktop.fit.memory.placement import CPU, assign_layers
from desktop.fit.memory.shape import LayerCache, ModelShape
from desktop.fit.plans.plan import PlanTask
from desktop.fit.plans.search import Problem
from desktop.fit.plans.split_editor import (
    SplitProblem,
    boundaries_of,
    draft_of,
    learned,
    moved,
    plan_of_draft,
    snugs_draft,
    split_problem,
    tensor_split_of,
    with_exact,
)
from desktop.fit.rating.quality import quant_figures
from desktop.fit.speeds.speed import SpeedModel
from desktop.fit.types import DeviceBudget
from desktop.gguf.header import read_header
from tests.unit.fit.builders import GIB, machine, make_plan
from tests.unit.fit.builders import device as engine_device

MIB = 1 << 20


def budget(name: str, total: float, *, used: float = 0.0, bandwidth: float | None = None, **more: Any) -> DeviceBudget:
    """A device with sizes in GiB; its overhead is 512 MiB, its margin 256 MiB."""
    standard: dict[str, Any] = {"overhead": 512 * MIB, "margin": 256 * MIB, "is_gpu": name != CPU}
    size = int(total * GIB)
    free = size - int(used * GIB)
    return DeviceBudget(
        name=name, label=f"Card {name}", total=size, free=free, bandwidth=bandwidth, **(standard | more)
    )


def shape(n_layer: int = 36, *, layer: int = 120, head: int = 300, **more: Any) -> ModelShape:
    """A model whose blocks have `layer` MiB each."""
    standard: dict[str, Any] = {
        "layer_weights": (layer * MIB,) * n_layer,
        "head_weights": head * MIB,
        "tied_weights": 0,
        "input_weights": head * MIB,
        "layers": (LayerCache(1024, 1024),) * n_layer,
        "window": 0,
        "n_embd": 4096,
        "ff_width": 12288,
        "attention_width": 6144,
        "n_vocab": 128_000,
    }
    return ModelShape(**(standard | more))


def problem(
    *budgets: DeviceBudget,
    context: int = 8192,
    kv: KvType = "f16",
    parallel: int = 1,
    model: ModelShape | None = None,
) -> SplitProblem:
    devices = budgets or (budget(CPU, 32, used=6), budget("G0", 12, used=1), budget("G1", 8, used=0.5))
    search = Problem(
        name="A model",
        shape=model or shape(),
        budgets=devices,
        speed=SpeedModel(machine(), devices),
        figures=quant_figures("Q4_K_M"),
    )
    return SplitProblem(search=search, context=context, kv=kv, parallel=parallel)


def test_the_parts_of_every_device_come_to_its_size() -> None:
    given = problem()
    draft = draft_of(given, (0, 27))
    for device, expected in zip(draft.devices, given.budgets, strict=True):
        parts = device.weights + device.kv + device.compute + device.overhead + device.others + device.free
        assert parts == expected.total == device.total
        assert device.others == expected.total - expected.free
        assert device.room == "fits"
    assert [device.layers for device in draft.devices] == [0, 27, 10]
    assert (draft.devices[1].first, draft.devices[1].last) == (0, 26)
    assert draft.devices[2].weights == 9 * 120 * MIB + 300 * MIB, "nine blocks and the output head"


def test_the_figures_are_those_of_a_plan_with_the_same_layers() -> None:
    generator = random.Random(5)
    given = problem()
    for _ in range(200):
        split = tuple(sorted(generator.randint(0, given.layers) for _ in range(2)))
        layers = assign_layers(
            n_layer=given.search.shape.n_layer,
            n_gpu_layers=sum(tensor_split_of(given, split)),
            tensor_split=tensor_split_of(given, split),
            devices=["G0", "G1"],
        )
        counted = [layers.count(name) for name in (CPU, "G0", "G1")]
        assert [device.layers for device in draft_of(given, split).devices] == counted
        if sum(tensor_split_of(given, split)):
            assert boundaries_of(layers, given.cards)[0] == split[0]


def test_moving_a_boundary_moves_both_sides_and_nothing_else() -> None:
    given = problem(budget(CPU, 32), budget("G0", 12), budget("G1", 8), budget("G2", 8))
    before = draft_of(given, (0, 20, 30))
    after = draft_of(given, moved(given, before.boundaries, 1, 25))
    assert after.boundaries == (0, 25, 30)
    assert after.devices[1].weights - before.devices[1].weights == 5 * 120 * MIB
    assert before.devices[2].weights - after.devices[2].weights == 5 * 120 * MIB
    assert (after.devices[0], after.devices[3]) == (before.devices[0], before.devices[3])


def test_a_boundary_stops_at_its_neighbours_and_at_the_ends() -> None:
    given = problem()
    assert moved(given, (4, 20), 0, 30) == (20, 20)
    assert moved(given, (4, 20), 0, -3) == (0, 20)
    assert moved(given, (4, 20), 1, 2) == (4, 4)
    assert moved(given, (4, 20), 1, 99) == (4, 37)


def test_an_overfull_card_says_what_is_missing_and_a_tight_one_is_no_failure() -> None:
    given = problem(budget(CPU, 32), budget("G0", 4), budget("G1", 12))
    over = draft_of(given, (0, 30))
    need = over.devices[1].needed
    assert over.devices[1].room == over.room == "does_not_fit"
    assert over.devices[1].missing == need - 4 * GIB + 256 * MIB
    assert over.devices[1].free == 0
    tight = problem(budget(CPU, 32), budget("G0", (need + 100 * MIB) / GIB), budget("G1", 12))
    draft = draft_of(tight, (0, 30))
    assert draft.devices[1].room == draft.room == "tight"
    assert draft.devices[1].missing == pytest.approx(156 * MIB, abs=2)


def test_a_card_without_layers_needs_nothing_and_has_no_opinion() -> None:
    given = problem(budget(CPU, 32), budget("G0", 12), budget("G1", 8, used=7.9))
    idle = draft_of(given, (0, 37)).devices[2]
    assert (idle.layers, idle.needed, idle.room, idle.missing) == (0, 0, "fits", 0)


def test_what_shares_the_main_memory_counts_there_too() -> None:
    given = problem(budget(CPU, 8), budget("G0", 8, shares_ram=True))
    draft = draft_of(given, (0,))
    assert draft.devices[0].others == draft.devices[1].needed
    assert draft.devices[0].room == "does_not_fit" or draft.devices[0].free < 8 * GIB - draft.devices[1].needed


def test_a_longer_context_and_a_smaller_cache_type_are_seen_on_every_device() -> None:
    short, long = draft_of(problem(), (6, 27)), draft_of(problem(context=32768), (6, 27))
    small = draft_of(problem(context=32768, kv="q8_0"), (6, 27))
    for one, two, three in zip(short.devices, long.devices, small.devices, strict=True):
        assert two.kv == 4 * one.kv
        assert three.kv == two.kv * 34 // 64
        assert one.weights == two.weights == three.weights


def test_replies_come_one_at_a_time_where_several_would_not_fit() -> None:
    states = shape(layers=(LayerCache(state=40 * MIB),) * 36)
    plenty = problem(budget(CPU, 64), budget("G0", 48), model=states, parallel=4)
    assert draft_of(plenty, (0,)).parallel == 4
    little = problem(budget(CPU, 64), budget("G0", 8.5), model=states, parallel=4)
    assert draft_of(little, (0,)).parallel == 1
    assert draft_of(little, (0,)).room == "fits"
    nothing = problem(budget(CPU, 64), budget("G0", 2), model=states, parallel=4)
    assert draft_of(nothing, (0,)).parallel == 4, "it fits neither way"


@pytest.mark.parametrize("sizes", [(), (0.8,), (0.66, 0.7), (8, 4), (0.6,)])
def test_snugs_own_split_is_the_plans(starter_model: Path, sizes: tuple[float, ...]) -> None:
    devices = tuple(engine_device(f"CUDA{index}", size) for index, size in enumerate(sizes))
    task = PlanTask(
        path=starter_model, name="Starter", header=read_header(starter_model), profile=machine(), devices=devices,
        context=4096, refuse=False,
    )  # fmt: skip
    given = split_problem(task)
    draft = snugs_draft(given)
    plan = make_plan(
        path=starter_model, name="Starter", header=task.header, profile=machine(), devices=devices, context=4096,
        refuse=False,
    )  # fmt: skip
    assert plan.placement is not None
    assert [each.layers for each in draft.devices] == [plan.placement.layers.count(b.name) for b in given.budgets]
    assert {each.name: each.needed for each in draft.devices if each.needed} == {
        part.device: part.total for part in plan.predicted
    }
    stated = plan_of_draft(task, given, draft)
    assert (stated.tensor_split, stated.devices, stated.predicted) == (plan.tensor_split, plan.devices, plan.predicted)
    if draft.kept is None:
        assert draft_of(given, draft.boundaries).devices == draft.devices, "moving by hand begins where Snug ended"


def test_what_the_engine_said_of_a_buffer_is_remembered_for_the_next_step() -> None:
    given = problem()
    draft = draft_of(given, (0, 27))
    memory = [
        DeviceMemory(device=each.name, weights=each.weights, kv=each.kv, compute=each.compute // 2, overhead=7)
        for each in draft.devices
    ]
    wiser = learned(given, draft, with_exact(given, draft, memory))
    for once, again in zip(draft_of(given, (0, 20)).devices, draft_of(wiser, (0, 20)).devices, strict=True):
        assert again.compute == pytest.approx(once.compute / 2, rel=0.001)
        assert (again.weights, again.kv) == (once.weights, once.kv)


def test_one_card_that_would_be_clearly_faster_is_named() -> None:
    fast, slow = budget("G0", 12, bandwidth=504e9), budget("G1", 12, bandwidth=120e9)
    draft = draft_of(problem(budget(CPU, 32), fast, slow), (0, 18))
    assert draft.alone is not None
    assert draft.alone.label == "Card G0"
    assert draft.alone.factor > 1.5
    assert draft_of(problem(budget(CPU, 32), fast, slow), (0, 37)).alone is None, "it has everything already"
    small = budget("G0", 4, bandwidth=504e9)
    assert draft_of(problem(budget(CPU, 32), small, slow), (0, 9)).alone is None, "it cannot hold everything"


def test_the_engines_figures_take_the_place_of_the_arithmetic() -> None:
    given = problem()
    draft = draft_of(given, (0, 27))
    assert not draft.exact
    memory = [
        DeviceMemory(device=device.name, weights=device.weights, kv=device.kv, compute=MIB, overhead=device.overhead)
        for device in draft.devices
    ]
    exact = with_exact(given, draft, memory)
    assert exact.exact
    assert [device.compute for device in exact.devices] == [MIB] * 3
    assert msgspec.structs.replace(exact, devices=draft.devices, exact=False) == draft


def test_without_a_graphics_card_there_is_one_part_and_no_boundary() -> None:
    given = problem(budget(CPU, 16, used=4))
    draft = draft_of(given, ())
    assert draft.boundaries == tensor_split_of(given, ()) == ()
    (cpu,) = draft.devices
    assert (cpu.first, cpu.last) == (0, 36)
    assert cpu.room == "fits"
