"""The engine says what a bare llama_decode loop says, token by token.

A sum of the same numbers in another order is another number in its last bits. Alone, the engine computes in the very
order of the bare loop, and even the log-probabilities are the same to the last bit. In a batch the order is another
one; docs/engine.md tells what that changes and what bounds it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from tests.support.bare_engine import Bare, Written, bare_engine
from tests.support.engine_talk import NO_CACHE, ROUNDING, Said, batch_plan, check_reply, exact_plan, greedy, say
from tests.support.models.decoders import write_dense

pytestmark = pytest.mark.asyncio(loop_scope="module")
LENGTH = 8
# What a batch of 8 may do to 50 texts of the starter model, whose activations are rounded to 8 bits. Measured, in
# docs/engine.md: 14 changed, by at most 0.31 before that, where the best token led by at most 0.20.
MOST_CHANGED = 25
LARGEST_DISTANCE = 1.0
LARGEST_LEAD = 0.6
_BEGINNINGS = (
    "Once Why How When Paris Water My Today Science Music Never Every Some After Before Cats Birds Snow Money Love "
    "People Trees Red Blue Seven Two War Peace Gold Iron Dear Hello Yes Perhaps Imagine Write Explain Tell List Give "
    "Rome China India Winter Summer Bread Coffee Fire Light Dreams"
)
_ENDS = (" is the reason that", ", they said, and then the old man", " and the other things that we know about it are")
PROMPTS = [f"{word}{end}" for word, end in zip(_BEGINNINGS.split(), itertools.cycle(_ENDS), strict=False)]
"""No two begin with the same token: nothing is found in the cache."""


def groups_of_eight() -> list[slice]:
    return [slice(start, start + 8) for start in range(0, len(PROMPTS), 8)]


async def say_together(client: EngineClient) -> list[Said]:
    """Replies to all prompts, eight at the same time."""
    replies: list[Said] = []
    for group in groups_of_eight():
        replies += await asyncio.gather(*(say(client, prompt, greedy(LENGTH)) for prompt in PROMPTS[group]))
    return replies


# --- the starter model, flash attention as it is by itself ------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def starter_client(starter_model: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.load(batch_plan(starter_model, cache=NO_CACHE))
    yield client
    await client.stop()


@pytest.fixture(scope="module")
def starter_bare(starter_model: Path) -> Iterator[Bare]:
    with bare_engine(starter_model) as bare:
        yield bare


@pytest.fixture(scope="module")
def bare_replies(starter_bare: Bare) -> list[Written]:
    return [starter_bare.write(starter_bare.tokenize(prompt), LENGTH) for prompt in PROMPTS]


async def test_fifty_prompts_alone_are_answered_as_by_the_bare_loop_to_the_last_bit(
    starter_client: EngineClient, bare_replies: list[Written]
) -> None:
    assert len(PROMPTS) == 50
    for prompt, bare in zip(PROMPTS, bare_replies, strict=True):
        said = await say(starter_client, prompt, greedy(LENGTH))
        assert (said.tokens, said.logprobs) == (bare.tokens, bare.logprobs), prompt


async def test_a_batch_of_eight_changes_texts_only_where_two_tokens_are_nearly_equal(
    starter_client: EngineClient, bare_replies: list[Written]
) -> None:
    changed = 0
    for said, bare in zip(await say_together(starter_client), bare_replies, strict=True):
        pairs = zip(said.tokens, bare.tokens, strict=True)
        same = next((place for place, (one, other) in enumerate(pairs) if one != other), LENGTH)
        before = zip(said.logprobs[:same], bare.logprobs, strict=False)
        assert all(abs(one - other) < LARGEST_DISTANCE for one, other in before)
        if same < LENGTH:
            changed += 1
            assert bare.leads[same] < LARGEST_LEAD
    assert changed <= MOST_CHANGED


# --- a model in f32 ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("models"), kind="f32")


async def test_in_f32_a_batch_of_eight_changes_no_text_at_all(dense: Path) -> None:
    client = EngineClient()
    try:
        await client.load(exact_plan(dense, cache=NO_CACHE))
        replies = await say_together(client)
    finally:
        await client.stop()
    with bare_engine(dense, flash_attention="off", kv_type="f32") as bare:
        for prompt, said in zip(PROMPTS, replies, strict=True):
            tokens = bare.tokenize(prompt)
            assert said.tokens == bare.write(tokens, LENGTH).tokens
            check_reply(bare, tokens, said, rounding=ROUNDING)
