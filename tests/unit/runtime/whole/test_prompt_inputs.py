"""Prompts that are no conversation: tokens, a text with a gap, several choices; and the tokenizer itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest, ContextFull, NoModel, WrongPurpose
from desktop.engine.protocol import Done, PromptMessage, Sampling, TextDelta
from tests.support.bare_engine import Bare, bare_engine
from tests.support.engine_replies import loaded_client
from tests.support.engine_talk import NO_CACHE, check_reply, exact_plan, greedy, say
from tests.support.models.decoders import write_dense, write_infill
from tests.support.models.encoders import write_embedding
from tests.support.models.vocabulary import BPE, INFILL_TEXTS, WPM, with_controls

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]
PROMPT = "what did they say about the time"
LONG = "the people said that there was no time for it " * 30
UNICODE = "This is a test string with unicode 媽 and emoji 🤗"
WORDS = with_controls(BPE, INFILL_TEXTS)
BOS = WORDS.id("<|endoftext|>")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose prompts begin with BOS."""
    return write_infill(tmp_path_factory.mktemp("models"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(path: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.load(exact_plan(path, cache=NO_CACHE))
    yield client
    await client.stop()


@pytest.fixture(scope="module")
def bare(path: Path) -> Any:
    with bare_engine(path, flash_attention="off", kv_type="f32", n_seq_max=1) as bare:
        yield bare


async def tokens_of(client: EngineClient, text: str, **options: bool) -> list[int]:
    return list((await client.tokenize(text, **options)).tokens)


# --- tokens as input --------------------------------------------------------------------------------------------------


async def test_tokens_are_answered_like_the_text_that_they_spell(client: EngineClient) -> None:
    text = await say(client, PROMPT, greedy(20))
    tokens = await tokens_of(client, PROMPT, add_special=True, parse_special=True)
    said = await say(client, "", greedy(20), prompt_tokens=tokens)
    assert said.text == text.text
    assert said.stats.prompt_tokens == text.stats.prompt_tokens == len(tokens)


async def test_nothing_is_put_before_tokens(client: EngineClient, bare: Bare) -> None:
    tokens = await tokens_of(client, PROMPT)
    said = await say(client, "", greedy(20), prompt_tokens=tokens)
    assert tokens[0] != BOS
    check_reply(bare, tokens, said)


async def test_tokens_are_read_as_given_though_the_cache_spells_their_text_otherwise(
    client: EngineClient, bare: Bare
) -> None:
    begin = await tokens_of(client, "one and the other ")
    whole, letters = await tokens_of(client, " people said"), [WORDS.id(one) for one in "Ġpeople"]
    assert len(whole) < len(letters)
    spelt = [[*begin, *whole], [*begin, *letters, *whole[1:]]]
    texts = [await client.detokenize(tokens) for tokens in spelt]
    assert texts[0] == texts[1]
    for tokens in (*spelt, *spelt):
        check_reply(bare, tokens, await say(client, "", greedy(12), prompt_tokens=tokens))


@pytest.mark.parametrize("token", [-1, -(1 << 30), 512, 1 << 31, 1 << 70])
async def test_a_token_that_the_model_does_not_have_is_refused_by_its_place(client: EngineClient, token: int) -> None:
    with pytest.raises(BadRequest) as raised:
        await say(client, "", greedy(4), prompt_tokens=[1, 2, token])
    assert f"prompt_tokens[2] is {token}," in str(raised.value)
    assert (await say(client, PROMPT, greedy(4))).text


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"prompt": "a", "prompt_tokens": [1]}, "prompt and prompt_tokens"),
        ({"prompt": "a", "messages": [PromptMessage(role="user", content="a")]}, "messages and prompt"),
        ({"prompt_tokens": [1], "messages": [PromptMessage(role="user", content="a")]}, "messages and prompt_tokens"),
        ({"prompt_tokens": [1], "suffix": "b"}, "suffix"),
        ({"messages": [PromptMessage(role="user", content="a")], "suffix": "b"}, "suffix"),
        ({}, "nothing to answer"),
    ],
)
async def test_one_prompt_is_given_and_not_two(client: EngineClient, asked: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        [event async for event in client.generate(sampling=greedy(4), **asked)]


async def test_tokens_beyond_the_context_are_refused_as_such(client: EngineClient) -> None:
    with pytest.raises(ContextFull, match="2048"):
        await say(client, "", greedy(4), prompt_tokens=[1] * 3000)


# --- fill in the middle -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["}\n", ""])
async def test_a_middle_is_asked_for_with_the_marks_of_the_model(client: EngineClient, bare: Bare, suffix: str) -> None:
    before = "int main() {\n"
    prefix, after, middle = map(WORDS.id, INFILL_TEXTS)
    expected = [BOS, prefix, *await tokens_of(client, before), after, *await tokens_of(client, suffix), middle]
    said = await say(client, before, greedy(12), suffix=suffix)
    check_reply(bare, expected, said)


async def test_control_tokens_in_a_text_with_a_gap_are_text(client: EngineClient, bare: Bare) -> None:
    prefix, after, middle = map(WORDS.id, INFILL_TEXTS)
    literal = await tokens_of(client, "<|fim_middle|>")
    assert len(literal) > 1
    said = await say(client, "<|fim_middle|>", greedy(6), suffix="<|fim_middle|>")
    check_reply(bare, [BOS, prefix, *literal, after, *literal, middle], said)


async def test_a_model_without_the_marks_says_which_are_missing(tmp_path: Path) -> None:
    async with loaded_client(write_dense(tmp_path, layers=1)) as client:
        with pytest.raises(WrongPurpose, match="no prefix, no suffix, no middle"):
            await say(client, "a", greedy(4), suffix="b")


async def test_a_model_without_bos_gets_none_in_a_text_with_a_gap(tmp_path: Path) -> None:
    async with loaded_client(write_infill(tmp_path, layers=1, add_bos=False)) as client:
        said = await say(client, "a", greedy(1), suffix="b")
    assert said.stats.prompt_tokens == 5


# --- several choices --------------------------------------------------------------------------------------------------


async def test_several_choices_read_their_prompt_once_and_differ_by_seed(client: EngineClient) -> None:
    def choice(seed: int) -> Sampling:
        return Sampling(temperature=1.0, max_length=16, ignore_end=True, seed=seed)

    replies = await asyncio.gather(*(say(client, f"choices: {LONG}", choice(seed)) for seed in range(4)))
    length = replies[0].stats.prompt_tokens
    assert [said.stats.prompt_tokens for said in replies] == [length] * 4
    first, *others = sorted(said.stats.cached_tokens for said in replies)
    assert first <= 1  # BOS, of another prompt
    assert others == [length - 1] * 3
    assert len({said.text for said in replies}) == 4
    for seed, said in enumerate(replies):
        assert said.text == (await say(client, f"choices: {LONG}", choice(seed))).text


# --- the tokenizer ----------------------------------------------------------------------------------------------------


async def test_tokens_and_their_pieces_are_the_text(client: EngineClient) -> None:
    words = await client.tokenize(UNICODE)
    assert len(words.tokens) == len(words.pieces) > 5
    assert all(words.pieces)
    assert b"".join(words.pieces).decode() == UNICODE == await client.detokenize(words.tokens)
    assert any(not _is_text(piece) for piece in words.pieces)  # a character in several tokens


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


async def test_control_tokens_are_recognised_and_added_where_that_is_asked_for(client: EngineClient) -> None:
    literal, marked = await tokens_of(client, "<|im_end|>"), await client.tokenize("<|im_end|>", parse_special=True)
    assert len(literal) > 1
    assert (marked.tokens, marked.pieces) == ((WORDS.id("<|im_end|>"),), (b"<|im_end|>",))
    assert await client.detokenize(literal) == await client.detokenize(marked.tokens) == "<|im_end|>"
    assert await tokens_of(client, PROMPT, add_special=True) == [BOS, *await tokens_of(client, PROMPT)]
    assert await tokens_of(client, "") == []
    assert await client.detokenize([]) == ""


async def test_half_a_character_becomes_a_mark(client: EngineClient) -> None:
    tokens = await tokens_of(client, "媽")
    assert len(tokens) == 3
    assert await client.detokenize(tokens[:2]) == "\ufffd"


async def test_an_embedding_model_has_a_tokenizer_too(tmp_path: Path) -> None:
    async with loaded_client(write_embedding(tmp_path), purpose="embedding") as client:
        words = await client.tokenize("the cat", add_special=True)
        assert words.tokens[0] == WPM.id("[CLS]")
        assert words.tokens[-1] == WPM.id("[SEP]")
        assert (await client.detokenize(words.tokens[1:-1])).strip() == "the cat"
        with pytest.raises(BadRequest, match=r"tokens\[0\] is 100000"):
            await client.detokenize([100_000])


@pytest.mark.parametrize("token", [-1, 512, 1 << 40])
async def test_what_is_no_token_has_no_text(client: EngineClient, token: int) -> None:
    with pytest.raises(BadRequest) as raised:
        await client.detokenize([0, token])
    assert f"tokens[1] is {token}," in str(raised.value)


async def test_what_no_answer_can_hold_is_refused(client: EngineClient) -> None:
    with pytest.raises(BadRequest, match="text: "):
        await client.tokenize("x" * (64 << 20))
    with pytest.raises(BadRequest, match="tokens: "):
        await client.detokenize([WORDS.id("<|fim_prefix|>")] * (5 << 20))
    assert await client.detokenize([WORDS.id("Ā")]) == "\0"


async def test_it_is_answered_while_a_reply_is_made(client: EngineClient) -> None:
    async with aclosing(client.generate(prompt=PROMPT, sampling=greedy(0), context_shift=True)) as reply:
        await anext(reply)
        assert await client.detokenize(await tokens_of(client, PROMPT)) == PROMPT
        assert (await client.status()).active == 1  # the reply is still being made; by itself it never ends
        said = 0
        while said < 1500:
            event = await anext(reply)
            assert not isinstance(event, Done)
            said += len(event.tokens) if isinstance(event, TextDelta) else 0


async def test_without_a_model_there_is_no_tokenizer() -> None:
    client = EngineClient()
    try:
        await client.start()
        with pytest.raises(NoModel):
            await client.tokenize("x")
        with pytest.raises(NoModel):
            await client.forget_conversations(None)
    finally:
        await client.stop()
