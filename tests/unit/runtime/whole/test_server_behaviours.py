"""What llama-server's own unit tests ask of an engine, asked of ours; docs/engine.md has the whole list."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadGrammar, BadRequest, WrongPurpose
from desktop.engine.protocol import (
    LogitBias,
    LoraAdapter,
    PromptMessage,
    PromptProgress,
    ReasoningDelta,
    Sampling,
    TextDelta,
    Tool,
    ToolCallDelta,
)
from tests.support.engine_talk import NO_CACHE, Said, batch_plan, exact_plan, greedy, say
from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense, write_draft
from tests.support.models.scripted import write_scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPT = "what did they say about the time"
LONG = "the people said that there was no time for it " * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(folder: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    path = write_dense(folder, kind="f32", layers=2, ending=1.0)
    adapter = LoraAdapter(path=str(write_lora(folder, layers=2)), scale=0.0)
    await client.load(exact_plan(path, cache=NO_CACHE, lora=(adapter,)))
    yield client
    await client.stop()


def seeded(seed: int | None, **changes: Any) -> Sampling:
    fields: dict[str, Any] = {"temperature": 1.0, "max_length": 16, "ignore_end": True, "logprobs": 0, "seed": seed}
    return Sampling(**fields | changes)


# --- seeds ------------------------------------------------------------------------------------------------------------


async def test_a_seed_says_the_same_in_every_slot_and_alone(client: EngineClient) -> None:
    alone = await say(client, PROMPT, seeded(42))
    together = await asyncio.gather(*(say(client, PROMPT, seeded(42)) for _ in range(8)))
    assert {said.text for said in together} == {alone.text}
    assert alone.stats.seed == 42


async def test_other_seeds_say_something_else(client: EngineClient) -> None:
    replies = await asyncio.gather(*(say(client, PROMPT, seeded(seed)) for seed in range(8)))
    assert len({said.text for said in replies}) == 8


async def test_a_drawn_seed_is_told_and_makes_the_reply_again(client: EngineClient) -> None:
    first = await say(client, PROMPT, seeded(None))
    assert (await say(client, PROMPT, seeded(first.stats.seed))).text == first.text


@pytest.mark.parametrize("temperature", [0.0, 1.0])
async def test_the_size_of_a_batch_changes_nothing(folder: Path, temperature: float) -> None:
    path, texts = write_dense(folder, kind="f32", layers=2, name="sizes"), set()
    for n_batch in (16, 64, 512):
        client = EngineClient()
        try:
            await client.load(exact_plan(path, n_batch=n_batch, n_ubatch=n_batch))
            texts.add((await say(client, LONG, seeded(7, temperature=temperature))).text)
        finally:
            await client.stop()
    assert len(texts) == 1


# --- counts, lengths and ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 17])
async def test_a_reply_has_the_length_that_was_asked_for(client: EngineClient, length: int) -> None:
    said = await say(client, PROMPT, greedy(length))
    assert said.stats.completion_tokens == len(said.tokens) == length
    assert said.done.finish_reason == "length"


async def test_what_was_cached_and_what_was_read_are_the_prompt(client: EngineClient) -> None:
    for _ in range(2):
        said = await say(client, LONG, greedy(2))
        read = [event.done for event in said.events if isinstance(event, PromptProgress)]
        assert read == sorted(read)
        assert read[-1] == said.stats.prompt_tokens
    assert said.stats.cached_tokens == said.stats.prompt_tokens - 1
    assert said.stats.cached_in == "memory"


async def test_every_time_and_speed_is_a_number(client: EngineClient) -> None:
    for length in (1, 5):
        stats = (await say(client, PROMPT, greedy(length))).stats
        assert 0 <= stats.queued <= stats.ttft <= stats.seconds
        assert stats.decode_speed >= 0
        assert stats.prefill_speed > 0


async def test_the_end_is_banned_where_that_is_asked_for(client: EngineClient) -> None:
    free = [await say(client, f"{n} {PROMPT}", seeded(n, ignore_end=False, max_length=400)) for n in range(3)]
    assert any(said.done.finish_reason == "stop" for said in free)
    bound = [await say(client, f"{n} {PROMPT}", seeded(n, max_length=400)) for n in range(3)]
    assert all(said.done.finish_reason == "length" for said in bound)


async def test_a_stop_string_is_never_said_and_neither_is_what_follows(client: EngineClient) -> None:
    free = await say(client, PROMPT, greedy(30))
    stop = free.text[9:13]
    said = await say(client, PROMPT, greedy(30, stop=(stop, "never there")))
    assert said.text == free.text[: free.text.index(stop)]
    assert said.done.finish_reason == "stop"


# --- tokens and their probabilities -----------------------------------------------------------------------------------


async def test_probabilities_are_told_with_their_tokens_and_text(client: EngineClient) -> None:
    said = await say(client, PROMPT, greedy(10, logprobs=5))
    assert "".join(token.chosen.text for token in said.chosen) == said.text
    for token in said.chosen:
        assert len(token.top) == 5
        assert token.top[0] == token.chosen  # greedy
        assert [one.logprob for one in token.top] == sorted((one.logprob for one in token.top), reverse=True)
        assert token.chosen.logprob <= 0


async def test_text_does_not_depend_on_how_it_is_cut_into_messages(client: EngineClient) -> None:
    plain = await say(client, PROMPT, greedy(30, logprobs=-1))
    told = await say(client, PROMPT, greedy(30, logprobs=3))
    assert plain.text == told.text
    assert not plain.chosen


async def test_a_bias_forbids_a_token(client: EngineClient) -> None:
    free = await say(client, PROMPT, greedy(10))
    banned = tuple(LogitBias(token=token, bias=-1_000_000.0) for token in set(free.tokens))
    said = await say(client, PROMPT, greedy(10, logit_bias=banned))
    assert not set(said.tokens) & set(free.tokens)


# --- grammars, schemas, chat ------------------------------------------------------------------------------------------


async def test_replies_stay_inside_a_grammar_and_a_schema_also_side_by_side(client: EngineClient) -> None:
    grammars = [greedy(20, grammar=f'root ::= "{word}" "!"+', ignore_end=False) for word in ("yes", "no", "or")]
    schema = '{"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}'
    bound = greedy(40, json_schema=schema, ignore_end=False)
    yes, no, other, json = await asyncio.gather(*(say(client, PROMPT, one) for one in (*grammars, bound)))
    assert [said.text.rstrip("!") for said in (yes, no, other)] == ["yes", "no", "or"]
    assert json.text.startswith("{")
    assert "true" in json.text or "false" in json.text


async def test_a_chat_is_the_text_that_its_template_writes(client: EngineClient) -> None:
    chat = [PromptMessage(role="system", content="be kind"), PromptMessage(role="user", content=PROMPT)]
    written = f"<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n"
    said = await say(client, chat, greedy(12))
    assert said.tokens == (await say(client, written, greedy(12))).tokens
    assert (await client.count_tokens(chat))[0] == said.stats.prompt_tokens


async def test_a_reply_that_was_begun_goes_on(client: EngineClient) -> None:
    chat = [PromptMessage(role="user", content=PROMPT)]
    whole = await say(client, chat, greedy(20))
    begun = [*chat, PromptMessage(role="assistant", content=whole.text[:9])]
    said = await say(client, begun, greedy(8), continue_last=True)
    written = f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n{whole.text[:9]}"
    assert said.text == (await say(client, written, greedy(8))).text


async def test_a_conversation_without_a_message_is_refused(client: EngineClient) -> None:
    with pytest.raises(BadRequest):
        await say(client, [], greedy(4))


async def test_thoughts_and_calls_of_tools_are_told_apart_from_text(tmp_path: Path) -> None:
    pieces = ["<think>", "hm", "</think>", "Well. ", "<tool_call>", '{"name": "add", ', '"arguments": {"a": 1}}']
    path = write_scripted(tmp_path, [*pieces, "</tool_call>"], template=TOOL_TEMPLATE)
    client = EngineClient()
    try:
        await client.load(batch_plan(path))
        tool = Tool(name="add", parameters='{"type": "object", "properties": {"a": {"type": "integer"}}}')
        replies = await asyncio.gather(
            *(
                say(client, [PromptMessage(role="user", content=f"{n}")], greedy(20, ignore_end=False), tools=[tool])
                for n in range(3)
            )
        )
    finally:
        await client.stop()
    for said in replies:
        kinds = [kind for kind, _ in itertools.groupby(type(e) for e in said.events if _says(e))]
        assert kinds == [ReasoningDelta, TextDelta, ToolCallDelta]
        assert said.text.strip() == "Well."
        calls = [event for event in said.events if isinstance(event, ToolCallDelta)]
        assert calls[0].name == "add"
        assert "".join(call.arguments for call in calls) == '{"a": 1}'
        assert said.done.finish_reason == "tool_calls"


ADD = Tool(name="add", parameters='{"type": "object", "properties": {"a": {"type": "integer"}}}')


async def say_scripted(folder: Path, pieces: list[str], *, length: int = 20) -> Said:
    """A reply of these tokens to somebody who has a tool."""
    client = EngineClient()
    try:
        await client.load(batch_plan(write_scripted(folder, pieces, template=TOOL_TEMPLATE)))
        asked = [PromptMessage(role="user", content="1 + 1")]
        return await say(client, asked, greedy(length, ignore_end=False), tools=[ADD])
    finally:
        await client.stop()


async def test_the_name_of_a_call_crosses_before_its_arguments_are_written(tmp_path: Path) -> None:
    said = await say_scripted(
        tmp_path, ["<tool_call>", '{"name": "add", ', '"arguments": ', '{"a": ', "1}}", "</tool_call>"]
    )
    first, *others = (event for event in said.events if isinstance(event, ToolCallDelta))
    assert (first.name, first.arguments) == ("add", "")
    assert "".join(call.arguments for call in others) == '{"a": 1}'


async def test_every_token_of_a_call_is_told_once_and_with_its_text(tmp_path: Path) -> None:
    pieces = ["Well. ", "Now. ", "<tool_call>", '{"name": "add", ', '"arguments": ', '{"a": ', "1}}", "</tool_call>"]
    said = await say_scripted(tmp_path, pieces)
    assert len(said.chosen) == said.stats.completion_tokens == len(pieces)
    calls = [event for event in said.events if isinstance(event, ToolCallDelta)]
    told = "".join(token.chosen.text for call in calls for token in call.tokens)
    assert '{"name": "add", "arguments": {"a": 1}}' in told
    assert "Well" not in told
    assert "Now" not in told


async def test_a_call_that_is_cut_by_max_length_is_taken_back_and_comes_as_text(tmp_path: Path) -> None:
    pieces = ["Well. ", "<tool_call>", '{"name": "add", "arguments": ', '{"a": ', "1}}", "</tool_call>"]
    said = await say_scripted(tmp_path, pieces, length=4)
    assert said.done.finish_reason == "length"
    assert said.text == "".join(pieces[:4])
    calls = [event for event in said.events if isinstance(event, ToolCallDelta)]
    assert [call.withdrawn for call in calls] == [False] * (len(calls) - 1) + [True]
    assert len(said.chosen) == 4


async def test_a_reply_whose_only_call_was_none_ends_as_text(tmp_path: Path) -> None:
    pieces = ["<tool_call>", '{"name": "add", "arguments": ', '{"a": ', "one}}", "</tool_call>"]
    said = await say_scripted(tmp_path, pieces)
    assert said.done.finish_reason == "stop"
    assert said.text == "".join(pieces)
    assert any(isinstance(event, ToolCallDelta) and event.withdrawn for event in said.events)


TOOL_TEMPLATE = (
    "{% if tools %}<tool_call>{{ tools | tojson }}</tool_call><think></think>{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def _says(event: object) -> bool:
    return isinstance(event, ReasoningDelta | ToolCallDelta) or (
        isinstance(event, TextDelta) and bool(event.text.strip())
    )


# --- adapters, speculation, purposes ----------------------------------------------------------------------------------


async def test_adapters_act_per_request(client: EngineClient) -> None:
    async def scaled(scale: float) -> Said:
        return await say(client, PROMPT, greedy(12), adapter_scales=(scale,))

    plain, half, full = [(await scaled(scale)).text for scale in (0.0, 0.5, 1.0)]
    assert len({plain, half, full}) == 3
    together = await asyncio.gather(*(scaled(scale) for scale in (0.0, 1.0, 0.5, 0.0, 1.0)))
    assert [said.text for said in together] == [plain, full, half, plain, full]


async def test_guessing_ahead_changes_nothing_and_stays_inside_the_context(folder: Path) -> None:
    path = write_scripted(folder, [f" {word}" for word in LONG.split()[:10]], endless=True, after="|")
    texts = []
    for speculation in ("off", "auto"):
        client = EngineClient()
        try:
            await client.load(exact_plan(path, n_ctx=256, speculation=speculation))
            said = await say(client, "go|", greedy(0))
        finally:
            await client.stop()
        assert said.stats.prompt_tokens + said.stats.completion_tokens == 257
        texts.append(said.text)
    # Whether it is worth it depends on the machine; tests/support/scheduler_child.py always guesses.
    assert texts[0] == texts[1]


async def test_requests_that_are_refused_leave_the_draft_model_to_others(tmp_path: Path) -> None:
    path, draft = write_dense(tmp_path, layers=2), write_draft(tmp_path)
    client = EngineClient()
    try:
        await client.load(exact_plan(path, n_parallel=1, n_ctx=512, draft_path=str(draft), speculation="draft"))
        for _ in range(2):
            with pytest.raises(BadGrammar):
                await say(client, "x", greedy(3, grammar="root ::= ("))
        said = await say(client, "one and the other", greedy(100))
    finally:
        await client.stop()
    assert said.stats.drafted > 0  # the draft is the model itself, and is tried at least once


async def test_a_model_for_text_neither_embeds_nor_ranks(client: EngineClient) -> None:
    with pytest.raises(WrongPurpose):
        await client.embed(["x"])
    with pytest.raises(WrongPurpose):
        await client.rerank("x", ["y"])
