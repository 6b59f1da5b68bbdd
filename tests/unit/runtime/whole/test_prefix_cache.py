"""What is found in the KV cache or in the RAM tier never changes a reply, whatever memory a model has.

The models are in f32: see docs/engine.md. What the engine said is checked against the model itself, which reads the
same tokens in an empty context (and, for a sliding window, in one that forgets nothing).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.protocol import CacheLimits, PromptProgress
from tests.support.bare_engine import Bare, bare_engine
from tests.support.engine_talk import Said, check_reply, exact_plan, greedy, listen, say, tokens_read
from tests.support.models import decoders

pytestmark = pytest.mark.asyncio(loop_scope="module")
WRITERS: dict[str, Callable[..., Path]] = {
    "dense": decoders.write_dense,
    "sliding window": decoders.write_sliding_window,
    "recurrent": decoders.write_recurrent,
    "hybrid": decoders.write_hybrid,
    "mixture of experts": decoders.write_moe,
}
CUTTABLE = ("dense", "mixture of experts")
"""Models whose state can be cut back to any token."""
SYSTEM = "<|im_start|>system\n" + "You answer and then you write more words about it. " * 8 + "<|im_end|>\n"
# As in plans of the app: cells of a sliding window are few, so that it forgets during these conversations.
SIZES = {"n_ctx": 4096, "n_batch": 64, "n_ubatch": 64, "n_parallel": 3, "n_seq_max": 4, "n_outputs_max": 4}


def ask(text: str) -> str:
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


class Engine(NamedTuple):
    kind: str
    client: EngineClient
    bare: Bare

    async def check(self, prompt: str, held: list[int] | None = None, *, length: int = 12) -> tuple[Said, list[int]]:
        """A reply that is right, and the tokens of the conversation with it. held: where its beginning may be found."""
        said = await say(self.client, prompt, greedy(length))
        read = self.bare.tokenize(prompt) if held is None else tokens_read(self.bare, said, prompt, held)
        check_reply(self.bare, read, said)
        return said, [*read, *said.tokens]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(WRITERS))
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    path = WRITERS[request.param](tmp_path_factory.mktemp("models"), kind="f32")
    client = EngineClient()
    await client.load(exact_plan(path, **SIZES))
    with bare_engine(path, flash_attention="off", kv_type="f32", n_ctx=2048, n_seq_max=1, swa_full=True) as bare:
        yield Engine(request.param, client, bare)
    await client.stop()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Something that no other test's prompts begin with."""
    return f"<|im_start|>{request.node.name}\n"


async def test_a_conversation_goes_on_from_where_it_was(engine: Engine, name: str) -> None:
    text = name + SYSTEM + ask("one")
    said, held = await engine.check(text)
    for turn in range(5):
        text += f"{said.text}<|im_end|>\n{ask(f'and then {turn}')}"
        before = len(held)
        said, held = await engine.check(text, held)
        assert said.stats.cached_in in ("memory", "ram")
        assert said.stats.cached_tokens == before - 1


async def test_a_reply_that_is_made_again_is_the_same(engine: Engine, name: str) -> None:
    prompt = name + SYSTEM + ask("tell me about time")
    first, _ = await engine.check(prompt)
    again, _ = await engine.check(prompt)
    assert again.tokens == first.tokens
    # A state that cannot be cut has no place one token before the end of the prompt.
    assert again.stats.cached_tokens == first.stats.prompt_tokens - 1 or engine.kind not in CUTTABLE


async def test_a_message_that_was_edited_is_answered_as_it_stands_now(engine: Engine, name: str) -> None:
    begin = name + SYSTEM
    _, held = await engine.check(begin + ask("what did they say about the water"))
    said, _ = await engine.check(begin + ask("what did they say about your house"), held)
    if engine.kind in CUTTABLE:
        assert said.stats.cached_tokens > 60


async def test_many_share_a_system_prompt_at_the_same_time(engine: Engine, name: str) -> None:
    begin = name + SYSTEM
    prompts = [begin + ask(text) for text in ("one", "two words", "three more words", "and the other", "five")]
    replies = await asyncio.gather(*(say(engine.client, prompt, greedy(12)) for prompt in prompts))
    for prompt, said in zip(prompts, replies, strict=True):
        check_reply(engine.bare, engine.bare.tokenize(prompt), said)
    if engine.kind in CUTTABLE:
        assert sum(said.stats.cached_tokens > 60 for said in replies) == 4


async def test_a_prefix_is_taken_from_a_reply_that_is_being_made(engine: Engine, name: str) -> None:
    begin = name + SYSTEM
    running = listen(engine.client, begin + ask("a long one"), greedy(150))
    async for event in running:
        if isinstance(event, PromptProgress) and event.done == event.total:
            break
    said, _ = await engine.check(begin + ask("a short one"))
    assert said.stats.cached_tokens > 60 or engine.kind not in CUTTABLE
    await running.aclose()


async def test_conversations_in_turn_come_back_from_the_ram_tier(engine: Engine, name: str) -> None:
    """Six conversations, four sequences."""
    texts = [f"{name}{number}{SYSTEM}{ask('one')}" for number in range(6)]
    held: list[list[int] | None] = [None] * 6
    found: list[str] = []
    for turn in range(3):
        for number in range(6):
            said, held[number] = await engine.check(texts[number], held[number], length=6)
            texts[number] += f"{said.text}<|im_end|>\n{ask(f'and {turn}')}"
            found.append(said.stats.cached_in)
    # The last to come may be in its sequence still.
    assert found[6:].count("ram") >= 11


async def test_conversations_are_right_without_any_tier(engine: Engine, name: str) -> None:
    assert engine.client.plan is not None
    client = EngineClient()
    try:
        await client.load(msgspec.structs.replace(engine.client.plan, cache=CacheLimits(ram_bytes=0)))
        other = engine._replace(client=client)
        text, held = name + SYSTEM + ask("one"), None
        for turn in range(3):
            said, held = await other.check(text, held)
            text += f"{said.text}<|im_end|>\n{ask(f'and then {turn}')}"
            await other.check(f"{name}{turn}{SYSTEM}{ask('between')}")
    finally:
        await client.stop()
