"""Sound files are measured before anything decodes them, whatever their heads claim."""

import contextlib
import math
import struct
import time

import numpy as np
import pytest

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError
from desktop.runtime.media.sounds import check_sound
from tests.support import media_files as files

HEAD = 44  # bytes of a WAV as it is handed on


def refusal(data: bytes) -> str:
    with pytest.raises(EngineError) as caught:
        check_sound(data)
    assert caught.value.failure.kind == FailureKind.BAD_MEDIA
    return caught.value.failure.detail


def test_a_wav_is_written_anew_with_its_samples_only() -> None:
    whole = files.wav(seconds=0.5)
    assert check_sound(whole)[HEAD:] == whole[-16_000:]
    assert struct.unpack_from("<4sI8sI", check_sound(whole)) == (b"RIFF", HEAD - 8 + 16_000, b"WAVEfmt ", 16)


def test_a_wav_that_claims_more_than_there_is_gets_what_there_is() -> None:
    samples = bytes(32_000)
    assert check_sound(files.wav_of(samples, claimed=2**32 - 1))[HEAD:] == samples


def test_floating_point_samples_that_are_no_numbers_become_silence() -> None:
    samples = struct.pack("<4f", math.nan, math.inf, -math.inf, 0.5) * 4000
    tamed = np.frombuffer(check_sound(files.wav_of(samples, kind=3, bits=32))[HEAD:], np.float32)
    assert tamed[:4].tolist() == [0.0, 1.0, -1.0, 0.5]
    assert len(check_sound(files.wav_of(struct.pack("<d", 0.5) * 8000, kind=3, bits=64))) == HEAD + 4 * 8000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (files.wav_of(bytes(2 * 16_000 * 601)), "at most 600"),
        (files.wav(seconds=0.01), "nothing to hear"),
        (files.wav_of(bytes(32_000), kind=2), "compressed"),
        (files.wav_of(bytes(32_000), bits=7), "compressed"),
        (files.wav_of(bytes(32_000), rate=2**30), "samples per second"),
        (files.wav()[:40], "no samples"),
        (files.mp3(601), "at most 600"),
        (files.mp3()[:300], "damaged"),
        (files.mp3() + bytes(100_000), "damaged"),
        (files.flac(total=2**36 - 1), "at most 600"),
        (files.flac(total=0), "length"),
        (files.flac()[:20], "cut off"),
        (b"OggS" + bytes(100), "WAV, MP3 and FLAC"),
    ],
    ids=[
        "long wav", "short wav", "adpcm", "seven bits", "rate", "no data", "long mp3", "no frame", "junk", "long flac",
        "endless flac", "cut flac", "ogg",
    ],
)  # fmt: skip
def test_what_must_not_be_decoded_is_refused_in_words(data: bytes, reason: str) -> None:
    assert reason in refusal(data)


def test_tags_around_the_frames_of_an_mp3_are_left_out() -> None:
    frames = files.mp3(tagged=False)
    assert check_sound(files.mp3() + b"TAG" + bytes(125)) == frames


def test_a_large_mp3_of_the_smallest_frames_is_refused_in_no_time() -> None:
    small = b"\xff\xf3\x14\xc4" + bytes(20)  # 8 kbit/s at 24,000 Hz: 24 bytes, 24 ms
    started = time.process_time()
    assert "at most 600" in refusal(small * 800_000)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("data", [files.wav(), files.mp3(), files.flac()], ids=["wav", "mp3", "flac"])
def test_any_beginning_and_any_damage_is_read_or_refused(data: bytes) -> None:
    broken = [data[:length] for length in range(min(len(data), 120))]
    for candidate in (*broken, *(files.damaged(data, seed) for seed in range(500))):
        with contextlib.suppress(EngineError):
            assert check_sound(candidate)
