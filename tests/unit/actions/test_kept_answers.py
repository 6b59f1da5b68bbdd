"""What the engine said of this machine's cards is known in the next session, until the driver is another one."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from desktop.actions.plan import predict_anew
from desktop.actions.split import exact_split
from desktop.fit.plans.plan import PlanTask, plan_by_arithmetic, problem_of
from desktop.fit.plans.split_editor import SplitProblem, draft_of
from desktop.fit.plans.wish import FitDefaults, FitWish
from desktop.fit.report import report_fit
from desktop.fit.subject import FitSubject
from desktop.gguf.header import read_header
from desktop.paths import user_paths
from tests.support.card_of_the_machine import DryRunsWithCard, with_driver
from tests.support.gguf_writer import dense_model, write_gguf
from tests.unit.fit.builders import device, machine

CARD = device("CUDA0", 8)


async def load(services: Any, task: PlanTask) -> None:
    """As a load asks."""
    assert (await predict_anew(services, task, plan_by_arithmetic(task))).exact


async def split(services: Any, task: PlanTask) -> None:
    """As the split editor asks."""
    problem = SplitProblem(search=problem_of(task), context=512, kv="f16")
    await exact_split(services, task, problem, draft_of(problem, (0,)))


async def fit(services: Any, task: PlanTask) -> None:
    """As `snug fit --exact` asks."""
    await report_fit(
        FitSubject(name=task.name, path=task.path, header=task.header, quantization="F16"),
        profile=task.profile,
        devices=task.devices,
        wish=FitWish(context=512),
        defaults=FitDefaults(),
        dry_runs=services.dry_runs,
        folder=services.paths.stubs,
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("ask", [load, split, fit])
async def test_what_a_card_takes_is_kept_until_its_driver_is_another(
    ask: Callable[[Any, PlanTask], Awaitable[None]], tmp_path: Path
) -> None:
    path = write_gguf(tmp_path / "model.gguf", *dense_model())
    profile, asked = machine(gpus=(8.5,)), []
    for driver in ("550.54", "550.54", "560.28"):
        task = PlanTask(
            path=path,
            name="A model",
            header=read_header(path),
            profile=with_driver(profile, driver),
            devices=(CARD,),
            context=512,
        )
        async with DryRunsWithCard(CARD, tmp_path / "answers.sqlite3") as runs:
            await ask(SimpleNamespace(dry_runs=runs, paths=user_paths()), task)
            asked.append(runs.asked)
    first, again, other = asked
    assert (again, other) == (0, first)
    assert first > 0
