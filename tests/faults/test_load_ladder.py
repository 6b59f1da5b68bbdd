"""A load that runs out of memory goes on with less, says so, and is remembered: the real engine under a limit."""

import resource
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from desktop.actions.load import NothingLeftToGiveUp, load_model
from desktop.actions.models import find_model
from desktop.actions.plan import plan_model
from desktop.engine.failure import OutOfMemory
from desktop.errors import Phrase
from desktop.paths import user_paths
from desktop.services import Services, create_services
from desktop.settings import MEMORY_GUARD, WANTED_CONTEXT

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.allow_log("with less"),
    pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="memory of a process is limited on Linux only"),
]
MIB = 1 << 20
CONTEXT_COSTS = 8192 * 30 * 2 * 192 * 2
"""Bytes of the KV cache of the starter model at 8192 tokens: 30 layers, 192 values in K and V, f16."""


@pytest_asyncio.fixture
async def services() -> AsyncIterator[Services]:
    services = create_services(user_paths())
    yield services
    await services.close()


async def leave(services: Services, spare: int) -> None:
    """Let the engine's child, which runs already, have `spare` bytes beside what it has."""
    await plan_model(services, find_model(services, None))
    assert services.engine.pid is not None
    child = psutil.Process(services.engine.pid)
    limit = child.memory_info().vms + spare
    child.rlimit(resource.RLIMIT_AS, (limit, limit))


async def test_a_shorter_context_is_tried_and_said_and_remembered(services: Services) -> None:
    model = find_model(services, None)
    await leave(services, 340 * MIB)
    said: list[Phrase] = []
    loaded = await load_model(services, model, on_step=said.append)
    plan = services.engine.plan
    assert plan is not None
    assert loaded.n_ctx == plan.n_ctx < 8192
    assert said
    assert "ran out of memory" in said[0].render()
    assert said[-1] in plan.reasons
    assert plan.exact
    kv = CONTEXT_COSTS * plan.n_ctx // 8192
    assert sum(part.kv for part in plan.predicted) == (kv if plan.type_k == "f16" else kv * 34 // 64)
    said.clear()
    again = await load_model(services, model, on_step=said.append)
    assert again.n_ctx == loaded.n_ctx
    assert ["starts as it worked then" in phrase.render() for phrase in said] == [True]


async def test_after_the_last_step_a_smaller_quantization_is_all_that_is_left(services: Services) -> None:
    model = find_model(services, None)
    await leave(services, 60 * MIB)
    said: list[Phrase] = []
    with pytest.raises(NothingLeftToGiveUp) as refused:
        await load_model(services, model, on_step=said.append)
    assert "1024 tokens" in str(refused.value)
    words = [phrase.render() for phrase in said]
    assert len(set(words)) == len(words) >= 3
    assert any("q8_0" in word for word in words)


async def test_with_the_check_switched_off_nothing_is_given_up(services: Services) -> None:
    services.settings.set(MEMORY_GUARD, False)
    model = find_model(services, None)
    planned = await plan_model(services, model, context=1 << 20)
    assert planned.plan.n_ctx == 1 << 20  # 22.5 GiB of KV cache
    services.settings.set(WANTED_CONTEXT, 1 << 20)
    await leave(services, 340 * MIB)
    said: list[Phrase] = []
    with pytest.raises(OutOfMemory):
        await load_model(services, model, on_step=said.append)
    assert not [phrase for phrase in said if "ran out" in phrase.render()]
