"""Media among tokens: nothing is cut in the middle of an image, and no other image is taken for it."""

from desktop.runtime.batching.alignment import align, common_prefix
from desktop.runtime.batching.speculation import NGRAM, PromptLookup
from desktop.runtime.cache.entries import pack_tokens
from desktop.runtime.media.places import (
    after_chunk,
    count_text,
    pseudo_tokens,
    text_only,
    whole_chunks,
)

CAT, DOG = pseudo_tokens(b"cat", 5), pseudo_tokens(b"dog", 5)


def test_the_same_image_is_the_same_and_another_is_not() -> None:
    assert pseudo_tokens(b"cat", 5) == CAT
    assert common_prefix([1, 2, *CAT], [1, 2, *DOG]) == 2
    assert all(token < -1 for token in CAT + DOG)
    assert pack_tokens(CAT)  # they fit where tokens are stored


def test_a_cut_falls_between_images_never_inside_one() -> None:
    tokens = [1, 2, *CAT, *DOG, 3]
    assert [whole_chunks(tokens, length) for length in range(14)] == [0, 1, 2, 2, 2, 2, 2, 7, 7, 7, 7, 7, 12, 13]
    assert [after_chunk(tokens, length) for length in range(14)] == [0, 1, 2, 7, 7, 7, 7, 7, 12, 12, 12, 12, 12, 13]


def test_text_is_read_up_to_an_image() -> None:
    assert count_text([1, 2, *CAT, 3], 10) == 2
    assert count_text([1, 2, *CAT, 3], 1) == 1
    assert count_text([1, 2], 10) == 2
    assert count_text(CAT, 10) == 0
    assert text_only([1, *CAT, 2]) == [1, 2]


def test_text_that_is_written_otherwise_is_aligned_up_to_an_image_and_behind_it() -> None:
    words = {1: b"a", 2: b"b", 3: b"ab", 4: b"c"}
    assert align([1, 2, *CAT, 4], [3, *CAT, 4], spelling=words.get, start=0) == ([1, 2, *CAT, 4], 8)
    assert align([1, 2, *CAT, 4], [3, *DOG, 4], spelling=words.get, start=0) == ([1, 2, *DOG, 4], 2)


def test_an_image_is_never_guessed() -> None:
    lookup = PromptLookup([1, 2, 3, 4, *CAT, 9, 1, 2, 3])
    assert NGRAM == 3
    assert lookup.propose(8) == [4]
    assert PromptLookup([1, 2, 3, *CAT, 1, 2, 3]).propose(8) == []
