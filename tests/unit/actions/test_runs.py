"""Replies of a chat are noted as runs where their figures say something of the machine."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from desktop.actions.runs import RunLearner
from desktop.engine import process
from desktop.fit.remembered.observed import Run
from desktop.fit.speeds.known_speeds import tensors_key
from desktop.gguf.header import read_header
from desktop.paths import user_paths
from desktop.services import Services, Survey, create_services
from tests.support.engine_replies import plan_for, reply_of, user
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.stand_in_child import stand_in_child
from tests.unit.fit.builders import device_speeds, engine_with, machine, type_speed

pytestmark = pytest.mark.asyncio
ENGINE = engine_with()
# Each message is the figures of its reply.
SCRIPT = """
if kind == 'Generate':
    stats = json.loads(text)
    say(type='Done', request_id=request, finish_reason=stats.pop('end', 'stop'), stats=stats)
"""
WORTH: dict[str, Any] = {
    "prompt_tokens": 700, "cached_tokens": 100, "completion_tokens": 100, "context_used": 800,
    "decode_speed": 9.0, "prefill_speed": 90.0,
}  # fmt: skip


@pytest_asyncio.fixture
async def services(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    """On a machine that was measured, with a child that replies with the figures it is told."""
    child = stand_in_child(SCRIPT)
    child[-1] = child[-1].replace('layers=["CPU", "CPU"]', 'layers=["CPU"] * 5')
    monkeypatch.setattr(process, "child_command", lambda _role: child)
    services = create_services(user_paths())
    services.surveys.latest = Survey(profile=machine(), engine=ENGINE)
    services.observed.note_probe(device_speeds(type_speed("q8_0", 10.0)), driver="", engine="b1")
    yield services
    await services.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "m-Q8_0.gguf", *dense_model())


async def runs_after(services: Services, path: Path, **changes: object) -> tuple[Run, ...]:
    """What is remembered when such a reply has ended."""
    await services.engine.load(plan_for(path))
    async with RunLearner(services):
        await reply_of(services.engine, user(json.dumps(WORTH | changes)))
    return services.observed.runs(engine="b1")


async def test_a_reply_is_remembered_beside_what_was_predicted(services: Services, path: Path) -> None:
    (run,) = await runs_after(services, path)
    assert (run.placement, run.model, run.quantization) == ("CPU:5", tensors_key(read_header(path)), "Q8_0")
    assert (run.decode, run.prefill) == (9.0, 90.0)
    assert run.depth == 750, "the middle of what was written"
    assert run.predicted_decode > 0
    assert run.predicted_prefill > 0


@pytest.mark.parametrize(
    ("changes", "speeds"),
    [
        ({"completion_tokens": 47}, (0.0, 90.0)),
        ({"cached_tokens": 445}, (9.0, 0.0)),
        ({"completion_tokens": 47, "cached_tokens": 445}, None),
        ({"drafted": 1}, None),
        ({"discarded": 1}, None),
        ({"end": "cancelled"}, None),
    ],
)
async def test_only_figures_that_say_something_are(
    services: Services, path: Path, changes: dict[str, object], speeds: tuple[float, float] | None
) -> None:
    runs = await runs_after(services, path, **changes)
    assert [(run.decode, run.prefill) for run in runs] == ([speeds] if speeds else [])


async def test_without_a_prediction_nothing_is(services: Services, path: Path) -> None:
    services.surveys.latest = Survey(profile=machine(), engine=ENGINE)
    path = write_gguf(path, *dense_model(kind="f16"))  # a type that was not measured
    assert await runs_after(services, path) == ()


async def test_a_file_that_is_gone_by_then_loses_nothing(services: Services, path: Path) -> None:
    await services.engine.load(plan_for(path))
    async with RunLearner(services) as learner:
        assert learner._headers is not None
        await learner._headers
        await asyncio.to_thread(path.unlink)
        await reply_of(services.engine, user(json.dumps(WORTH)))
    assert len(services.observed.runs(engine="b1")) == 1


async def test_replies_that_shared_the_steps_are_not(services: Services, path: Path) -> None:
    await services.engine.load(plan_for(path))
    async with RunLearner(services):
        await asyncio.gather(*(reply_of(services.engine, user(json.dumps(WORTH))) for _ in range(2)))
        assert services.observed.runs(engine="b1") == ()
        await reply_of(services.engine, user(json.dumps(WORTH)))
    assert len(services.observed.runs(engine="b1")) == 1
