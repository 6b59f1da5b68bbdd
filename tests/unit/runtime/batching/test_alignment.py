"""A prompt written with the tokens the cache has."""

import random

import pytest

from desktop.runtime.batching.alignment import align, common_prefix

WORDS: dict[int, bytes | None] = {
    1: b"in",
    2: b"g",
    3: b"ing",
    4: b"do",
    5: b" it",
    6: b" ",
    7: b"it",
    8: None,
    9: b"\xe4\xbd",
    10: b"\xa0",
    11: None,
}


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 500, 5000])
@pytest.mark.parametrize("difference", [0, 1, 63, 64, 319, 320, 4999])
def test_the_common_prefix_ends_at_the_first_difference(length: int, difference: int) -> None:
    left = list(range(length))
    right = list(left)
    if difference < length:
        right[difference] = -1
    assert common_prefix(left, right) == min(length, difference)
    assert common_prefix(left, [*right, 1, 2, 3]) == min(length, difference)


def test_a_generated_spelling_is_kept_where_the_text_is_the_same() -> None:
    # The reply was "do" + "in" + "g"; tokenized anew it is "do" + "ing". What follows is new.
    prompt, kept = align([8, 4, 1, 2], [8, 4, 3, 8, 5], spelling=WORDS.get, start=2)
    assert (prompt, kept) == ([8, 4, 1, 2, 8, 5], 4)


def test_the_other_way_round_too() -> None:
    prompt, kept = align([4, 3, 5], [4, 1, 2, 6, 7, 8], spelling=WORDS.get, start=1)
    assert (prompt, kept) == ([4, 3, 5, 8], 3)


def test_a_token_that_reaches_beyond_the_cache_is_left_as_the_prompt_has_it() -> None:
    prompt, kept = align([4, 1], [4, 3, 8], spelling=WORDS.get, start=1)
    assert (prompt, kept) == ([4, 3, 8], 1)


def test_a_control_token_is_never_taken_for_its_text_or_for_another() -> None:
    assert align([4, 8, 3], [4, 11, 3], spelling=WORDS.get, start=1) == ([4, 11, 3], 1)
    assert align([4, 8, 3], [4, 3], spelling=WORDS.get, start=1) == ([4, 3], 1)
    assert align([4, 3], [4, 8], spelling=WORDS.get, start=1) == ([4, 8], 1)


def test_characters_that_are_cut_in_two_are_compared_by_bytes() -> None:
    words = {**WORDS, 12: b"\xe4\xbd\xa0"}
    assert align([4, 9, 10], [4, 12, 5], spelling=words.get, start=1) == ([4, 9, 10, 5], 3)


@pytest.mark.parametrize("seed", range(200))
def test_the_text_is_never_changed(seed: int) -> None:
    chance = random.Random(seed)
    names = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    cached = chance.choices(names, k=chance.randint(0, 12))
    prompt = cached[: chance.randint(0, 12)] + chance.choices(names, k=chance.randint(0, 8))
    start = common_prefix(cached, prompt)
    aligned, kept = align(cached, prompt, spelling=WORDS.get, start=start)

    def spell(tokens: list[int]) -> list[bytes | int]:
        out: list[bytes | int] = [b""]
        for token in tokens:
            piece = WORDS[token]
            if piece is None:
                out += [token, b""]
            else:
                assert isinstance(out[-1], bytes)
                out[-1] += piece
        return out

    assert spell(aligned) == spell(prompt)
    assert aligned[:kept] == cached[:kept]
    assert kept >= start
