"""Plans that the engine's dry run has checked, on cards that are not there."""

import asyncio
import contextlib
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from desktop.engine.protocol import DeviceMemory, EngineDevice, ImaginedDevice, LoadPlan
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.dry_run.exact import ExactFit, exact_fit
from desktop.fit.errors import DoesNotFit, DoesNotFitAtThisContext
from desktop.fit.memory.placement import CPU, Costs
from desktop.fit.plans.layout import layouts
from desktop.fit.plans.plan import PlanTask, plan_by_arithmetic, problem_of
from desktop.fit.plans.verified import Ask, Checked, best_of, make_verified_plan
from desktop.gguf.header import read_header
from desktop.gguf.stub import stub_of_file
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit import architectures
from tests.unit.fit.builders import GIB, device, machine

pytestmark = pytest.mark.asyncio


class Engine:
    """The real engine over stubs; remembers what it was asked."""

    def __init__(self, runs: DryRuns, cards: Iterable[EngineDevice]) -> None:
        self._runs = runs
        self._cards = tuple(
            ImaginedDevice(name=card.name, memory_total=card.memory_total, memory_free=card.memory_free)
            for card in cards
        )
        self.asked: list[LoadPlan] = []

    def about(self, path: Path) -> Ask:
        async def ask(plan: LoadPlan) -> tuple[DeviceMemory, ...]:
            return (await self.answer(path, plan)).memory

        return ask

    async def answer(self, path: Path, plan: LoadPlan) -> ExactFit:
        self.asked.append(plan)
        header = read_header(path)
        stub = stub_of_file(path, header)
        place = path.with_name(f"{stub.key}.gguf")
        await asyncio.to_thread(stub.write, place)
        asked = msgspec.structs.replace(plan, model_path=str(place))
        return exact_fit(header, await self._runs.ask(asked, stub_key=stub.key, imagined=self._cards), plan)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense model of 3.7 GiB with 64 KiB of KV cache per token, as a hole in a file."""
    return write_gguf(tmp_path_factory.mktemp("large") / "large.gguf", *architectures.large_dense())


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of 128 experts of which 4 work: 10 GiB, of which a token reads little."""
    described = architectures.many_experts(n_layer=24, n_embd=2048, n_ff=1024, experts=128, used=4)
    return write_gguf(tmp_path_factory.mktemp("sparse") / "sparse.gguf", *described)


def task_of(path: Path, **wishes: Any) -> PlanTask:
    fields: dict[str, Any] = {"profile": machine(ram=64), "quantization": "Q4_0"}
    return PlanTask(path=path, name=path.stem, header=read_header(path), **fields | wishes)


@pytest.mark.parametrize("free", [3.0, 3.3, 3.65])
async def test_what_the_engine_says_lets_more_layers_onto_the_card(runs: DryRuns, large: Path, free: float) -> None:
    card = device("CUDA0", free)
    engine = Engine(runs, [card])
    task = task_of(large, devices=(card,))
    plan = await make_verified_plan(task, engine.about(large))
    computed = plan_by_arithmetic(task)
    assert (plan.exact, computed.exact) == (True, False)
    on_card = plan.predicted[1]
    assert on_card.total > computed.predicted[1].total - (64 << 20)
    assert on_card.weights >= computed.predicted[1].weights
    assert on_card.total + task.margin <= card.memory_free
    assert card.memory_free - on_card.total - task.margin < 140 << 20  # less than one more layer with its cache
    again = await engine.answer(large, plan)
    assert [(part.device, part.weights, part.kv, part.compute) for part in plan.predicted] == [
        (part.device, part.weights, part.kv, part.compute) for part in again.memory
    ]


async def test_experts_stay_behind_where_that_is_faster_than_whole_layers(runs: DryRuns, sparse: Path) -> None:
    card = device("CUDA0", 8)
    engine = Engine(runs, [card])
    plan = await make_verified_plan(task_of(sparse, devices=(card,)), engine.about(sparse))
    assert plan.placement is not None
    assert set(plan.placement.layers) == {"CUDA0"}
    assert [override.device for override in plan.tensor_overrides] == [CPU]
    assert any("experts of" in reason.render() for reason in plan.reasons)
    cpu, on_card = plan.predicted
    assert cpu.weights > 2 * GIB
    assert cpu.kv == 0
    assert on_card.total + (256 << 20) <= card.memory_free


async def test_a_context_is_lowered_to_the_longest_that_the_engine_says_fits(runs: DryRuns, large: Path) -> None:
    engine = Engine(runs, [])
    profile = machine(ram=16, free=7)
    plan = await make_verified_plan(task_of(large, profile=profile, wanted_context=65536), engine.about(large))
    assert plan.exact
    assert 8192 < plan.n_ctx < 65536
    assert plan.n_ctx % 1024 == 0
    words = " ".join(reason.render() for reason in plan.reasons)
    assert "lowered from 65536" in words
    with pytest.raises(DoesNotFitAtThisContext) as refused:
        await make_verified_plan(task_of(large, profile=profile, context=plan.n_ctx + 1024), engine.about(large))
    assert refused.value.alternative_context == plan.n_ctx


async def test_what_never_fits_is_refused_and_with_the_guard_off_planned_as_asked(runs: DryRuns, large: Path) -> None:
    engine = Engine(runs, [])
    profile = machine(ram=8, free=2)
    with pytest.raises(DoesNotFit):
        await make_verified_plan(task_of(large, profile=profile), engine.about(large))
    unguarded = task_of(large, profile=profile, refuse=False)
    plan = await make_verified_plan(unguarded, engine.about(large))
    assert plan.n_ctx == 8192
    assert plan.exact
    assert any("exactly as asked" in reason.render() for reason in plan.reasons)


async def test_every_verified_plan_keeps_its_margin_everywhere(
    runs: DryRuns, large: Path, sparse: Path, campaign_factor: int
) -> None:
    chance = random.Random(11)
    made = questions = 0
    for _ in range(16 * campaign_factor):
        cards = tuple(device(f"CUDA{n}", chance.uniform(1, 12)) for n in range(chance.randrange(4)))
        engine = Engine(runs, cards)
        profile = machine(ram=32, free=chance.uniform(2, 24))
        path = chance.choice((large, sparse))
        wishes = {"wanted_context": chance.choice((4096, 16384, 65536)), "parallel": chance.choice((1, 4))}
        task = task_of(path, profile=profile, devices=cards, **wishes)
        try:
            plan = await make_verified_plan(task, engine.about(path))
        except DoesNotFit:
            with pytest.raises(DoesNotFit):
                plan_by_arithmetic(task)
            continue
        with contextlib.suppress(DoesNotFit):
            assert plan.n_ctx >= plan_by_arithmetic(task).n_ctx
        made += 1
        questions += len(engine.asked)
        free = {card.name: card.memory_free for card in cards} | {CPU: profile.ram.available}
        margins = {CPU: max(256 << 20, profile.ram.total // 16)}
        for part in plan.predicted:
            assert part.total + margins.get(part.device, 256 << 20) <= free[part.device]
    assert made >= 6 * campaign_factor
    assert questions <= 6 * made


async def test_what_was_told_of_a_long_context_does_not_spoil_a_shorter_one(runs: DryRuns, tmp_path: Path) -> None:
    """One layer, a context of a million: the engine's compute buffer there is many times the estimate."""
    path = write_gguf(tmp_path / "one.gguf", *dense_model(n_layer=1, n_embd=512, n_head=8, context=1 << 20))
    cards = tuple(device(f"CUDA{n}", free) for n, free in enumerate((3.76, 4.55, 2.81)))
    task = task_of(path, profile=machine(ram=12, free=5), devices=cards, wanted_context=1 << 20, parallel=4)
    plan = await make_verified_plan(task, Engine(runs, cards).about(path))
    assert plan.n_ctx >= plan_by_arithmetic(task).n_ctx


async def test_of_what_was_checked_the_fastest_at_this_context_is_taken(large: Path) -> None:
    """With an empty context whole layers on the processor are faster here, with a full one the feed-forward steps."""
    task = task_of(large, devices=(device("CUDA0", 7),), wanted_context=65536, context=65536)
    problem = problem_of(task)
    request = problem.request(65536, "f16", "f16", parallel=1)
    costs = Costs(problem.shape, request)
    ways = [problem.candidate(costs, layout) for layout in layouts(costs, problem.budgets)]
    first, second = sorted((way for way in ways if way.fits), key=lambda way: way.full, reverse=True)
    assert first.speed.decode < second.speed.decode
    assert problem.attempt(request) == first

    checked = [Checked(way, way.memory, way.left) for way in (second, first)]
    chosen = best_of(checked)
    assert chosen is not None
    assert chosen.candidate == first
