"""Idle conversations leave the KV cache for a long prompt where main memory has room for them, and come back."""

from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.protocol import CacheLimits
from desktop.runtime.batching.sequences import WORTH_CLEARING
from tests.support.bare_engine import bare_engine
from tests.support.engine_talk import check_reply, exact_plan, greedy, say
from tests.support.models.decoders import write_dense

pytestmark = pytest.mark.asyncio
WAITING = "one two and that said people " * 20
LONG = "water time there when how would " * (WORTH_CLEARING // 4)
SHORT = "there is "


@pytest.mark.parametrize(
    ("ram", "prompt", "idle", "found"),
    [(10**8, LONG, 0, "ram"), (10**8, SHORT, 1, "memory"), (0, LONG, 1, "memory"), (2000, LONG, 1, "memory")],
    ids=["room in memory", "short prompt", "memory switched off", "memory too small"],
)
async def test_who_waits_gives_way_to_a_long_prompt_only_where_it_is_kept(
    tmp_path: Path, ram: int, prompt: str, idle: int, found: str
) -> None:
    path = write_dense(tmp_path, kind="f32")
    client = EngineClient()
    try:
        await client.load(exact_plan(path, n_ctx=4096, cache=CacheLimits(ram_bytes=ram)))
        before = await say(client, WAITING, greedy(4))
        after = await say(client, prompt, greedy(4))
        assert (after.stats.prompt_tokens >= WORTH_CLEARING) == (prompt is LONG)
        assert (await client.status()).sequences_idle == idle + 1  # its own waits too
        again = await say(client, WAITING + before.text, greedy(4))
        assert again.stats.cached_in == found
        assert again.stats.cached_tokens >= before.stats.prompt_tokens
        with bare_engine(path, flash_attention="off", kv_type="f32", n_ctx=2048, n_seq_max=1, swa_full=True) as bare:
            check_reply(bare, bare.tokenize(prompt), after)
    finally:
        await client.stop()
