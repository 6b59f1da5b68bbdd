"""What is forgotten of a conversation is nowhere any more: not in the KV cache, not in RAM, not in a file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest, InternalFailure, WrongPurpose
from desktop.engine.protocol import Done, PromptProgress, ReplyPart, Sampling, TextDelta
from tests.support.engine_replies import loaded_client
from tests.support.engine_talk import NO_CACHE, exact_plan, greedy, held, say
from tests.support.models.decoders import write_dense
from tests.support.models.encoders import write_embedding
from tests.support.patient_engine import be_patient
from tests.unit.runtime.whole.test_disk_cache_engine import limits
from tests.unit.runtime.whole.test_prefix_cache import SIZES, SYSTEM, WRITERS, ask

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(100)]
SHORT = greedy(6)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


def prompt(name: str) -> str:
    """Nothing of it is shared with another conversation."""
    return f"{name} {SYSTEM}{ask('one')}"


@asynccontextmanager
async def engine(path: Path, **changes: Any) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    try:
        await client.load(exact_plan(path, **{**SIZES, **changes}))
        yield client
    finally:
        await client.stop()


async def found(client: EngineClient, name: str) -> str:
    """Where the conversation is found when it is asked for again."""
    return (await say(client, prompt(name), SHORT, conversation=name)).stats.cached_in


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=list(WRITERS))
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A model of every kind of memory."""
    return WRITERS[request.param](tmp_path, kind="f32", layers=2)


async def test_one_conversation_is_forgotten_and_the_others_go_on(path: Path) -> None:
    async with engine(path) as client:
        for name in ("ann", "bob"):
            said = await say(client, prompt(name), SHORT, conversation=name)
        follow_up = f"{prompt('bob')}{said.text}<|im_end|>\n{ask('and then')}"
        gone = await client.forget_conversations(["ann", "somebody else"])
        assert gone.entries >= 1
        assert gone.size > 1000
        assert gone.left == 0
        assert await found(client, "ann") == "none"
        assert (await say(client, follow_up, SHORT, conversation="bob")).stats.cached_in in ("memory", "ram")
        assert (await client.forget_conversations(["nobody"])).entries == 0


async def test_who_goes_on_without_a_name_does_not_keep_what_is_forgotten(path: Path) -> None:
    async with engine(path) as client:
        said = await say(client, prompt("ann"), SHORT, conversation="ann")
        follow_up = f"{prompt('ann')}{said.text}<|im_end|>\n{ask('and then')}"
        assert (await say(client, follow_up, SHORT)).stats.cached_in in ("memory", "ram")
        assert (await client.forget_conversations(["ann"])).entries >= 1
        assert await found(client, "ann") == "none"


async def test_nor_does_who_goes_on_without_a_name_with_what_waited_in_ram(tmp_path: Path) -> None:
    """Six conversations, four sequences: the first had to leave the cache."""
    path = write_dense(tmp_path, kind="f32", layers=2)
    async with engine(path) as client:
        said = await say(client, prompt("ann"), SHORT, conversation="ann")
        for name in ("bob", "cat", "dan", "eve", "fay"):
            await say(client, prompt(name), SHORT, conversation=name)
        follow_up = f"{prompt('ann')}{said.text}<|im_end|>\n{ask('and then')}"
        assert (await say(client, follow_up, SHORT)).stats.cached_in == "ram"
        await client.forget_conversations(["ann"])
        assert await found(client, "ann") == "none"


async def test_everything_is_forgotten_also_what_has_no_name(path: Path) -> None:
    async with engine(path) as client:
        for name in ("ann", "", "bob"):
            await say(client, prompt(name), SHORT, conversation=name)
        assert (await client.forget_conversations(None)).entries >= 3
        status = await client.status()
        assert (status.sequences, status.cells_used, status.ram_entries, status.ram_bytes) == (0, 0, 0, 0)
        assert [await found(client, name) for name in ("ann", "", "bob")] == ["none"] * 3


async def test_what_waits_in_ram_is_forgotten(tmp_path: Path) -> None:
    """Six conversations, four sequences."""
    async with engine(write_dense(tmp_path, kind="f32", layers=1)) as client:
        for number in range(6):
            await found(client, f"{number}")
        assert (await client.status()).ram_entries == 2
        assert (await client.forget_conversations(["0"])).entries == 1
        assert (await client.status()).ram_entries == 1
        assert await found(client, "0") == "none"
        assert await found(client, "1") == "ram"


async def test_no_file_of_it_is_left_on_the_disk(tmp_path: Path) -> None:
    path, folder = write_dense(tmp_path, kind="f32", layers=1), tmp_path / "cache"
    async with engine(path, cache=limits(folder)) as client:
        for name in ("ann", "bob"):
            await found(client, name)
    assert len(files(folder)) == 2
    # Another plan of the same model: it would never find these files, and removes them all the same.
    async with engine(path, cache=limits(folder), type_k="f16", type_v="f16") as client:
        gone = await client.forget_conversations(["ann"])
        assert (gone.entries, gone.left) == (1, 0)
        assert len(files(folder)) == 1
    async with engine(path, cache=limits(folder)) as client:
        assert [await found(client, name) for name in ("ann", "bob")] == ["none", "disk"]
        assert (await client.forget_conversations(None)).entries == 3  # two sequences, and the file of one
        assert files(folder) == []
    assert files(folder) == []


async def test_a_reply_that_runs_is_not_disturbed_and_leaves_nothing(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    async with engine(path, cache=limits(folder)) as client:
        undisturbed = await say(client, prompt("ann"), greedy(60), conversation="bob")
        await client.forget_conversations(None)
        events = [event async for event in _forgetting(client, prompt("ann"), greedy(60), conversation="ann")]
        assert _text(events) == undisturbed.text
        status = await client.status()
        assert (status.sequences, status.cells_used, status.ram_entries) == (0, 0, 0)
    assert files(folder) == []


async def _forgetting(client: EngineClient, text: str, sampling: Sampling, **options: Any) -> AsyncIterator[ReplyPart]:
    """A reply during which everything is forgotten, once its first word has come."""
    forgotten = False
    async for event in client.generate(prompt=text, sampling=sampling, **options):
        yield event
        if isinstance(event, TextDelta) and not forgotten:
            forgotten = True
            await client.forget_conversations(None)
    assert forgotten


def _text(events: list[ReplyPart]) -> str:
    assert isinstance(events[-1], Done)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_searches_that_run_leave_nothing(tmp_path: Path) -> None:
    """Several: now and then the best beam at the end is a branch of another."""
    path, folder = write_dense(tmp_path, kind="f32", layers=1), tmp_path / "cache"
    search = Sampling(temperature=0.0, max_length=150, beams=3)
    async with engine(path, cache=limits(folder), n_seq_max=8, n_outputs_max=8) as client:
        for number in range(6):
            running = client.generate(prompt=prompt(f"{number}"), sampling=search, conversation="ann")
            async for event in running:
                if isinstance(event, PromptProgress) and event.done == event.total:
                    break
            with held(client):  # before it has ended
                told = asyncio.gather(client.forget_conversations(["ann"]), client.status())
                await asyncio.sleep(0)
            assert (await told)[1].active == 1
            assert isinstance([event async for event in running][-1], Done)
        assert (await client.status()).sequences == 0
    assert files(folder) == []


async def test_a_reply_that_is_paused_leaves_nothing(tmp_path: Path) -> None:
    path, folder = write_dense(tmp_path, kind="f32", layers=1), tmp_path / "cache"
    async with engine(path, cache=limits(folder), n_parallel=1) as client:
        running = client.generate(prompt=prompt("ann"), sampling=greedy(600), priority="batch", conversation="ann")
        async for event in running:
            if isinstance(event, TextDelta):
                break
        person = client.generate(prompt=prompt("bob"), sampling=greedy(300), conversation="bob")
        async for event in person:
            if isinstance(event, TextDelta):
                break
        with held(client):  # before one of them has ended
            told = asyncio.gather(client.forget_conversations(["ann"]), client.status())
            await asyncio.sleep(0)
        assert (await told)[1].active == 2  # one of them paused: there is room for one
        for stream in (person, running):
            assert isinstance([event async for event in stream][-1], Done)
        status = await client.status()
        assert (status.sequences, status.ram_entries) == (1, 0)
        assert await found(client, "bob") == "memory"
    assert len(files(folder)) == 1


@pytest.mark.parametrize("kind", list(WRITERS))
async def test_what_is_forgotten_while_its_prompt_is_read_leaves_no_state_behind_it(tmp_path: Path, kind: str) -> None:
    async with engine(WRITERS[kind](tmp_path, kind="f32", layers=2)) as client:
        running = client.generate(prompt=prompt("ann") * 10, sampling=SHORT, conversation="ann")
        event = await anext(running)
        await client.forget_conversations(["ann"])
        async for event in running:
            if isinstance(event, TextDelta):
                break
        assert isinstance([event async for event in running][-1], Done)
        status = await client.status()
        assert (status.sequences, status.ram_entries) == (0, 0)


async def test_a_prompt_that_is_stopped_while_it_is_read_leaves_nothing(tmp_path: Path) -> None:
    path, folder = write_dense(tmp_path, kind="f32", layers=4), tmp_path / "cache"
    async with engine(path, cache=limits(folder)) as client:
        running = client.generate(prompt=prompt("ann") * 20, sampling=SHORT, conversation="ann")
        async for event in running:
            if isinstance(event, PromptProgress) and event.done:
                break
        forgetting = asyncio.create_task(client.forget_conversations(["ann"]))
        await running.aclose()
        await forgetting
        while (await client.status()).active:
            await asyncio.sleep(0.01)
        assert (await client.status()).sequences == 0
    assert files(folder) == []


async def test_a_turn_after_it_was_forgotten_is_kept_again(tmp_path: Path) -> None:
    async with engine(write_dense(tmp_path, kind="f32", layers=1)) as client:
        await found(client, "ann")
        await client.forget_conversations(["ann"])
        assert [await found(client, "ann") for _ in range(2)] == ["none", "memory"]


async def test_a_beginning_that_two_share_stays_with_the_other(tmp_path: Path) -> None:
    async with engine(write_dense(tmp_path, kind="f32", layers=1)) as client:
        for name in ("ann", "bob"):
            await say(client, f"{SYSTEM}{ask(name)}", SHORT, conversation=name)
        await client.forget_conversations(["ann"])
        said = await say(client, f"{SYSTEM}{ask('bob')}", SHORT, conversation="bob")
        assert said.stats.cached_tokens == said.stats.prompt_tokens - 1
        again = await say(client, f"{SYSTEM}{ask('ann')}", SHORT, conversation="ann")
        assert 0 < again.stats.cached_tokens < again.stats.prompt_tokens - 10  # the system prompt, which is bob's too


async def test_a_conversation_without_a_name_is_refused_by_its_place(tmp_path: Path) -> None:
    async with engine(write_dense(tmp_path, layers=1), cache=NO_CACHE) as client:
        await found(client, "")
        with pytest.raises(BadRequest, match=r"conversations\[1\]"):
            await client.forget_conversations(["ann", ""])
        assert (await client.status()).sequences == 1


async def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    async with engine(write_dense(tmp_path, layers=1), cache=limits(blocked)) as client:
        await found(client, "ann")
        with pytest.raises(InternalFailure, match="cannot be read"):
            await client.forget_conversations(["ann"])
        assert (await client.status()).sequences == 0
        assert await found(client, "bob") == "none"


async def test_a_model_that_keeps_no_conversations_says_so(tmp_path: Path) -> None:
    async with loaded_client(write_embedding(tmp_path), purpose="embedding") as client:
        with pytest.raises(WrongPurpose):
            await client.forget_conversations(None)
