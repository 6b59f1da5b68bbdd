"""The longest common beginning, found without a loop over tokens."""

import random
import time
from array import array

import pytest

from desktop.runtime.cache.entries import StoredEntry, common_tokens, find_longest, pack_tokens


def _entry(tokens: list[int], *, adapters: str = "", size: int = 10) -> StoredEntry:
    return StoredEntry(pack_tokens(tokens), adapters, size, 0.0, name="x")


def _slowly(first: list[int], second: list[int]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def test_the_common_beginning_is_the_one_a_plain_loop_finds() -> None:
    rng = random.Random(5)
    for _ in range(2000):
        first = [rng.randrange(3) for _ in range(rng.randrange(200))]
        second = first[: rng.randrange(201)] + [rng.randrange(3) for _ in range(rng.randrange(200))]
        expected = _slowly(first, second)
        known = rng.randrange(expected + 1)
        assert common_tokens(pack_tokens(first), pack_tokens(second), known=known) == expected


def test_the_longest_is_found_among_many() -> None:
    rng = random.Random(6)
    for _ in range(300):
        prompt = [rng.randrange(4) for _ in range(60)]
        others = [prompt[: rng.randrange(60)] + [rng.randrange(4) for _ in range(rng.randrange(30))] for _ in range(20)]
        found = find_longest([_entry(other) for other in others], pack_tokens(prompt), "", whole=False)
        assert (found[1] if found else 0) == max(_slowly(other, prompt) for other in others)


def test_a_state_that_cannot_be_cut_is_found_only_where_all_of_it_is_used() -> None:
    entries = [_entry([1, 2, 3, 9]), _entry([1, 2]), _entry([1])]
    found = find_longest(entries, pack_tokens([1, 2, 3, 4]), "", whole=True)
    assert found == (entries[1], 2)


def test_half_a_token_in_common_is_none() -> None:
    assert common_tokens(pack_tokens([0x0101]), pack_tokens([0x0201])) == 0
    assert find_longest([_entry([256])], pack_tokens([512]), "", whole=False) is None


def test_of_equals_the_quickest_to_read_wins() -> None:
    small = _entry([1, 2, 7], size=5)
    found = find_longest(
        [_entry([1, 2, 5], size=50), small, _entry([1, 2, 6], size=9)], pack_tokens([1, 2]), "", whole=False
    )
    assert found == (small, 2)


def test_other_adapters_are_another_state() -> None:
    assert find_longest([_entry([1, 2], adapters="a=0.5")], pack_tokens([1, 2]), "", whole=False) is None


def test_tokens_are_packed_alike_from_a_list_and_from_an_array() -> None:
    assert pack_tokens([1, -1, 2**31 - 1]) == pack_tokens(array("i", [1, -1, 2**31 - 1]))


@pytest.mark.parametrize("differing", [lambda i: 100 * i, lambda i: 8191 - i])
def test_64_conversations_of_8192_tokens_are_searched_in_a_twentieth_of_a_loops_time(differing: object) -> None:
    """0.3 ms on the machine of the figures; both are measured here, as machines differ."""
    rng = random.Random(7)
    prompt = array("i", [rng.randrange(50_000) for _ in range(8192)])
    entries = []
    for number in range(64):
        tokens = list(prompt)
        tokens[differing(number)] = -1  # type: ignore[operator]
        entries.append(_entry(tokens))
    times = []
    for _ in range(50):
        started = time.thread_time()
        find_longest(entries, pack_tokens(prompt), "", whole=False)
        times.append(time.thread_time() - started)
    others = [list(array("i", entry.key)) for entry in entries]
    started = time.thread_time()
    for other in others:
        _slowly(list(prompt), other)
    assert min(times) < (time.thread_time() - started) / 20
