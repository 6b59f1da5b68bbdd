"""Conversations that are opened again after the engine was ended: continued at once, and with the right words.

In f32, for every kind of memory; each file that is damaged or belongs to something else is never used.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.protocol import CacheLimits, LoraAdapter
from tests.support.bare_engine import bare_engine
from tests.support.engine_talk import Said, check_reply, exact_plan, greedy, say, tokens_read
from tests.support.models import decoders
from tests.support.models.adapters import write_lora
from tests.support.patient_engine import be_patient
from tests.unit.runtime.whole.test_prefix_cache import SIZES, SYSTEM, WRITERS, ask

PROMPT = SYSTEM + ask("one")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


def limits(folder: Path) -> CacheLimits:
    return CacheLimits(disk_folder=str(folder), disk_bytes=64 * 1024 * 1024)


async def speak_once(path: Path, prompts: list[str], **changes: Any) -> list[Said]:
    """Replies of an engine that is started for them, one after the other, and ended."""
    client = EngineClient()
    try:
        await client.load(exact_plan(path, **{**SIZES, **changes}))
        return [await say(client, prompt, greedy(8)) for prompt in prompts]
    finally:
        await client.stop()


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", list(WRITERS))
async def test_a_conversation_goes_on_after_a_restart(tmp_path: Path, kind: str) -> None:
    path = WRITERS[kind](tmp_path, kind="f32")
    folder = tmp_path / "cache"
    (first,) = await speak_once(path, [PROMPT], cache=limits(folder))
    text = f"{PROMPT}{first.text}<|im_end|>\n{ask('and then')}"
    (said,) = await speak_once(path, [text], cache=limits(folder))
    assert said.stats.cached_in == "disk"
    assert said.stats.cached_tokens == first.stats.prompt_tokens + 7
    with bare_engine(path, flash_attention="off", kv_type="f32", n_seq_max=1, swa_full=True) as bare:
        held = [*bare.tokenize(PROMPT), *first.tokens]
        check_reply(bare, tokens_read(bare, said, text, held), said)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def overwrite(file: Path) -> None:
    file.write_bytes(b"\xff" * file.stat().st_size)


@pytest.mark.asyncio
@pytest.mark.parametrize("damage", [cut_short, empty, flip_a_bit, overwrite])
async def test_a_damaged_file_is_not_used(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = decoders.write_dense(tmp_path, kind="f32")
    folder = tmp_path / "cache"
    (first,) = await speak_once(path, [PROMPT], cache=limits(folder))
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size > 10_000]
    assert files
    for file in files:
        damage(file)
    (said,) = await speak_once(path, [PROMPT], cache=limits(folder))
    assert said.stats.cached_in == "none"
    assert said.tokens == first.tokens


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "changes", [{"type_k": "f16", "type_v": "f16"}, {"flash_attention": "on"}, {"model": 1}], ids=str
)
async def test_what_another_model_or_another_plan_left_is_not_used(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = decoders.write_dense(tmp_path, kind="f32")
    folder = tmp_path / "cache"
    await speak_once(path, [PROMPT], cache=limits(folder))
    if "model" in changes:
        path, changes = decoders.write_dense(tmp_path, seed=changes["model"], kind="f32"), {}
    (said,) = await speak_once(path, [PROMPT], cache=limits(folder), **changes)
    assert said.stats.cached_in == "none"
    types = {"flash_attention": changes.get("flash_attention", "off"), "kv_type": changes.get("type_k", "f32")}
    with bare_engine(path, **types) as bare:
        assert said.tokens == bare.write(bare.tokenize(PROMPT), 8).tokens


@pytest.mark.asyncio
async def test_what_another_adapter_left_is_not_used_though_its_scale_is_the_same(tmp_path: Path) -> None:
    path = decoders.write_dense(tmp_path, kind="f32")
    one, other = (
        (LoraAdapter(path=str(write_lora(tmp_path, name=name, seed=seed))),) for seed, name in enumerate(("one", "two"))
    )
    folder = tmp_path / "cache"
    await speak_once(path, [PROMPT], cache=limits(folder), lora=one)
    (fresh,) = await speak_once(path, [PROMPT], cache=limits(tmp_path / "empty"), lora=other)
    (said,) = await speak_once(path, [PROMPT], cache=limits(folder), lora=other)
    assert said.stats.cached_in == "none"
    assert said.tokens == fresh.tokens
    (again,) = await speak_once(path, [PROMPT], cache=limits(folder), lora=one)
    assert again.stats.cached_in == "disk"


@pytest.mark.asyncio
async def test_each_of_many_conversations_is_kept_when_the_engine_ends(tmp_path: Path) -> None:
    path = decoders.write_dense(tmp_path, kind="f32", layers=1)
    changes: dict[str, Any] = {"n_seq_max": 8, "n_outputs_max": 8, "cache": limits(tmp_path / "cache")}
    prompts = [f"{number} {PROMPT}" for number in range(6)]
    await speak_once(path, prompts, **changes)
    assert [said.stats.cached_in for said in await speak_once(path, prompts, **changes)] == ["disk"] * 6


@pytest.mark.asyncio
async def test_positions_of_another_length_of_context_are_not_used(tmp_path: Path) -> None:
    path = decoders.write_long_rope(tmp_path, original=512)
    folder = tmp_path / "cache"
    (short,) = await speak_once(path, [PROMPT], cache=limits(folder), n_ctx=512)
    (fresh,) = await speak_once(path, [PROMPT], cache=limits(tmp_path / "empty"), n_ctx=1024)
    (said,) = await speak_once(path, [PROMPT], cache=limits(folder), n_ctx=1024)
    assert short.tokens != fresh.tokens
    assert said.tokens == fresh.tokens


@pytest.mark.asyncio
async def test_of_conversations_that_come_back_together_none_stays_under_suspicion(tmp_path: Path) -> None:
    path, folder = decoders.write_dense(tmp_path, kind="f32", layers=1), tmp_path / "cache"
    prompts = [f"{number} {PROMPT}" for number in range(3)]
    await speak_once(path, prompts, cache=limits(folder))
    client = EngineClient()
    try:
        await client.load(exact_plan(path, **SIZES, cache=limits(folder)))
        said = await asyncio.gather(*(say(client, prompt, greedy(8)) for prompt in prompts))
        assert [one.stats.cached_in for one in said] == ["disk"] * 3
        assert not list(folder.rglob("*.loading"))  # were the child killed now, these files would be put aside
    finally:
        await client.stop()
