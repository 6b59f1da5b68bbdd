"""Image files are measured before anything decodes them, whatever their heads claim."""

import contextlib
import random
import struct
import time
import zlib

import pytest

from desktop.engine.protocol import FailureKind
from desktop.runtime.failures import EngineError
from desktop.runtime.media.images import MOST_SCANS, check_image
from tests.support import media_files as files


def refusal(data: bytes) -> str:
    with pytest.raises(EngineError) as caught:
        check_image(data)
    assert caught.value.failure.kind == FailureKind.BAD_MEDIA
    return caught.value.failure.detail


def test_sizes_are_read_from_the_head_of_every_kind() -> None:
    assert check_image(files.png(side=7, width=9)) == (9, 7, 1)
    assert check_image(files.jpeg()) == (48, 40, 1)
    assert check_image(files.bmp(20, -10)) == (20, 10, 1)
    assert check_image(files.gif()) == (1, 1, 1)


@pytest.mark.parametrize("size", [(8001, 8001), (2**31, 2**31), (2**32 - 1, 1), (0, 10)])
def test_a_head_that_claims_too_much_or_nothing_is_refused(size: tuple[int, int]) -> None:
    assert "pixels" in refusal(files.png(claimed=size))


def test_a_deep_image_counts_twice() -> None:
    assert "pixels" in refusal(files.png_of(8000, 5000, b"", bits=16))


def test_an_image_that_is_all_length_is_refused() -> None:
    assert "narrow" in refusal(files.png(side=1, width=300))


def test_an_image_that_unpacks_to_far_more_than_its_size_is_refused_quickly() -> None:
    bomb = files.png_of(100, 100, bytes(200 << 20))
    assert len(bomb) < 1 << 20
    started = time.process_time()
    assert "unpacks to more" in refusal(bomb)
    assert time.process_time() - started < 1


def test_an_interlaced_image_is_no_bomb() -> None:
    rows = b"\0" * (101 * 300 + 101 * 20)
    assert check_image(files.png_of(100, 100, rows)).width == 100


def test_a_jpeg_that_would_be_walked_through_for_hours_is_refused() -> None:
    scans = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * (MOST_SCANS + 1)
    assert "scans" in refusal(files.jpeg() + scans)


def test_what_cannot_be_decoded_here_says_what_can() -> None:
    assert "WebP" in refusal(b"RIFF\x10\0\0\0WEBPVP8 ")
    assert "JPEG, PNG" in refusal(b"\0\0\0\x20ftypisom")
    assert "JPEG, PNG" in refusal(b"")


@pytest.mark.parametrize(
    "data", [files.png(), files.jpeg(), files.bmp(), files.gif()], ids=["png", "jpeg", "bmp", "gif"]
)
def test_any_beginning_and_any_damage_is_read_or_refused(data: bytes) -> None:
    broken = [data[:length] for length in range(min(len(data), 120))]
    for candidate in (*broken, *(files.damaged(data, seed) for seed in range(500))):
        with contextlib.suppress(EngineError):
            check_image(candidate)


def test_a_megabyte_of_noise_after_the_first_bytes_costs_no_time() -> None:
    noise = random.Random(0).randbytes(4 << 20)
    started = time.process_time()
    for head in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + files.png()[8:33]):
        with contextlib.suppress(EngineError):
            check_image(head + noise)
    assert time.process_time() - started < 1


def test_chunks_whose_lengths_lie_end_the_walk() -> None:
    data = files.png()[:33] + struct.pack(">I4s", 2**32 - 1, b"IDAT") + zlib.compress(b"x")
    assert check_image(data) == (100, 100, 1)  # stb_image finds it cut off
