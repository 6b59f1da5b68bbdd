"""What is deleted is forgotten by the engine too, at once or with the next model."""

from pathlib import Path

import pytest

from desktop.chat.forgetting import forget_deleted
from desktop.chat.store import ChatStore
from desktop.engine.client import EngineClient
from desktop.engine.failure import NoModel
from tests.support.engine_replies import plan_for
from tests.support.engine_talk import greedy, say
from tests.support.fake_engine import FakeEngine
from tests.unit.runtime.whole.test_disk_cache_engine import limits

pytestmark = pytest.mark.asyncio
PROMPT = "one and two and three and four and five and six " * 12


async def test_only_what_is_in_the_trash_is_forgotten(store: ChatStore) -> None:
    kept, gone = store.create_conversation().id, store.create_conversation().id
    engine = FakeEngine()
    await forget_deleted(store, engine)
    store.delete(gone)
    await forget_deleted(store, engine)
    assert engine.forgotten == [[gone]]
    assert store.conversation(kept).trashed is None


async def test_without_a_model_it_waits_for_the_next(store: ChatStore) -> None:
    gone = store.create_conversation().id
    store.delete(gone)
    engine = FakeEngine()
    loaded, engine.loaded = engine.loaded, None
    await forget_deleted(store, engine)
    assert engine.forgotten == []
    engine.loaded = loaded
    await forget_deleted(store, engine)
    assert engine.forgotten == [[gone]]


@pytest.mark.allow_log("when a model is loaded next")
async def test_an_engine_that_is_just_gone_is_no_error_of_the_person(
    store: ChatStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.delete(store.create_conversation().id)
    engine = FakeEngine()
    engine.forget_fails = NoModel()
    await forget_deleted(store, engine)
    assert "when a model is loaded next" in caplog.text


async def test_the_real_engine_has_no_file_of_it_any_more(
    store: ChatStore, starter_model: Path, tmp_path: Path
) -> None:
    """Kept on the disk by one child, deleted while none runs, gone with the next load."""
    kept, gone = store.create_conversation().id, store.create_conversation().id
    folder, client = tmp_path / "cache", EngineClient()
    try:
        await client.load(plan_for(starter_model, cache=limits(folder)))
        for name, begin in ((kept, "First"), (gone, "Second")):
            await say(client, f"{begin} {PROMPT}", greedy(2), conversation=name)
        await client.stop()
        assert len(list(folder.rglob("*.kv"))) == 2
        store.delete(gone)
        await client.load(plan_for(starter_model, cache=limits(folder)))
        await forget_deleted(store, client)
        assert len(list(folder.rglob("*.kv"))) == 1
        assert (await say(client, f"First {PROMPT}", greedy(2), conversation=kept)).stats.cached_in == "disk"
        assert (await say(client, f"Second {PROMPT}", greedy(2), conversation=gone)).stats.cached_in == "none"
    finally:
        await client.stop()
