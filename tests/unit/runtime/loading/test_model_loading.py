"""What happens around a load: cancel, warm-up, notes, a draft model beside the large one."""

import asyncio
from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import CorruptModel, LoadFailure
from desktop.engine.protocol import LoadedModel
from desktop.engine.state import EnginePhase
from desktop.runtime.loading.notes import lock_notes
from tests.support.engine_replies import loaded_client, plan_for, reply_of, user
from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.models.decoders import write_dense, write_draft, write_recurrent

pytestmark = pytest.mark.timeout(60)

REFUSED = "warning: failed to mlock 98304000-byte buffer (after previously locking 0 bytes): Cannot allocate memory"


async def load(path: Path, **changes: object) -> LoadedModel:
    async with loaded_client(path, **changes) as client:
        assert client.loaded is not None
        return client.loaded


@pytest.mark.asyncio
async def test_a_load_that_reads_the_file_is_given_up_in_the_middle(tmp_path: Path) -> None:
    metadata, tensors = dense_model(n_layer=60, n_embd=2048, n_ff=8192, vocab=1024)
    path = write_gguf(tmp_path / "large.gguf", metadata, tensors)
    assert path.stat().st_size > 3e9  # a hole: it takes no room on the disk
    client, told = EngineClient(), asyncio.Event()
    try:
        loading = asyncio.create_task(
            client.load(plan_for(path, use_mmap=False), lambda fraction: told.set() if fraction > 0 else None)
        )
        await asyncio.wait_for(told.wait(), 50)
        assert not loading.done()
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        while client.state.phase == EnginePhase.LOADING:
            await asyncio.sleep(0.01)
        assert client.state.phase == EnginePhase.READY
        assert client.loaded is None  # the child did not read to the end
    finally:
        await client.stop()


@pytest.mark.asyncio
async def test_a_warm_up_leaves_nothing_behind(tmp_path: Path) -> None:
    path, replies = write_dense(tmp_path), []
    for warm_up in (False, True):
        async with loaded_client(path, warm_up=warm_up) as client:
            replies.append((await reply_of(client, user("Hello"))).text)
    assert replies[0] == replies[1]


@pytest.mark.asyncio
async def test_every_kind_of_memory_warms_up(tmp_path: Path) -> None:
    assert (await load(write_recurrent(tmp_path), warm_up=True)).n_ctx >= 512


@pytest.mark.asyncio
async def test_a_model_that_is_locked_in_memory_says_nothing(tmp_path: Path) -> None:
    assert (await load(write_dense(tmp_path))).notes == ()


def test_a_refused_lock_is_told_in_words() -> None:
    (note,) = lock_notes(["load_tensors: loading", REFUSED, REFUSED])
    assert "in memory" in note.render()
    assert lock_notes(["load_tensors: loading"]) == ()


@pytest.mark.asyncio
async def test_another_way_to_spread_memory_waits_for_another_process(tmp_path: Path) -> None:
    path, client = write_dense(tmp_path), EngineClient()
    try:
        first = await client.load(plan_for(path, numa="distribute"))
        second = await client.load(plan_for(path, numa="isolate"))
    finally:
        await client.stop()
    assert first.notes == ()
    assert ["started again" in note.render() for note in second.notes] == [True]


@pytest.mark.asyncio
async def test_a_draft_model_is_loaded_beside_the_large_one(tmp_path: Path) -> None:
    large, draft = write_dense(tmp_path), write_draft(tmp_path)
    alone, both = await load(large), await load(large, draft_path=str(draft))
    weights = [sum(memory.weights for memory in loaded.memory) for loaded in (alone, both)]
    assert both.layers == alone.layers
    assert weights[1] > weights[0] * 1.2


@pytest.mark.asyncio
async def test_the_progress_of_both_files_rises_once(tmp_path: Path) -> None:
    client, told = EngineClient(), list[float]()
    plan = plan_for(write_dense(tmp_path), draft_path=str(write_draft(tmp_path)), use_mmap=False)
    try:
        await client.load(plan, told.append)
    finally:
        await client.stop()
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


@pytest.mark.asyncio
async def test_a_draft_of_another_vocabulary_is_refused_and_says_why(tmp_path: Path, starter_model: Path) -> None:
    client = EngineClient()
    try:
        with pytest.raises(LoadFailure, match="vocabulary has"):
            await client.load(plan_for(write_dense(tmp_path), draft_path=str(starter_model)))
        with pytest.raises(LoadFailure, match="recurrent"):
            await client.load(plan_for(write_dense(tmp_path), draft_path=str(write_recurrent(tmp_path))))
    finally:
        await client.stop()


@pytest.mark.asyncio
async def test_a_draft_whose_tokens_mean_something_else_is_refused(tmp_path: Path) -> None:
    large, draft = write_dense(tmp_path), write_draft(tmp_path)
    draft.write_bytes(draft.read_bytes().replace(b"<|unused_90|>", b"<|unknown_0|>"))
    client = EngineClient()
    try:
        with pytest.raises(LoadFailure, match=r"means '<.unknown_0.>' to it, and '<.unused_90.>' to the model"):
            await client.load(plan_for(large, draft_path=str(draft)))
    finally:
        await client.stop()


@pytest.mark.asyncio
async def test_a_broken_draft_is_refused_before_native_code_reads_it(tmp_path: Path) -> None:
    draft = write_draft(tmp_path)
    draft.write_bytes(draft.read_bytes()[:-5000])
    client = EngineClient()
    try:
        with pytest.raises(CorruptModel, match="draft"):
            await client.load(plan_for(write_dense(tmp_path), draft_path=str(draft)))
    finally:
        await client.stop()
