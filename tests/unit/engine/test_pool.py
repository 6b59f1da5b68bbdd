"""Several models at once: who has to wait, who has to go, and that no answer is cut for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from desktop.engine import process
from desktop.engine.failure import EngineError, ModelFileMissing
from desktop.engine.pool import BeyondBudget, EnginePool, PoolClosed
from desktop.engine.protocol import DeviceMemory, LoadPlan, Priority
from tests.support.engine_replies import GREEDY, plan_for, reply_of, user
from tests.support.stand_in_child import stand_in_child

pytestmark = pytest.mark.asyncio
MIB = 1 << 20


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "child_command", lambda _role: stand_in_child("word(request, 'ok'); done(request)"))


@pytest_asyncio.fixture
async def pool(stand_in: None) -> AsyncIterator[EnginePool]:
    """Room for two models of 100 MiB."""
    pool = EnginePool(budget={"CPU": 250 * MIB})
    yield pool
    await pool.close()


def plan(name: str, size: int = 100, **changes: Any) -> LoadPlan:
    memory = (DeviceMemory(device="CPU", weights=size * MIB),)
    return plan_for(Path(f"/{name}"), model_name=name, predicted=memory, **changes)


def names(pool: EnginePool) -> list[str]:
    return [entry.plan.model_name for entry in pool.loaded]


async def use(pool: EnginePool, wanted: LoadPlan, priority: Priority = "interactive") -> None:
    async with pool.acquire(wanted, priority=priority) as engine:
        assert (await reply_of(engine, user("Hi."))).text == "ok"


async def test_two_models_that_fit_stay_loaded(pool: EnginePool) -> None:
    await use(pool, plan("a"))
    pids = {entry.plan.model_name for entry in pool.loaded}
    await use(pool, plan("b"))
    await use(pool, plan("a"))
    assert names(pool) == ["a", "b"]
    assert pids == {"a"}


async def test_the_one_that_was_not_used_for_longest_makes_room(pool: EnginePool) -> None:
    for name in ("a", "b", "a", "c"):
        await use(pool, plan(name))
    assert names(pool) == ["a", "c"]


async def test_a_model_that_is_answering_is_never_unloaded(pool: EnginePool) -> None:
    async with pool.acquire(plan("a")), pool.acquire(plan("b")):
        third = asyncio.create_task(use(pool, plan("c")))
        await asyncio.sleep(0.2)
        assert names(pool) == ["a", "b"]
        assert not third.done()
    await third
    assert "c" in names(pool)


async def test_a_person_is_served_before_a_batch_that_came_earlier(pool: EnginePool) -> None:
    order: list[str] = []

    async def wait_for(name: str, priority: Priority) -> None:
        async with pool.acquire(plan(name, 200), priority=priority):
            order.append(name)

    async with pool.acquire(plan("a", 200)):
        waiting = [asyncio.create_task(wait_for("batch", "batch")), asyncio.create_task(wait_for("other", "batch"))]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(wait_for("person", "interactive")))
        await asyncio.sleep(0.05)
    await asyncio.gather(*waiting)
    assert order == ["person", "batch", "other"]


async def test_a_large_model_is_not_kept_out_for_ever_by_small_ones(pool: EnginePool) -> None:
    order: list[str] = []

    async def note(name: str, size: int) -> None:
        async with pool.acquire(plan(name, size)):
            order.append(name)

    async with pool.acquire(plan("small")):
        large = asyncio.create_task(note("large", 200))
        await asyncio.sleep(0.05)
        small = asyncio.create_task(note("small", 100))
        await asyncio.sleep(0.05)
    await asyncio.gather(large, small)
    assert order == ["large", "small"]


async def test_what_is_larger_than_the_budget_is_refused_at_once(pool: EnginePool) -> None:
    with pytest.raises(BeyondBudget, match="CPU"):
        await use(pool, plan("giant", 300))
    assert names(pool) == []


async def test_callers_of_one_model_share_its_engine(pool: EnginePool) -> None:
    async with pool.acquire(plan("a")) as first, pool.acquire(plan("a")) as second:
        assert first is second
        assert pool.loaded[0].users == 2


async def test_another_plan_for_the_same_file_waits_and_replaces_it(pool: EnginePool) -> None:
    async with pool.acquire(plan("a")):
        other = asyncio.create_task(use(pool, plan("a", n_ctx=1024)))
        await asyncio.sleep(0.1)
        assert not other.done()
    await other
    assert [entry.plan.n_ctx for entry in pool.loaded] == [1024]


async def test_a_model_is_unloaded_when_nobody_used_it_for_a_while(stand_in: None) -> None:
    pool = EnginePool(budget={}, idle_seconds=0.3)
    async with pool.acquire(plan("a")) as engine:
        child = psutil.Process(engine.pid)
        await asyncio.sleep(0.5)
        assert names(pool) == ["a"]
    async with asyncio.timeout(50):
        while names(pool) or child.is_running():
            await asyncio.sleep(0.02)
    await pool.close()


async def test_unload_takes_what_is_idle_and_nothing_else(pool: EnginePool) -> None:
    async with pool.acquire(plan("a")):
        assert not await pool.unload("/a")
    assert await pool.unload("/a")
    assert not await pool.unload("/a")
    assert names(pool) == []


async def test_closing_lets_nobody_wait(pool: EnginePool) -> None:
    async with pool.acquire(plan("a", 200)):
        waiting = asyncio.create_task(use(pool, plan("b", 200)))
        await asyncio.sleep(0.05)
        await pool.close()
        with pytest.raises(PoolClosed):
            await waiting
    with pytest.raises(PoolClosed):
        await use(pool, plan("a"))


async def test_giving_up_the_wait_makes_way(pool: EnginePool) -> None:
    async with pool.acquire(plan("a", 200)):
        waiting = asyncio.create_task(use(pool, plan("b", 200)))
        await asyncio.sleep(0.05)
        behind = asyncio.create_task(use(pool, plan("a", 200)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait_for(behind, 50)


async def test_giving_up_a_load_leaves_nothing_behind(pool: EnginePool, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = stand_in_child().copy()
    slow[-1] = slow[-1].replace('if kind == "Load":', 'if kind == "Load": time.sleep(30)\n    if kind == "Load":')
    monkeypatch.setattr(process, "child_command", lambda _role: slow)
    waiting = asyncio.create_task(use(pool, plan("a")))
    await asyncio.sleep(0.3)
    waiting.cancel()
    await asyncio.wait([waiting])
    await pool.close()
    assert names(pool) == []


async def test_an_engine_that_gave_up_is_loaded_again_for_the_next_caller(pool: EnginePool) -> None:
    async with pool.acquire(plan("a")) as engine:
        await engine.stop()  # as after the breaker opened: nothing comes back by itself
    await use(pool, plan("a"))
    assert names(pool) == ["a"]


async def test_real_models_answer_side_by_side_and_a_missing_one_disturbs_nobody(
    starter_model: Path, tmp_path: Path
) -> None:
    pool = EnginePool(budget={"CPU": 400 * MIB})
    twin = tmp_path / "twin.gguf"
    twin.symlink_to(starter_model)
    small = plan_for(starter_model, n_ctx=256, predicted=(DeviceMemory(device="CPU", weights=100 * MIB),))
    other = plan_for(twin, n_ctx=256, predicted=(DeviceMemory(device="CPU", weights=100 * MIB),))
    gone = plan_for(tmp_path / "gone.gguf")

    async def ask(wanted: LoadPlan) -> str:
        async with pool.acquire(wanted) as engine:
            return (await reply_of(engine, user("What is the capital of France?"), GREEDY)).text

    try:
        answers = await asyncio.gather(ask(small), ask(other), ask(gone), return_exceptions=True)
        assert answers[0] == answers[1]
        assert isinstance(answers[2], ModelFileMissing)
        assert [entry.plan.model_path for entry in pool.loaded] == [str(starter_model), str(twin)]
        for entry in pool.loaded:
            assert entry.model is not None
            assert entry.memory["CPU"] == sum(part.total for part in entry.model.memory)  # what it really took
    finally:
        await pool.close()


async def test_the_error_of_a_load_reaches_everyone_who_waits_for_it(tmp_path: Path) -> None:
    pool = EnginePool(budget={})
    gone = plan_for(tmp_path / "gone.gguf")

    async def ask() -> None:
        async with pool.acquire(gone):
            raise AssertionError("it cannot be loaded")

    try:
        failures = await asyncio.gather(ask(), ask(), return_exceptions=True)
        assert all(isinstance(failure, EngineError) for failure in failures)
        assert pool.loaded == ()
    finally:
        await pool.close()
