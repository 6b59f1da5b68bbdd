"""Replies of the real starter model through the whole path: child, protocol, asyncio."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import ContextFull, NoModel
from desktop.engine.protocol import Done, PromptMessage, PromptProgress, Sampling, TextDelta
from tests.support.engine_replies import GREEDY, bare_loop_text, chatml, loaded_client, plan_for, reply_of, user

pytestmark = pytest.mark.asyncio
ENDLESS = Sampling(temperature=0.0, max_length=0, ignore_end=True)
"""With `context_shift`: nobody has to hurry to find such a reply running."""


async def test_greedy_text_is_that_of_a_bare_loop(starter_model: Path) -> None:
    questions = ["What is the capital of France?", "Write a haiku about rain.", "Say « été » and 你好."]
    async with loaded_client(starter_model) as client:
        ours = [(await reply_of(client, user(question))).text for question in questions]
    prompts = [chatml(question) for question in questions]
    bare = await asyncio.to_thread(bare_loop_text, starter_model, prompts, tokens=40)
    assert ours == bare
    assert all(ours)


async def test_the_same_seed_says_the_same_and_another_something_else(starter_model: Path) -> None:
    sampling = Sampling(temperature=1.5, max_length=30, seed=11)
    async with loaded_client(starter_model) as client:
        await reply_of(client, user("Invent a name."), GREEDY)  # so that all three begin from the same cache
        first = await reply_of(client, user("Invent a name."), sampling)
        again = await reply_of(client, user("Invent a name."), sampling)
        other = await reply_of(client, user("Invent a name."), msgspec.structs.replace(sampling, seed=12))
        drawn = await reply_of(client, user("Invent a name."), msgspec.structs.replace(sampling, seed=None))
        redone = await reply_of(
            client, user("Invent a name."), msgspec.structs.replace(sampling, seed=drawn.done.stats.seed)
        )
    assert first.text == again.text != other.text
    assert drawn.text == redone.text
    assert first.done.stats.seed == 11


async def test_figures_of_a_reply_add_up(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        stats = (await reply_of(client, user("Count to ten."))).done.stats
        again = (await reply_of(client, user("Count to ten."))).done.stats
    assert stats.cached_tokens == 0
    assert again.cached_tokens == again.prompt_tokens - 1 == stats.prompt_tokens - 1
    assert 0 < stats.ttft < stats.seconds
    assert stats.decode_speed > 0
    assert stats.prefill_speed > 0
    assert stats.context_used >= stats.prompt_tokens


async def test_max_length_is_the_most_new_tokens(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        reply = await reply_of(client, user("Tell me a story."), Sampling(temperature=0.0, max_length=7))
    assert reply.done.finish_reason == "length"
    assert reply.done.stats.completion_tokens == 7


async def test_a_stop_string_ends_the_reply_and_is_not_shown(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        whole = (await reply_of(client, user("What is the capital of France?"))).text
        stop = whole[10:16]  # begins and ends inside words, so it crosses token borders
        reply = await reply_of(
            client, user("What is the capital of France?"), msgspec.structs.replace(GREEDY, stop=(stop, "never"))
        )
    assert reply.text == whole[: whole.index(stop)]
    assert reply.done.finish_reason == "stop"


async def test_the_next_turn_reads_only_what_is_new(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        first = await reply_of(client, user("What is the capital of France?"))
        talk = [
            *user("What is the capital of France?"),
            PromptMessage(role="assistant", content=first.text),
            PromptMessage(role="user", content="And of Italy?"),
        ]
        second = await reply_of(client, talk)
    assert second.done.stats.cached_tokens >= first.done.stats.prompt_tokens


async def test_a_prompt_longer_than_the_context_says_how_much_is_missing(starter_model: Path) -> None:
    async with loaded_client(starter_model, n_ctx=256) as client:
        with pytest.raises(ContextFull) as caught:
            await reply_of(client, user("word " * 400))
        assert int(caught.value.arguments["needed"]) > 400
        assert caught.value.arguments["available"] == "256"
        assert (await reply_of(client, user("Hi."))).text  # the engine goes on


async def test_a_reply_that_fills_the_context_says_so(starter_model: Path) -> None:
    async with loaded_client(starter_model, n_ctx=256) as client:
        never = Sampling(temperature=0.0, max_length=0, repeat_penalty=1.0)
        reply = await reply_of(client, user("Repeat this for ever: la la la " + "la " * 180), never)
    assert reply.done.finish_reason in {"context_full", "stop"}
    if reply.done.finish_reason == "context_full":
        assert reply.done.stats.context_used == 256


async def test_a_reply_goes_on_where_it_was_cut(starter_model: Path) -> None:
    question = user("What is the capital of France?")
    async with loaded_client(starter_model) as client:
        whole = (await reply_of(client, question)).text
        said = whole[: whole.index(" ", 12)]
        begun = [*question, PromptMessage(role="assistant", content=said)]
        rest = (await reply_of(client, begun, continue_last=True)).text
    assert (said + rest).startswith(whole)


async def test_closing_the_stream_frees_the_engine_for_the_next_question(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        reply = client.generate(messages=user("Tell a long story."), sampling=ENDLESS, context_shift=True)
        async with aclosing(reply) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        await reply_of(client, user("Hi."), Sampling(temperature=0.0, max_length=1))
        assert (await client.status()).active == 0


async def test_cancelling_everything_ends_each_reply_as_cancelled(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        begun, ends = asyncio.Event(), list[str]()

        async def listen(number: int) -> None:
            messages = user(f"Story {number}, please.")
            async for event in client.generate(messages=messages, sampling=ENDLESS, context_shift=True):
                begun.set()
                ends.extend([event.finish_reason] if isinstance(event, Done) else [])

        running = [asyncio.create_task(listen(n)) for n in range(3)]
        await begun.wait()
        await client.cancel_all()
        await asyncio.gather(*running)
    assert ends == ["cancelled"] * 3


async def test_requests_are_served_in_turn_and_each_gets_its_own_words(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        alone = [(await reply_of(client, user(f"What is {n} plus {n}?"))).text for n in (1, 2)]
        both = await asyncio.gather(*(reply_of(client, user(f"What is {n} plus {n}?")) for n in (1, 2)))
    assert [reply.text for reply in both] == alone


async def test_a_long_prompt_tells_how_far_it_is(starter_model: Path) -> None:
    async with loaded_client(starter_model, n_ctx=2048, n_batch=128) as client:
        messages = user("Summarize: " + "the rain falls on the plain. " * 60)
        progress = [
            event
            async for event in client.generate(messages=messages, sampling=Sampling(max_length=1))
            if isinstance(event, PromptProgress)
        ]
    assert len(progress) >= 3
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert progress[-1].done == progress[-1].total


async def test_a_message_with_control_tokens_is_read_as_plain_text(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        plain = (await reply_of(client, user("x"))).done.stats.prompt_tokens
        forged = (await reply_of(client, user("<|im_end|>"))).done.stats.prompt_tokens
    assert forged > plain  # one control token would count as one; its letters are several


async def test_asking_without_a_model_says_so() -> None:
    client = EngineClient()
    await client.start()
    try:
        with pytest.raises(NoModel):
            await reply_of(client, user("Hi."))
    finally:
        await client.stop()


async def test_penalties_change_what_is_said(starter_model: Path) -> None:
    talk = Sampling(temperature=0.0, max_length=60)
    async with loaded_client(starter_model) as client:
        plain = await reply_of(client, user("Say la la la la."), talk)
        sampling = msgspec.structs.replace(talk, repeat_penalty=1.8, presence_penalty=1.0, frequency_penalty=0.5)
        varied = await reply_of(client, user("Say la la la la."), sampling)
    assert plain.text != varied.text


async def test_loading_another_model_replaces_the_first(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        pid = client.pid
        model = await client.load(plan_for(starter_model, n_ctx=1024, type_k="q8_0"))
        assert client.pid == pid
        assert model.n_ctx == 1024
        assert (await reply_of(client, user("Hi."))).text
