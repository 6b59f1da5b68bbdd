"""Beam search finds what a search over the model's own probabilities finds, and gives back what it took."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from desktop.engine.client import EngineClient
from desktop.engine.failure import BadRequest
from desktop.engine.protocol import Beams, Sampling
from tests.support.bare_engine import Bare, bare_engine
from tests.support.engine_talk import Said, exact_plan, greedy, listen, say
from tests.support.models.decoders import write_dense, write_recurrent, write_sliding_window
from tests.support.models.vocabulary import BPE

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPT = "<|im_start|>user\nwhat is it<|im_end|>\n<|im_start|>assistant\n"
END = BPE.id("<|im_end|>")


class Found(NamedTuple):
    score: float
    tokens: tuple[int, ...]


def search(bare: Bare, width: int, length: int, *, penalty: float = 1.0) -> list[Found]:
    """The same search, written as its definition says: every prefix read anew, no early end."""
    prompt = bare.tokenize(PROMPT)
    beams, finished = [Found(0.0, ())], list[Found]()
    for made in range(1, length + 1):
        every: list[Found] = []
        for beam in beams:
            logs = bare.logs([*prompt, *beam.tokens])
            every += [Found(beam.score + log, (*beam.tokens, token)) for token, log in enumerate(logs)]
        best = sorted(every, reverse=True)[: 2 * width]
        beams = []
        for one in best:
            if one.tokens[-1] == END:
                finished.append(Found(one.score / made**penalty, one.tokens[:-1]))
            else:
                beams.append(one)
            if len(beams) == width:
                break
    alive = [Found(one.score / length**penalty, one.tokens) for one in beams]
    return [*sorted(finished, reverse=True)[:width], *sorted(alive, reverse=True)][:width]


def text_of(tokens: Sequence[int]) -> str:
    from tests.support.models.vocabulary import _byte_texts

    bytes_of = {text: value for value, text in enumerate(_byte_texts())}
    return bytes(bytes_of[sign] for token in tokens for sign in BPE.texts[token]).decode("utf-8", "replace")


def beams(width: int, length: int, **changes: Any) -> Sampling:
    return Sampling(beams=width, max_length=length, **changes)


def hypotheses(said: Said) -> Beams:
    (event,) = [event for event in said.events if isinstance(event, Beams)]
    return event


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("models"), kind="f32", layers=2, ending=1.5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(model: Path) -> AsyncIterator[EngineClient]:
    client = EngineClient()
    await client.load(exact_plan(model, n_ctx=512))
    yield client
    await client.stop()


@pytest.fixture(scope="module")
def bare(model: Path) -> Iterator[Bare]:
    with bare_engine(model, flash_attention="off", kv_type="f32") as bare:
        yield bare


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
async def test_the_beams_are_those_of_the_definition(
    client: EngineClient, bare: Bare, width: int, penalty: float
) -> None:
    said = await say(client, PROMPT, beams(width, 5, length_penalty=penalty))
    expected = search(bare, width, 5, penalty=penalty)
    found = hypotheses(said)
    assert found.texts == tuple(text_of(one.tokens) for one in expected)
    assert found.scores == pytest.approx([one.score for one in expected], abs=1e-3)
    assert said.text == found.texts[0]


async def test_one_beam_is_greedy(client: EngineClient) -> None:
    one = await say(client, PROMPT, Sampling(temperature=0.0, max_length=6, ignore_end=True, beams=1))
    assert one.text == (await say(client, PROMPT, greedy(6))).text


async def test_sequences_and_cells_are_given_back(client: EngineClient) -> None:
    await asyncio.gather(*(say(client, f"{n} {PROMPT}", beams(4, 6)) for n in range(3)))
    status = await client.status()
    assert (status.active, status.waiting) == (0, 0)
    assert status.sequences == status.sequences_idle


async def test_more_searches_than_there_are_sequences_for_wait_for_each_other(client: EngineClient) -> None:
    alone = [(await say(client, f"{n} {PROMPT}", beams(4, 6))).text for n in range(7)]
    together = await asyncio.gather(*(say(client, f"{n} {PROMPT}", beams(4, 6)) for n in range(7)))
    assert [said.text for said in together] == alone


async def test_a_search_that_fills_the_context_ends_with_what_it_has(tmp_path: Path) -> None:
    client = EngineClient()
    try:
        await client.load(exact_plan(write_dense(tmp_path, layers=1), n_ctx=256))
        said = await say(client, PROMPT, beams(4, 250))
        assert said.done.finish_reason == "context_full"
        assert len(hypotheses(said).texts) == 4
        assert said.stats.completion_tokens >= (256 - said.stats.prompt_tokens) // 4
    finally:
        await client.stop()


async def test_a_search_goes_on_past_the_cells_of_a_sliding_window(tmp_path: Path) -> None:
    path = write_sliding_window(tmp_path, kind="f32", window=16, layers=2)
    changes: dict[str, Any] = {"n_ctx": 512, "n_parallel": 1, "n_seq_max": 4, "n_outputs_max": 4}
    texts = []
    for swa_full in (False, True):  # it has 256 cells, or as many as the context
        client = EngineClient()
        try:
            await client.load(exact_plan(path, n_batch=64, n_ubatch=64, swa_full=swa_full, **changes))
            texts.append((await say(client, "one and", beams(2, 290, length_penalty=3.0))).text)
        finally:
            await client.stop()
    assert texts[0] == texts[1]


async def test_a_search_can_be_cancelled(client: EngineClient) -> None:
    running = listen(client, PROMPT * 2, beams(2, 100, length_penalty=3.0))
    await anext(running)
    await running.aclose()
    async with asyncio.timeout(60):
        while (await client.status()).active:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("wrong", [{"length_penalty": 11.0}, {"max_length": -1}, {"grammar": 'root ::= "a"'}], ids=str)
async def test_what_a_search_cannot_do_is_refused(client: EngineClient, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        await say(client, PROMPT, Sampling(**{"beams": 2, "max_length": 3, **wrong}))


async def test_a_stop_string_ends_a_beam(client: EngineClient) -> None:
    free = await say(client, PROMPT, beams(2, 6))
    stop = free.text[2:4]
    said = await say(client, PROMPT, beams(2, 6, stop=(stop,)))
    assert stop not in said.text
    assert all(stop not in text for text in hypotheses(said).texts)
    assert said.text == free.text[:2]


async def test_a_model_with_one_running_state_cannot_search(tmp_path: Path) -> None:
    client = EngineClient()
    try:
        await client.load(exact_plan(write_recurrent(tmp_path)))
        with pytest.raises(BadRequest):
            await say(client, PROMPT, beams(2, 4))
        assert (await say(client, PROMPT, greedy(4))).text
    finally:
        await client.stop()
