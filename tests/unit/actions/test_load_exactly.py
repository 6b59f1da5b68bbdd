"""A load on a card begins only when no child of the dry runs holds memory of its driver."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.actions.load import load_exactly
from desktop.engine.protocol import LoadPlan
from desktop.fit.dry_run.dry_runs import DryRuns


@pytest.mark.asyncio
@pytest.mark.parametrize(("devices", "children"), [(("CUDA0",), 0), ((), 1)])
async def test_children_of_dry_runs_are_gone_before_a_load_on_a_card(devices: tuple[str, ...], children: int) -> None:
    seen: list[int] = []
    async with DryRuns() as runs:

        async def load(plan: LoadPlan, on_progress: Callable[[float], None] | None) -> str:
            seen.append(len(runs.pids))
            return plan.model_name

        services: Any = SimpleNamespace(dry_runs=runs, engine=SimpleNamespace(load=load))
        runs.get_ready()
        await asyncio.sleep(0)
        assert len(runs.pids) == 1
        plan = LoadPlan(model_path="/m.gguf", model_name="m", n_ctx=512, devices=devices)
        loaded: Any = await load_exactly(services, plan)
        assert loaded == "m"
    assert seen == [children]
