"""Requests side by side: none changes the text of another, none is forgotten, and nothing is left over.

The model is in f32, so that a batch computes what a request alone computes (docs/engine.md).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadGrammar, BadRequest, ContextFull, QueueFull
from desktop.engine.protocol import Done, LogitBias, LoraAdapter, PromptProgress, Queued, Sampling, TextDelta
from desktop.errors import AppError
from desktop.runtime.batching.request_queue import LIMIT
from tests.support.bare_engine import Bare, bare_engine
from tests.support.engine_talk import NO_CACHE, Said, check_reply, exact_plan, greedy, held, listen, say
from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPTS = [f"{word} and the other people" for word in ("one", "two", "six", "for", "how", "who", "why")]
LONG = "all the words that they said about the time when we were there " * 22


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("models"), kind="f32", layers=2)


@pytest.fixture(scope="module")
def bare(model: Path) -> Iterator[Bare]:
    with bare_engine(model, flash_attention="off", kv_type="f32") as bare:
        bare.tokenize("x")  # it has loaded: beside that, the engine's first steps are slow on two cores
        yield bare


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(model: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.load(exact_plan(model, n_ctx=1024, cache=NO_CACHE))
    yield client
    await client.stop()


async def nothing_is_left(client: EngineClient) -> None:
    async with asyncio.timeout(60):
        while (status := await client.status()).active or status.waiting:
            await asyncio.sleep(0.02)
    assert status.sequences == status.sequences_idle


async def begun(running: Any) -> list[str]:
    """Wait for the first words."""
    async for event in running:
        if isinstance(event, TextDelta):
            return [event.text]
    raise AssertionError("it ended without a word")


# --- one that fails ---------------------------------------------------------------------------------------------------

FAULTS: list[tuple[str, Sampling, dict[str, Any], type[AppError] | None]] = [
    ("x", greedy(9, grammar="root ::= ("), {}, BadGrammar),
    ("x", greedy(9, grammar='root ::= missing "a"'), {}, BadGrammar),
    ("x", greedy(9, json_schema="{"), {}, BadGrammar),
    ("x" * 3000, greedy(9), {}, ContextFull),
    ("x", Sampling(beams=9), {}, BadRequest),
    ("x", Sampling(temperature=-1.0), {}, BadRequest),
    ("", greedy(9), {}, BadRequest),
    ("x", greedy(9), {"adapter_scales": (1.0, 2.0)}, BadRequest),
    ("x", greedy(9, logit_bias=tuple(LogitBias(token=one, bias=-1_000_000.0) for one in range(512))), {}, None),
    ("x", greedy(9, logit_bias=tuple(LogitBias(token=one, bias=3e38) for one in range(512))), {}, None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault[3] and fault[3].__name__))
async def test_a_request_that_fails_takes_no_other_with_it(
    client: EngineClient, bare: Bare, fault: tuple[str, Sampling, dict[str, Any], type[AppError] | None]
) -> None:
    prompt, sampling, options, error = fault
    bad = say(client, prompt, sampling, **options)
    answers = await asyncio.gather(
        *(say(client, prompt, greedy(12)) for prompt in PROMPTS), bad, return_exceptions=True
    )
    *others, failed = answers
    for prompt, said in zip(PROMPTS, others, strict=True):
        assert isinstance(said, Said)
        check_reply(bare, bare.tokenize(prompt), said)
    if error is not None:
        assert isinstance(failed, error)
    await nothing_is_left(client)


async def test_one_that_is_cancelled_while_its_prompt_is_read_changes_nothing(client: EngineClient, bare: Bare) -> None:
    others = [asyncio.create_task(say(client, prompt, greedy(40))) for prompt in PROMPTS]
    running = listen(client, LONG * 2, greedy(9))  # more than one step reads
    async for event in running:
        if isinstance(event, PromptProgress):
            assert event.done < event.total
            break
    await running.aclose()
    for prompt, task in zip(PROMPTS, others, strict=True):
        check_reply(bare, bare.tokenize(prompt), await task)
    await nothing_is_left(client)


# --- the queue --------------------------------------------------------------------------------------------------------


async def test_those_who_wait_are_told_their_place(client: EngineClient) -> None:
    with held(client):  # so that none has ended when the last one comes
        asked = [asyncio.create_task(say(client, f"{n} and", greedy(90))) for n in range(14)]
        await asyncio.sleep(0)
    replies = await asyncio.gather(*asked)
    places = [[event.position for event in said.events if isinstance(event, Queued)] for said in replies]
    assert not any(places[:8])
    assert [told[0] for told in places[8:]] == [1, 2, 3, 4, 5, 6]
    assert all(told == sorted(told, reverse=True) for told in places)


async def test_who_waits_behind_others_can_be_cancelled_at_once(client: EngineClient) -> None:
    running = [asyncio.create_task(say(client, f"{n} and", greedy(0), context_shift=True)) for n in range(9)]
    await asyncio.sleep(0)
    waiting = [listen(client, f"{n} or", greedy(100)) for n in range(3)]
    for one in waiting:
        assert isinstance(await anext(one), Queued)
    await waiting[1].aclose()
    await waiting[2].aclose()
    async with asyncio.timeout(60):
        while (status := await client.status()).waiting > 2:
            await asyncio.sleep(0.01)
    assert status.active == 8
    assert not any(task.done() for task in running)
    await waiting[0].aclose()
    for task in running:  # they would never end
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await nothing_is_left(client)


async def test_more_than_can_wait_are_refused_at_once(client: EngineClient) -> None:
    # long and by far more than can wait: a fast engine must not have ended enough of them before the last one comes
    many = [asyncio.create_task(say(client, f"{n} and", greedy(110))) for n in range(LIMIT + 500)]
    done, waiting = await asyncio.wait(many, return_when=asyncio.FIRST_EXCEPTION, timeout=30)
    refused = [task for task in done if task.exception() is not None]
    assert refused
    assert all(isinstance(task.exception(), QueueFull) for task in refused)
    assert len(waiting) > LIMIT / 2
    for task in many:
        task.cancel()
    await asyncio.gather(*many, return_exceptions=True)
    await nothing_is_left(client)


# --- priorities -------------------------------------------------------------------------------------------------------


async def test_a_batch_request_waits_for_a_person_and_says_the_same(model: Path, bare: Bare) -> None:
    client, ended = EngineClient(), list[str]()

    async def asked(name: str, prompt: str, length: int, **options: Any) -> Said:
        said = await say(client, prompt, greedy(length), **options)
        ended.append(name)
        return said

    try:
        await client.load(exact_plan(model, cache=NO_CACHE))
        batch = [asyncio.create_task(asked("batch", f"{n} and", 200, priority="batch")) for n in range(8)]
        while not (await client.status()).active:  # a time instead would be too long on a fast machine
            await asyncio.sleep(0)
        with held(client):
            people = [asyncio.create_task(asked("person", prompt, 60)) for prompt in PROMPTS]
            await asyncio.sleep(0)
        for n, task in enumerate(batch):
            check_reply(bare, bare.tokenize(f"{n} and"), await task)
        for prompt, task in zip(PROMPTS, people, strict=True):
            check_reply(bare, bare.tokenize(prompt), await task)
        assert ended[:7].count("person") == 7
        await nothing_is_left(client)
    finally:
        await client.stop()


async def test_a_person_with_another_adapter_scale_comes_between(tmp_path: Path) -> None:
    path = write_dense(tmp_path, kind="f32", layers=2)
    client = EngineClient()
    try:
        adapter = LoraAdapter(path=str(write_lora(tmp_path, layers=2)))
        await client.load(exact_plan(path, n_parallel=1, n_ctx=512, lora=(adapter,)))
        alone = await say(client, "one", greedy(12), adapter_scales=(0.0,))
        running = listen(client, "two", greedy(150), priority="batch")
        await begun(running)
        batch = asyncio.create_task(drain(running))
        async with asyncio.timeout(100):
            said = await say(client, "one", greedy(12), adapter_scales=(0.0,))
            done = await batch
        assert said.tokens == alone.tokens
        assert done.stats.completion_tokens == 150
    finally:
        await client.stop()


async def drain(running: Any) -> Done:
    events = [event async for event in running]
    assert isinstance(events[-1], Done)
    return events[-1]


# --- a full cache -----------------------------------------------------------------------------------------------------


async def test_eight_prompts_that_do_not_fit_together_are_all_answered(client: EngineClient, bare: Bare) -> None:
    prompts = [f"{n} {LONG}" for n in range(8)]
    replies = await asyncio.gather(*(say(client, prompt, greedy(24)) for prompt in prompts))
    for prompt, said in zip(prompts, replies, strict=True):
        check_reply(bare, bare.tokenize(prompt), said)
        assert said.stats.prompt_tokens >= 300
    await nothing_is_left(client)
    assert (await client.status()).cells_used <= 1024


async def test_replies_without_a_limit_grow_until_the_context_is_full(client: EngineClient, bare: Bare) -> None:
    """Together they need more than there is: some wait for others, and go on as if nothing had been."""
    prompts = [f"{n} {LONG}" for n in range(3)]
    replies = await asyncio.gather(*(say(client, prompt, greedy(0)) for prompt in prompts))
    for prompt, said in zip(prompts, replies, strict=True):
        assert said.done.finish_reason == "context_full"
        assert said.stats.prompt_tokens + said.stats.completion_tokens >= 1024
        check_reply(bare, bare.tokenize(prompt), said)
    await nothing_is_left(client)


async def test_a_cache_too_small_for_all_at_once_drops_nobody(client: EngineClient) -> None:
    """The case of llama-server's test_completion_unified, where requests are lost."""
    lengths = (90, 90, 40, 90)
    small = EngineClient()
    try:
        assert client.plan is not None
        await small.load(msgspec.structs.replace(client.plan, n_ctx=256, n_parallel=4))
        replies = await asyncio.gather(*(say(small, "A", greedy(length)) for length in lengths))
    finally:
        await small.stop()
    assert tuple(len(said.tokens) for said in replies) == lengths
    assert all(replies[2].tokens == said.tokens[:40] for said in replies)
