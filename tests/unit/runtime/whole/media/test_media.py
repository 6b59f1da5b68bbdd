"""Images and recordings in a conversation: what the model makes of them, whoever else is answered at the time."""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import (
    BadMedia,
    ContextFull,
)
from desktop.engine.protocol import CacheLimits, Done, PromptMessage, PromptProgress, Sampling
from tests.support import media_files as files
from tests.support.engine_replies import Reply, loaded_client, reply_of
from tests.support.media_talk import ROOM, SHORT, ask, image, marked, refused, sound
from tests.support.models import native
from tests.support.models.decoders import write_draft, write_sliding_window
from tests.support.models.mrope import write_mrope, write_mrope_projector
from tests.support.models.projectors import (
    IMAGE_TOKENS,
    SOUND_TOKENS,
    write_audio_projector,
    write_pooling_projector,
    write_vision_projector,
)
from tests.support.patient_engine import be_patient

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]
EXACT: dict[str, Any] = {"flash_attention": "off", "type_k": "f32", "type_v": "f32"}


# --- what is seen and heard ------------------------------------------------------------------------------------------


async def test_a_reply_is_what_the_bare_engine_says_to_the_same_image(model: Path, eye: Path) -> None:
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        assert client.loaded is not None
        assert (client.loaded.sees_images, client.loaded.hears_audio) == (True, False)
        dark, bright = [await reply_of(client, ask(image(files.png(shade))), SHORT) for shade in (0, 90)]
    bare = [native.perceive(model, eye, marked(), tokens=20, shade=shade) for shade in (0, 90)]
    assert [dark.text, bright.text] == [one["text"] for one in bare]
    assert dark.text != bright.text
    assert dark.done.stats.prompt_tokens == bare[0]["positions"]


async def test_a_reply_is_what_the_bare_engine_says_to_the_same_sound(model: Path, ear: Path) -> None:
    async with loaded_client(model, mmproj_path=str(ear), **ROOM) as client:
        assert client.loaded is not None
        assert (client.loaded.sees_images, client.loaded.hears_audio) == (False, True)
        low, high = [
            await reply_of(client, ask(sound(files.wav(pitch, kind=3, bits=32))), SHORT) for pitch in (200, 2000)
        ]
    bare = [native.perceive(model, ear, marked(), tokens=20, pitch=pitch) for pitch in (200, 2000)]
    assert [low.text, high.text] == [one["text"] for one in bare]
    assert low.text != high.text


async def test_images_of_every_usual_kind_are_read(model: Path, eye: Path) -> None:
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        kinds = (files.jpeg(), files.gif(), files.bmp(), files.png(), files.png(width=1, side=150))
        texts = [(await reply_of(client, ask(image(data)), SHORT)).text for data in kinds]
    assert len(set(texts)) == 5


async def test_recordings_of_every_usual_kind_are_heard(model: Path, ear: Path) -> None:
    kinds = files.wav(), files.wav(rate=44_100), files.wav(kind=3, bits=32), files.mp3(), files.flac()
    async with loaded_client(model, mmproj_path=str(ear), **ROOM) as client:
        texts = [(await reply_of(client, ask(sound(data)), SHORT)).text for data in kinds]
    assert all(texts)


async def test_the_order_of_two_images_matters_and_both_count(model: Path, eye: Path) -> None:
    dark, bright = image(files.png(0)), image(files.png(90))
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        texts = [(await reply_of(client, ask(*both), SHORT)).text for both in itertools.permutations((dark, bright))]
        one, context = await client.count_tokens(ask(dark))
        two, _ = await client.count_tokens(ask(dark, bright))
    assert texts[0] != texts[1]
    assert two == one + IMAGE_TOKENS
    assert context == 1024


async def test_a_mark_that_a_person_writes_is_no_image(model: Path, eye: Path) -> None:
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        plain, _ = await client.count_tokens(ask(words="<__media__>"))
        marked_too, _ = await client.count_tokens(ask(image(files.png()), words="<__media__>"))
        assert (await reply_of(client, ask(words="<__media__>"), SHORT)).text
    assert marked_too == plain + IMAGE_TOKENS


async def test_a_reply_that_would_begin_right_after_an_image_begins_on_a_new_line(model: Path, eye: Path) -> None:
    begun = [*ask(), PromptMessage(role="assistant", content="", attachments=(image(files.png()),))]
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        reply = await reply_of(client, begun, SHORT, continue_last=True)
    assert reply.done.stats.completion_tokens == 20


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)


async def next_turn(client: EngineClient, first: Sequence[PromptMessage], said: str) -> Reply:
    turns = [*first, PromptMessage(role="assistant", content=said), PromptMessage(role="user", content="And now?")]
    return await reply_of(client, turns, SHORT)


async def test_the_next_turn_does_not_look_at_the_image_again_and_says_the_same(model: Path, eye: Path) -> None:
    # Without flash attention the pieces that a prompt is read in do not change the numbers.
    plan = {"mmproj_path": str(eye), "flash_attention": "off", **ROOM}
    first = ask(image(files.png()), image(files.jpeg()))
    async with loaded_client(model, **plan) as client:
        said = (await reply_of(client, first, SHORT)).text
        warm = await next_turn(client, first, said)
        other = await next_turn(client, ask(image(files.png(90)), image(files.jpeg())), said)
        again = await next_turn(client, first, said)
    async with loaded_client(model, **plan) as client:
        cold = await next_turn(client, first, said)
    assert warm.text == again.text == cold.text
    assert cold.done.stats.cached_tokens == 0
    assert warm.done.stats.cached_tokens > 2 * IMAGE_TOKENS + 20
    assert other.done.stats.cached_tokens < 40  # the words before the image that was changed
    assert other.text != warm.text


async def test_an_image_is_found_in_memory_and_on_the_disk_after_it_left_the_kv_cache(
    model: Path, eye: Path, tmp_path: Path
) -> None:
    cache = CacheLimits(ram_bytes=64 << 20, disk_folder=str(tmp_path / "cache"), disk_bytes=64 << 20)
    plan = {"mmproj_path": str(eye), "flash_attention": "off", **ROOM, "n_ctx": 512, "cache": cache}
    first, long = ask(image(files.png()), words="What? " * 30), ask(words="Something else. " * 20)
    async with loaded_client(model, **plan) as client:
        said = (await reply_of(client, first, SHORT)).text
        await reply_of(client, long, SHORT)
        warm = await next_turn(client, first, said)
    async with loaded_client(model, **plan) as client:
        stored = await next_turn(client, first, said)
    async with loaded_client(model, **{**plan, "cache": CacheLimits()}) as client:
        cold = await next_turn(client, first, said)
    assert warm.done.stats.cached_in == "ram"
    assert stored.done.stats.cached_in == "disk"
    assert warm.text == stored.text == cold.text


async def test_a_state_is_not_taken_for_one_of_another_projector(model: Path, eye: Path, tmp_path: Path) -> None:
    other = write_vision_projector(tmp_path, seed=1, name="other")
    cache = CacheLimits(disk_folder=str(tmp_path / "cache"), disk_bytes=64 << 20)
    first = ask(image(files.png()), words="What? " * 30)
    async with loaded_client(model, mmproj_path=str(eye), **ROOM, cache=cache) as client:
        await reply_of(client, first, SHORT)
    async with loaded_client(model, mmproj_path=str(other), **ROOM, cache=cache) as client:
        assert (await reply_of(client, first, SHORT)).done.stats.cached_tokens == 0


async def test_an_image_that_is_paused_for_others_is_not_forgotten(exact_model: Path, eye: Path) -> None:
    model, plan = exact_model, {"mmproj_path": str(eye), **EXACT, **ROOM, "n_ctx": 512, "n_parallel": 2}
    long = Sampling(temperature=0.0, max_length=0)
    chats = [ask(image(files.png(shade)), words="Tell me. " * 5) for shade in (0, 90)]
    async with loaded_client(model, **plan) as client:
        alone = [(await reply_of(client, chat, long)).text for chat in chats]
    async with loaded_client(model, **plan) as client:
        together = await asyncio.gather(*(reply_of(client, chat, long) for chat in chats))
    # Past the pause; far behind it two tokens are nearly as likely as each other.
    assert [reply.text[:400] for reply in together] == [text[:400] for text in alone]
    assert [reply.done.stats.context_used for reply in together] == [512, 512]  # each had the whole context in its turn


async def test_a_context_that_moves_on_forgets_whole_images_only(model: Path, eye: Path) -> None:
    attached = tuple(image(files.png(shade)) for shade in range(0, 60, 10))
    async with loaded_client(model, mmproj_path=str(eye), **{**ROOM, "n_ctx": 256}) as client:
        stream = client.generate(
            messages=ask(*attached),
            sampling=Sampling(temperature=0.0, max_length=200),
            context_shift=True,
            keep_tokens=50,
        )
        *_, done = [part async for part in stream]
        assert getattr(done, "finish_reason", "") == "length"
        again = await reply_of(client, ask(*attached), SHORT)
    assert again.text


@pytest.mark.parametrize("speculation", ["prompt_lookup", "draft"])
async def test_guesses_do_not_change_what_is_said_of_an_image(
    speculation: str, exact_model: Path, eye: Path, tmp_path: Path
) -> None:
    model = exact_model
    chat, long = (
        ask(image(files.png()), image(files.png()), words="a b c a b c"),
        Sampling(temperature=0.0, max_length=150),
    )
    plan: dict[str, Any] = {"mmproj_path": str(eye), **EXACT, **ROOM}
    drafted = {"draft_path": str(write_draft(tmp_path))} if speculation == "draft" else {}
    async with loaded_client(model, **plan, speculation="off") as client:
        plain = await reply_of(client, chat, long)
    async with loaded_client(model, **plan, speculation=speculation, **drafted) as client:
        guessed = await reply_of(client, chat, long)
    assert guessed.text == plain.text
    assert guessed.done.stats.completion_tokens == 150


async def test_a_search_with_beams_sees_images(model: Path, eye: Path) -> None:
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        beams = Sampling(temperature=0.0, max_length=8, beams=2)
        dark, bright = [await reply_of(client, ask(image(files.png(shade))), beams) for shade in (0, 90)]
    assert dark.text
    assert dark.text != bright.text


async def test_a_window_that_slides_keeps_images_apart(eye: Path, tmp_path: Path) -> None:
    async with loaded_client(write_sliding_window(tmp_path), mmproj_path=str(eye), **ROOM) as client:
        first = ask(image(files.png()), words="What? " * 40)
        said = (await reply_of(client, first, SHORT)).text
        warm = await next_turn(client, first, said)
        other = await next_turn(client, ask(image(files.png(90)), words="What? " * 40), said)
    assert warm.done.stats.cached_tokens > IMAGE_TOKENS
    assert warm.text != other.text


# --- others ----------------------------------------------------------------------------------------------------------


async def test_those_who_only_write_are_not_disturbed_by_an_image(exact_model: Path, eye: Path) -> None:
    model, plan = exact_model, {"mmproj_path": str(eye), **EXACT, **ROOM}
    chats = [*(ask(words=f"Question {number}: " + "why? " * number) for number in (3, 7, 11)), ask(image(files.png()))]
    async with loaded_client(model, **plan) as client:
        alone = [(await reply_of(client, chat, SHORT)).text for chat in chats]
    async with loaded_client(model, **plan) as client:
        together = await asyncio.gather(*(reply_of(client, chat, SHORT) for chat in chats))
    # The rows of the others never mix with those of the image.
    assert [reply.text for reply in together] == alone
    assert len({reply.text for reply in together}) == 4


async def test_one_bad_file_does_not_disturb_the_others(model: Path, eye: Path) -> None:
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        answers = await asyncio.gather(
            reply_of(client, ask(image(b"no image")), SHORT),
            reply_of(client, ask(image(files.png())), SHORT),
            reply_of(client, ask(), SHORT),
            return_exceptions=True,
        )
    assert isinstance(answers[0], BadMedia)
    assert all(isinstance(answer, Reply) and answer.text for answer in answers[1:])


async def test_a_reply_can_be_stopped_between_images(model: Path, eye: Path) -> None:
    attached = tuple(image(files.png(shade, side=64)) for shade in range(16))
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        stream = client.generate(messages=ask(*attached), sampling=SHORT)
        await anext(stream)
        await stream.aclose()
        assert (await reply_of(client, ask(), SHORT)).text
        assert (await client.status()).active == 0


async def test_a_recording_that_takes_long_can_be_stopped_in_the_middle(model: Path, tmp_path: Path) -> None:
    slow = write_audio_projector(tmp_path, layers=40)
    async with loaded_client(model, mmproj_path=str(slow), **ROOM, warm_up=False) as client:
        whole = await reply_of(client, ask(sound(files.wav())), Sampling(temperature=0.0, max_length=1))
        chat = [PromptMessage(role="system", content="Listen."), *ask(sound(files.wav(300)))[1:]]
        stream = client.generate(messages=chat, sampling=SHORT)
        begun = await anext(stream)
        await client.cancel_all()
        told = [begun, *[event async for event in stream]]
        again = await reply_of(client, ask(sound(files.wav())), Sampling(temperature=0.0, max_length=1))
    assert isinstance(told[-1], Done)
    assert told[-1].finish_reason == "cancelled"
    # The words before it were read, and not the recording.
    assert all(event.done < SOUND_TOKENS for event in told if isinstance(event, PromptProgress))
    assert again.text == whole.text


# --- other ways to read an image --------------------------------------------------------------------------------------


async def test_an_image_that_is_read_as_a_whole_needs_a_batch_for_it(exact_model: Path, tmp_path: Path) -> None:
    model, pooling = exact_model, write_pooling_projector(tmp_path)
    others = [ask(words=f"Question {number}") for number in (1, 2)]
    async with loaded_client(model, mmproj_path=str(pooling), **EXACT, **ROOM) as client:
        alone = [(await reply_of(client, chat, SHORT)).text for chat in others]
        replies = await asyncio.gather(
            *(reply_of(client, chat, SHORT) for chat in [*others, ask(image(files.png(90)))])
        )
    bare = native.perceive(model, pooling, marked(), tokens=20, shade=90)
    # Causal attention is back for the others, and for the words after the image.
    assert [reply.text[:6] for reply in replies] == [text[:6] for text in (*alone, bare["text"])]
    async with loaded_client(model, mmproj_path=str(pooling), **ROOM, n_batch=8, n_ubatch=8) as client:
        assert "batch is only 8" in await refused(client, image(files.png()))
        assert (await reply_of(client, ask(), SHORT)).text


# --- positions of several dimensions ----------------------------------------------------------------------------------

WIDE = image(files.png(side=560))
"""400 tokens in 20 places."""


@pytest.fixture(scope="module")
def mrope(folder: Path) -> dict[str, Any]:
    return {"path": write_mrope(folder), "mmproj_path": str(write_mrope_projector(folder)), **ROOM}


@pytest.fixture(scope="module")
def exact_mrope(folder: Path, mrope: dict[str, Any]) -> dict[str, Any]:
    return mrope | EXACT | {"path": write_mrope(folder, kind="f32", name="exact-mrope")}


async def test_an_image_in_rows_and_columns_is_read_as_the_bare_engine_reads_it(mrope: dict[str, Any]) -> None:
    async with loaded_client(**mrope) as client:
        texts = [(await reply_of(client, ask(image(files.png(shade))), SHORT)).text for shade in (0, 90)]
    bare = [native.perceive(mrope["path"], mrope["mmproj_path"], marked(), tokens=20, shade=shade) for shade in (0, 90)]
    assert texts == [one["text"] for one in bare]
    assert bare[0]["positions"] < sum(bare[0]["chunk_tokens"])


async def test_the_next_turn_after_an_image_in_rows_and_columns_says_the_same(mrope: dict[str, Any]) -> None:
    plan, first = mrope | {"flash_attention": "off"}, ask(image(files.png()), image(files.png(side=200)))
    async with loaded_client(**plan) as client:
        said = (await reply_of(client, first, SHORT)).text
        warm = await next_turn(client, first, said)
    async with loaded_client(**plan) as client:
        cold = await next_turn(client, first, said)
    assert warm.text == cold.text
    assert warm.done.stats.cached_tokens > 60


async def test_an_image_that_takes_more_room_than_places_waits_for_that_room(exact_mrope: dict[str, Any]) -> None:
    plan = exact_mrope | {"n_ctx": 512}
    chats = [ask(), ask(WIDE), ask(WIDE, words="Why?")]
    async with loaded_client(**plan) as client:
        alone = [(await reply_of(client, chat, SHORT)).text for chat in chats]
        assert (await client.status()).cells_used > 400
    async with loaded_client(**plan) as client:
        together = await asyncio.gather(*(reply_of(client, chat, SHORT) for chat in chats))
        assert [reply.text for reply in together] == alone
        with pytest.raises(ContextFull):
            await reply_of(client, ask(WIDE, image(files.png(1, side=560))), SHORT)
        full = await reply_of(client, ask(WIDE), Sampling(temperature=0.0, max_length=0))
    assert full.done.finish_reason == "context_full"
    assert full.done.stats.context_used < 200  # places


async def test_an_image_that_takes_more_room_than_places_comes_back_from_the_disk(
    mrope: dict[str, Any], tmp_path: Path
) -> None:
    cache = CacheLimits(disk_folder=str(tmp_path / "cache"), disk_bytes=64 << 20)
    plan = mrope | {"n_ctx": 768, "flash_attention": "off", "cache": cache}
    async with loaded_client(**plan) as client:
        said = (await reply_of(client, ask(WIDE), SHORT)).text
    async with loaded_client(**plan) as client:
        warm = await next_turn(client, ask(WIDE), said)
        other = await reply_of(client, ask(image(files.png(90, side=560))), SHORT)
    assert warm.done.stats.cached_in == "disk"
    assert warm.text
    assert other.text
