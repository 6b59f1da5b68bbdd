"""A full context: the reply ends there, or forgets the oldest part where the request allows it, and says so."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.failure import ContextFull
from desktop.engine.protocol import ContextShifted, LogitBias
from tests.support.engine_talk import NO_CACHE, Said, exact_plan, greedy, say
from tests.support.models.decoders import write_dense, write_hybrid, write_recurrent

pytestmark = pytest.mark.asyncio(loop_scope="module")
N_CTX = 256
PROMPT = "all the words that they said about the time when we were there and then some more of them"


def shifts(said: Said) -> list[ContextShifted]:
    return [event for event in said.events if isinstance(event, ContextShifted)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    path = write_dense(tmp_path_factory.mktemp("models"), kind="f32", layers=2)
    await client.load(exact_plan(path, n_ctx=N_CTX, n_parallel=4, n_seq_max=6, cache=NO_CACHE))
    yield client
    await client.stop()


async def test_a_reply_that_may_not_forget_ends_where_the_context_does(client: EngineClient) -> None:
    said = await say(client, PROMPT, greedy(1000))
    assert said.done.finish_reason == "context_full"
    # The last token is said, but not read any more.
    assert said.stats.prompt_tokens + said.stats.completion_tokens == N_CTX + 1
    assert not shifts(said)


async def test_a_reply_without_a_limit_ends_there_too(client: EngineClient) -> None:
    assert (await say(client, PROMPT, greedy(0))).done.finish_reason == "context_full"


async def test_a_reply_that_may_forget_goes_on_and_tells_what_it_forgot(client: EngineClient) -> None:
    said = await say(client, PROMPT, greedy(600), context_shift=True, keep_tokens=8)
    told = shifts(said)
    assert said.done.finish_reason == "length"
    assert len(said.tokens) == 600
    assert len(told) >= 2
    assert all(one.kept == 8 for one in told)
    assert said.stats.discarded == sum(one.discarded for one in told)
    read = said.stats.prompt_tokens + 600 - 1 - said.stats.discarded
    assert said.stats.context_used == read <= N_CTX


async def test_up_to_there_it_says_what_it_says_without(client: EngineClient) -> None:
    plain = await say(client, PROMPT, greedy(1000))
    shifted = await say(client, PROMPT, greedy(400), context_shift=True)
    assert shifted.tokens[: len(plain.tokens)] == plain.tokens


async def test_forgetting_moves_nothing_of_another_that_shares_the_beginning(client: EngineClient) -> None:
    """Cells are moved in place: a sequence that shares them gets its own first."""
    alone = await say(client, PROMPT + " one", greedy(10))
    await say(client, PROMPT + " two", greedy(400), context_shift=True)
    again = await say(client, PROMPT + " one", greedy(10))
    assert again.tokens == alone.tokens
    status = await client.status()
    assert status.sequences == status.sequences_idle


async def test_what_stands_behind_a_gap_is_not_continued_by_others(client: EngineClient) -> None:
    same = LogitBias(text=" a", bias=50.0)
    shifted = await say(client, "a " * 200, greedy(120, logit_bias=(same,)), context_shift=True)
    assert shifts(shifted)
    said = await say(client, "a " * 150, greedy(4))
    assert said.stats.cached_tokens <= shifts(shifted)[0].kept


async def test_a_prompt_that_does_not_fit_is_refused_with_both_sizes(client: EngineClient) -> None:
    with pytest.raises(ContextFull) as raised:
        await say(client, PROMPT * 20, greedy(10), context_shift=True)
    assert "256" in str(raised.value)


@pytest.mark.parametrize("write", [write_recurrent, write_hybrid])
async def test_a_model_that_cannot_forget_ends_there(tmp_path: Path, write: Callable[..., Path]) -> None:
    client = EngineClient()
    try:
        await client.load(exact_plan(write(tmp_path, layers=2), n_ctx=N_CTX))
        said = await say(client, PROMPT, greedy(400), context_shift=True)
        assert not shifts(said)
        assert said.done.finish_reason == "context_full"
    finally:
        await client.stop()
