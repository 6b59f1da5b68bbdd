"""Stop strings, wherever the stream cuts them."""

import tracemalloc

import pytest

from desktop.runtime.replies.stops import StopFilter, held_back


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_stop_string_ends_the_reply_before_its_first_letter_wherever_it_is_cut(size: int) -> None:
    stops = StopFilter(("\nUser:", "###"))
    shown = "".join(stops.feed(piece) for piece in pieces("Hello # there\nUs all\nUser: more ###", size))
    assert shown + stops.finish() == "Hello # there\nUs all"
    assert stops.stopped


def test_no_part_of_a_stop_string_is_ever_shown() -> None:
    stops = StopFilter(("<END>",))
    assert [stops.feed(letter) for letter in "a<END>"] == ["a", "", "", "", "", ""]


def test_what_only_looked_like_a_stop_string_is_shown_in_the_end() -> None:
    stops = StopFilter(("<END>",))
    assert stops.feed("a <EN") == "a "
    assert stops.finish() == "<EN"


def test_without_stop_strings_nothing_is_held_back() -> None:
    assert StopFilter(("",)).feed("text") == "text"


@pytest.mark.parametrize(("text", "count"), [("abc", 0), ("ab<", 1), ("ab<E", 2), ("<E<", 1), ("END", 0)])
def test_only_a_possible_beginning_is_held_back(text: str, count: int) -> None:
    assert held_back(text, ("<END>",)) == count


def test_a_stop_string_as_long_as_a_book_takes_no_more_room_than_itself() -> None:
    tracemalloc.start()
    try:
        stops = StopFilter(("x" * 20_000,))
        assert stops.feed("ax") == "a"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_ten_thousand_stop_strings_are_looked_for_in_every_piece() -> None:
    stops = StopFilter(tuple(f"<{number}>" for number in range(10_000)))
    assert [stops.feed(piece) for piece in ("a <9", "99", "9 <9", "999", "> b")] == ["a ", "", "<9999 ", "", ""]
    assert stops.stopped
