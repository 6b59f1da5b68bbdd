"""Plans that led to a reply are remembered, and offered when another only crashes."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from desktop.engine import breaker, process
from desktop.engine.client import EngineClient
from desktop.engine.known_good import MOST_MODELS, KnownGood
from desktop.engine.protocol import LoadPlan
from desktop.errors import Phrase
from tests.support.engine_replies import plan_for, reply_of, user
from tests.support.stand_in_child import stand_in_child

pytestmark = pytest.mark.asyncio
PLAN = plan_for(Path("/m.gguf"), n_ctx=2048, type_k="q8_0", type_v="q8_0")
LARGER = msgspec.structs.replace(PLAN, n_ctx=32768)


async def _remembered(path: Path, *plans: LoadPlan) -> KnownGood:
    known = KnownGood(path)
    for plan in plans:
        known.remember(plan)
    await known.saved()
    return known


async def test_what_worked_is_offered_after_a_restart_too(tmp_path: Path) -> None:
    path = tmp_path / "data" / "known_good.json"
    now = await _remembered(path, PLAN)
    for known in (now, KnownGood(path)):
        assert known.offer(LARGER) == PLAN
        assert known.offer(msgspec.structs.replace(LARGER, model_path="/other.gguf")) is None


async def test_the_plan_that_crashed_is_not_offered_again(tmp_path: Path) -> None:
    known = await _remembered(tmp_path / "known_good.json", PLAN)
    assert known.offer(msgspec.structs.replace(PLAN, reasons=(Phrase("told otherwise"),))) is None


async def test_two_programs_keep_what_the_other_noted(tmp_path: Path) -> None:
    path = tmp_path / "known_good.json"
    first, second = KnownGood(path), KnownGood(path)
    assert first.offer(PLAN) is None
    assert second.offer(PLAN) is None
    other = msgspec.structs.replace(PLAN, model_path="/other.gguf")
    first.remember(PLAN)
    second.remember(other)
    await first.saved()
    await second.saved()
    assert set(msgspec.json.decode(path.read_bytes())) == {PLAN.model_path, other.model_path}


async def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    plans = [msgspec.structs.replace(PLAN, model_path=f"/{number}.gguf") for number in range(MOST_MODELS + 3)]
    path = tmp_path / "known_good.json"
    for plan in plans:
        await _remembered(path, plan)
    kept = msgspec.json.decode(path.read_bytes())
    assert len(kept) == MOST_MODELS
    assert plans[-1].model_path in kept


@pytest.mark.allow_log("cannot be read")
@pytest.mark.parametrize("content", [b"{", b"[1]", b'{"/m.gguf":{"n_ctx":"x"}}', b"\xff"])
async def test_a_broken_file_is_kept_aside(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "known_good.json"
    path.write_bytes(content)
    known = KnownGood(path)
    assert known.offer(PLAN) is None
    known.remember(PLAN)
    await known.saved()
    assert KnownGood(path).offer(LARGER) == PLAN
    (kept,) = (name for name in os.listdir(tmp_path) if ".bad-" in name)  # noqa: PTH208
    assert (tmp_path / kept).read_bytes() == content


@pytest.mark.allow_log("cannot be read|could not be remembered")
async def test_a_folder_that_cannot_be_written_costs_nothing_but_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    known = await _remembered(tmp_path / "file" / "known_good.json", PLAN)
    assert known.offer(LARGER) == PLAN


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
async def test_the_open_breaker_offers_the_plan_that_answered_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "LONGEST_DELAY", 0.01)
    # Only the small context answers; with the large one the child dies soon after it loaded.
    script = "word(request, 'ok'); done(request)"
    command = stand_in_child(script)
    dying = 'if kind == "Load" and message["plan"]["n_ctx"] > 9999: time.sleep(0.05); die()\n    if kind == "Ping"'
    command[-1] = command[-1].replace('if kind == "Ping"', dying)
    monkeypatch.setattr(process, "child_command", lambda _role: command)
    client = EngineClient(known_good=KnownGood(tmp_path / "known_good.json"))
    await client.load(PLAN)
    assert (await reply_of(client, user("Hi."))).text == "ok"
    client._supervisor.plan = LARGER  # as if it had been loaded, and now the child dies
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    while not client.state.breaker_open:
        await asyncio.sleep(0.02)
    assert client.state.offer == PLAN
    await client.stop()
