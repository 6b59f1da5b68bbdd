"""Embeddings and rankings: what the model computes, whatever else is read in the same batch."""

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest, ContextFull, EngineError, WrongPurpose
from desktop.engine.protocol import LoadPlan, PromptMessage, Sampling
from tests.support.engine_replies import loaded_client, plan_for
from tests.support.models import native
from tests.support.models.encoders import (
    write_decoder_embedding,
    write_decoder_reranker,
    write_embedding,
    write_reranker,
)
from tests.support.models.vocabulary import wpm_metadata

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

TEXTS = ("the cat sat on the mat", "hello world", "a", "the cat sat on the mat", *(f"word {n}" for n in range(15)))
Writer = Callable[[Path], Path]
Vectors = tuple[tuple[float, ...], ...]


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / math.hypot(*one) / math.hypot(*other)


async def embedded(path: Path, *requests: tuple[str, ...], normalize: bool = True, n_seq_max: int = 8) -> list[Vectors]:
    """What requests that come together are answered with; the batch is small, so that several are needed."""
    async with loaded_client(path, purpose="embedding", n_seq_max=n_seq_max, n_batch=64, n_ubatch=64) as client:
        return await asyncio.gather(*(client.embed(texts, normalize=normalize) for texts in requests))


@pytest.mark.parametrize("write", [write_embedding, write_decoder_embedding])
async def test_a_vector_is_what_the_bare_engine_computes(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path)
    [vectors] = await embedded(path, TEXTS[:3], normalize=False, n_seq_max=1)
    for vector, bare in zip(vectors, native.embed(path, list(TEXTS[:3]))["vectors"], strict=True):
        assert vector == pytest.approx(bare, abs=1e-4)


@pytest.mark.parametrize("write", [write_embedding, write_decoder_embedding])
async def test_texts_that_are_read_together_come_out_as_if_alone(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path)
    [vectors] = await embedded(path, TEXTS)
    bare = native.embed(path, list(TEXTS))["vectors"]
    # Sums over a longer batch round otherwise, and matrices in Q8_0 round the rounded once more.
    assert all(cosine(vector, tuple(alone)) > 0.9999 for vector, alone in zip(vectors, bare, strict=True))
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0] * len(TEXTS))
    assert cosine(vectors[0], vectors[3]) > 0.9999
    assert cosine(vectors[0], vectors[1]) < 0.99


async def test_several_requests_share_batches_and_each_gets_its_own(tmp_path: Path) -> None:
    path = write_decoder_embedding(tmp_path)
    [everything] = await embedded(path, TEXTS)
    first, none, second = await embedded(path, TEXTS[:4], (), TEXTS[4:])
    assert none == ()
    assert all(cosine(a, b) > 0.9999 for a, b in zip((*first, *second), everything, strict=True))


async def test_a_text_longer_than_a_batch_is_read_in_pieces_where_the_model_can(tmp_path: Path) -> None:
    path, long = write_decoder_embedding(tmp_path), "x " * 150
    [[vector]] = await embedded(path, (long,))
    [bare] = native.embed(path, [long])["vectors"]
    assert cosine(vector, tuple(bare)) > 0.999


async def test_an_encoder_reads_a_text_longer_than_the_planned_batch_at_once(tmp_path: Path) -> None:
    path, long = write_embedding(tmp_path), "x " * 150
    [[vector]] = await embedded(path, (long,))
    [bare] = native.embed(path, [long])["vectors"]
    assert cosine(vector, tuple(bare)) > 0.9999


async def test_a_text_that_is_too_long_says_how_long_it_may_be_and_spoils_nothing_else(tmp_path: Path) -> None:
    async with loaded_client(write_embedding(tmp_path), purpose="embedding", n_ctx=2048, n_seq_max=4) as client:
        answers = await asyncio.gather(
            client.embed(("short", "x " * 900)), client.embed(("short",)), return_exceptions=True
        )
    failure, vectors = answers
    assert isinstance(failure, ContextFull)
    assert "902" in str(failure)
    assert "512" in str(failure)  # what it was trained for: beyond, it has no positions
    assert isinstance(vectors, tuple)


@pytest.mark.parametrize("write", [write_reranker, write_decoder_reranker])
async def test_documents_are_ranked_in_their_own_order(write: Writer, tmp_path: Path) -> None:
    path = write(tmp_path)
    async with loaded_client(path, purpose="rerank", n_seq_max=8) as client:
        together = await client.rerank("what is a cat", TEXTS)
        alone = [(await client.rerank("what is a cat", (text,)))[0] for text in TEXTS[:4]]
        assert client.loaded is not None
    assert together[:4] == pytest.approx(alone, abs=0.1)  # rounding, as above; scores lie between 0 and 3
    assert together[0] == pytest.approx(together[3], abs=0.1)
    assert len({round(score, 4) for score in together}) > 5


async def test_a_template_of_the_file_joins_query_and_document(tmp_path: Path) -> None:
    path = write_decoder_reranker(tmp_path)
    prompt = "<|im_start|>user\n<Query>: who\n<Document>: me<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n"
    async with loaded_client(path, purpose="rerank") as client:
        [score] = await client.rerank("who", ("me",))
        [escaped] = await client.rerank("who", ("me<|im_end|>",))
    assert score == pytest.approx(native.embed(path, [prompt])["vectors"][0][0], abs=1e-4)
    assert escaped != pytest.approx(score, abs=1e-5)  # the mark is read as text, not as the end of the turn


async def test_query_and_document_are_joined_with_the_marks_of_the_vocabulary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = wpm_metadata() | {"tokenizer.ggml.add_eos_token": True}
    monkeypatch.setattr("tests.support.models.encoders.wpm_metadata", lambda: metadata)
    path = write_reranker(tmp_path)
    async with loaded_client(path, purpose="rerank") as client:
        [score] = await client.rerank("who", ("me",))
    # Between them an end and a separator, which are one token here; begin and end the tokenizer adds by itself.
    [[bare]] = native.embed(path, ["who[SEP][SEP]me"])["vectors"]
    assert score == pytest.approx(bare, abs=1e-4)


async def test_a_model_does_what_it_was_loaded_for_and_says_so(tmp_path: Path) -> None:
    async with loaded_client(write_decoder_embedding(tmp_path), purpose="embedding") as client:
        with pytest.raises(WrongPurpose, match="embeds"):
            await client.rerank("a", ("b",))
        with pytest.raises(WrongPurpose, match="embeds"):
            await anext(client.generate(messages=[PromptMessage(role="user", content="Hi")], sampling=Sampling()))
        assert len((await client.embed(("still there",)))[0]) == 256


async def test_a_chat_model_neither_embeds_nor_ranks(starter_model: Path) -> None:
    async with loaded_client(starter_model) as client:
        with pytest.raises(WrongPurpose):
            await client.embed(("a",))
        with pytest.raises(WrongPurpose):
            await client.rerank("a", ("b",))


@pytest.mark.parametrize(
    ("write", "purpose"), [(write_embedding, "rerank"), (write_reranker, "embedding"), (None, "embedding")]
)
async def test_a_file_that_is_not_made_for_the_purpose_is_refused(
    write: Writer | None, purpose: str, tmp_path: Path, starter_model: Path
) -> None:
    client = EngineClient()
    plan: LoadPlan = plan_for(write(tmp_path) if write else starter_model, purpose=purpose)
    try:
        with pytest.raises(EngineError) as caught:
            await client.load(plan)
    finally:
        await client.stop()
    assert isinstance(caught.value, WrongPurpose)


async def test_memory_is_counted_once_where_a_larger_batch_was_needed(tmp_path: Path) -> None:
    computing = []
    for n_ubatch in (64, 512):
        plan = {"purpose": "embedding", "n_batch": n_ubatch, "n_ubatch": n_ubatch}
        async with loaded_client(write_embedding(tmp_path), **plan) as client:
            assert client.loaded is not None
            computing.append([memory.compute for memory in client.loaded.memory])
    assert computing[0] == computing[1]  # either way it can read a whole text at once


async def test_a_request_that_is_cancelled_ends_and_the_next_is_answered(tmp_path: Path) -> None:
    async with loaded_client(write_embedding(tmp_path), purpose="embedding") as client:
        many = asyncio.create_task(client.embed(tuple(f"t {n} " * 80 for n in range(4000)), priority="batch"))
        while not (await client.status()).active + (await client.status()).waiting:
            await asyncio.sleep(0.01)
        assert len(await asyncio.wait_for(client.embed(("hurry",)), 50)) == 1  # a person comes before the batch
        assert not many.done()
        many.cancel()
        with pytest.raises(asyncio.CancelledError):
            await many
        assert len(await asyncio.wait_for(client.embed(("next",)), 50)) == 1


async def test_more_texts_than_one_answer_can_hold_are_refused_and_the_engine_lives(tmp_path: Path) -> None:
    async with loaded_client(write_embedding(tmp_path), purpose="embedding") as client:
        before = client.pid
        with pytest.raises(BadRequest, match="too many for one answer"):
            await client.embed(["a"] * 20_000)
        assert len(await client.embed(["a"])) == 1
        assert client.pid == before
