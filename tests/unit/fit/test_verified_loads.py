"""What a verified plan promises is what the load does: real RPC workers whose memory is said to be small."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.protocol import DeviceKind, DeviceMemory, EngineDevice, LoadPlan
from desktop.fit.dry_run.asking import ask_engine
from desktop.fit.dry_run.dry_runs import DryRuns
from desktop.fit.memory.placement import CPU, Span
from desktop.fit.plans.layout import Layout
from desktop.fit.plans.plan import Decision, PlanTask, plan_of, problem_of, wanted_request
from desktop.fit.plans.verified import make_verified_plan
from desktop.fit.remembered.actual import actual_memory
from desktop.fit.types import Kept
from desktop.gguf.header import read_header
from tests.support.engine_workers import rpc_worker
from tests.support.models.decoders import write_moe
from tests.unit.fit.agreement import LARGEST_OVER
from tests.unit.fit.builders import machine

pytestmark = pytest.mark.asyncio
MIB = 1 << 20
ROUNDING = 6 * 5243
"""Bytes: the engine's log states each of a device's buffers to 0.01 MiB."""


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[str, ...]]:
    with ExitStack() as stack:
        yield tuple(stack.enter_context(rpc_worker()) for _ in range(2))


def cards_of(endpoints: tuple[str, ...], sizes: tuple[int, ...]) -> tuple[EngineDevice, ...]:
    """The workers' devices with so many MiB free."""
    return tuple(
        EngineDevice(
            name=f"RPC{index}",
            description=endpoint,
            kind=DeviceKind.GPU,
            backend="RPC",
            memory_total=size * MIB,
            memory_free=size * MIB,
        )
        for index, (endpoint, size) in enumerate(zip(endpoints, sizes, strict=True))
    )


def task_for(model: Path, cards: tuple[EngineDevice, ...], endpoints: tuple[str, ...], context: int) -> PlanTask:
    return PlanTask(
        path=model,
        name=model.stem,
        header=read_header(model),
        profile=machine(),
        devices=cards,
        context=context,
        margin=16 * MIB,
        rpc_endpoints=endpoints,
        parallel=2,
    )


@pytest.mark.parametrize(
    ("sizes", "context"), [((300, 300), 4096), ((260, 200), 8192), ((200, 120), 2048), ((2000, 2000), 1024)]
)
async def test_layers_and_bytes_are_those_of_the_plan(
    endpoints: tuple[str, ...], starter_model: Path, tmp_path: Path, sizes: tuple[int, ...], context: int
) -> None:
    cards = cards_of(endpoints, sizes)
    task = task_for(starter_model, cards, endpoints, context)
    async with DryRuns() as runs:

        async def ask(plan: LoadPlan) -> tuple[DeviceMemory, ...]:
            return (await ask_engine(runs, plan, task.header, (), folder=tmp_path)).memory

        plan = await make_verified_plan(task, ask)
    assert plan.exact
    await compare(plan)
    free = {card.name: card.memory_free for card in cards}
    assert all(part.total + task.margin <= free[part.device] for part in plan.predicted if part.device in free)


async def test_experts_really_stay_on_the_processor(endpoints: tuple[str, ...], tmp_path: Path) -> None:
    """Told to, because whole layers are faster with so small a model."""
    model = write_moe(tmp_path, layers=8, experts=64, used=4)
    task = task_for(model, cards_of(endpoints[:1], (4000,)), endpoints[:1], 2048)
    problem = problem_of(task)
    candidate = problem.attempt(wanted_request(task, problem))
    kept = candidate._replace(layout=Layout((Span("RPC0", 0, 9),), Kept("experts", 5)))
    plan = plan_of(task, problem, Decision(kept, candidate.request))
    async with DryRuns() as runs:
        exact = await ask_engine(runs, plan, task.header, (), folder=tmp_path / "stubs")
    plan = msgspec.structs.replace(plan, predicted=exact.memory)
    on_card, on_cpu = (next(part for part in exact.memory if part.device == name) for name in ("RPC0", CPU))
    assert on_cpu.weights > on_card.weights
    await compare(plan)


async def compare(plan: LoadPlan) -> None:
    """Load what is planned, and compare it device by device."""
    client = EngineClient()
    try:
        loaded = await client.load(msgspec.structs.replace(plan, use_mmap=False))
        mapped = await client.load(plan)
    finally:
        await client.stop()
    assert plan.placement is not None
    assert loaded.layers == plan.placement.layers
    predicted = {part.device: part for part in plan.predicted}
    for actual in loaded.memory:
        stated = predicted[actual.device]
        assert actual.weights == pytest.approx(stated.weights, abs=ROUNDING), actual.device
        assert stated.kv == actual.kv, actual.device
        assert 0 <= stated.compute - actual.compute <= LARGEST_OVER, actual.device
    for actual in actual_memory(plan, mapped):
        assert actual.weights == pytest.approx(predicted[actual.device].weights, abs=ROUNDING), actual.device
