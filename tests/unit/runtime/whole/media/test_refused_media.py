"""Images, recordings and projectors that cannot be used."""

from pathlib import Path

import pytest

from desktop.engine.client import EngineClient
from desktop.engine.failure import (
    BadMedia,
    ContextFull,
    CorruptModel,
    EngineAborted,
    LoadFailure,
    ModelFileMissing,
)
from desktop.engine.protocol import Attachment
from tests.support import media_files as files
from tests.support.engine_replies import loaded_client, plan_for, reply_of
from tests.support.media_talk import ROOM, SHORT, ask, image, refused, sound
from tests.support.models import projectors
from tests.support.models.projectors import (
    SOUND_TOKENS,
    write_audio_projector,
    write_vision_projector,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]


# --- what is refused -------------------------------------------------------------------------------------------------


async def test_files_that_cannot_be_used_are_refused_in_words(model: Path, eye: Path) -> None:
    picture = image(files.png(side=2))
    async with loaded_client(model, mmproj_path=str(eye), **ROOM) as client:
        assert "cannot hear" in await refused(client, sound(files.wav()))
        assert "17 files" in await refused(client, *(picture,) * 17)
        assert "MiB" in await refused(client, image(files.png() + bytes(20 << 20)))
        assert "known kind" in await refused(client, image(files.wav()))
        assert "cut off" in await refused(client, image(files.jpeg()[:60]))
        assert (await reply_of(client, ask(picture), SHORT)).text


async def test_recordings_that_cannot_be_used_are_refused_in_words(model: Path, ear: Path) -> None:
    async with loaded_client(model, mmproj_path=str(ear), **ROOM) as client:
        assert "cannot see" in await refused(client, image(files.png()))
        assert "known kind" in await refused(client, sound(files.png()))
        assert "at most 600" in await refused(client, sound(files.mp3(601)))
        assert (await reply_of(client, ask(sound(files.wav())), SHORT)).done.stats.prompt_tokens > SOUND_TOKENS


async def test_a_model_without_a_projector_takes_text_only(model: Path) -> None:
    async with loaded_client(model, **ROOM) as client:
        assert "text only" in await refused(client, image(files.png()))
        assert client.loaded is not None
        assert not client.loaded.sees_images


async def test_more_images_than_the_context_holds_are_told(model: Path, eye: Path) -> None:
    attached = tuple(image(files.png(shade, side=8)) for shade in range(16))
    async with loaded_client(model, mmproj_path=str(eye), **{**ROOM, "n_ctx": 256}) as client:
        with pytest.raises(ContextFull):
            await reply_of(client, ask(*attached), SHORT)


KINDS = {
    "png": image(files.png()),
    "jpeg": image(files.jpeg()),
    "wav": sound(files.wav()),
    "mp3": sound(files.mp3()),
    "flac": sound(files.flac()),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_damaged_file_is_read_or_refused_and_the_engine_lives(
    kind: str, model: Path, eye: Path, ear: Path
) -> None:
    whole = KINDS[kind]
    async with loaded_client(model, mmproj_path=str(eye if whole.kind == "image" else ear), **ROOM) as client:
        child, read = client.pid, 0
        for seed in range(20):
            broken = Attachment(kind=whole.kind, data=files.damaged(whole.data, seed))
            try:
                read += bool((await reply_of(client, ask(broken), SHORT)).done)
            except BadMedia:
                continue
        assert client.pid == child
        assert (await reply_of(client, ask(whole), SHORT)).text
    assert read < 20


# --- projectors ------------------------------------------------------------------------------------------------------


async def test_a_projector_for_another_model_is_named(model: Path, tmp_path: Path) -> None:
    narrow = write_vision_projector(tmp_path, n_embd=128)
    client = EngineClient()
    try:
        with pytest.raises(LoadFailure, match=r"mmproj-vision\.gguf") as caught:
            await client.load(plan_for(model, mmproj_path=str(narrow), **ROOM))
        assert "n_embd = 256" in str(caught.value)
        assert (await client.load(plan_for(model, **ROOM))).sees_images is False
    finally:
        await client.stop()


@pytest.fixture
def cut_eye(eye: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cut.gguf"
    path.write_bytes(eye.read_bytes()[:-1000])
    return path


async def test_what_is_no_projector_is_refused_before_native_code_opens_it(
    model: Path, cut_eye: Path, tmp_path: Path
) -> None:
    client = EngineClient()
    try:
        for path, error in ((model, LoadFailure), (cut_eye, CorruptModel), (tmp_path / "none.gguf", ModelFileMissing)):
            with pytest.raises(error, match=path.name):
                await client.load(plan_for(model, mmproj_path=str(path), **ROOM))
    finally:
        await client.stop()


async def test_a_projector_that_brings_the_engine_down_is_told(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projectors, "FRAMES", 40)  # fewer positions than there is sound: an assertion of ggml fails
    crafted = write_audio_projector(tmp_path, name="crafted")
    client = EngineClient()
    try:
        await client.load(plan_for(model, mmproj_path=str(crafted), **ROOM, warm_up=False))
        with pytest.raises(EngineAborted):
            await reply_of(client, ask(sound(files.wav())), SHORT)
    finally:
        await client.stop()
