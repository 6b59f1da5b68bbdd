"""Which bytes are there, and who fetches which of those that are missing."""

import random

from desktop.download.ranges import Pieces, RangeSet


def test_ranges_are_joined_and_counted_once() -> None:
    there = RangeSet([(10, 20), (0, 5), (20, 30), (15, 25)])
    assert there.as_tuple() == ((0, 5), (10, 30))
    assert there.total == 25
    assert there.prefix == 5
    assert there.missing(40) == [(5, 10), (30, 40)]
    assert there.up_to(12).as_tuple() == ((0, 5), (10, 12))
    assert RangeSet().missing(3) == [(0, 3)]
    assert RangeSet([(4, 4)]).total == 0


def test_they_say_what_a_set_of_bytes_says() -> None:
    for seed in range(300):
        chance, there, truth = random.Random(seed), RangeSet(), set[int]()
        for _ in range(chance.randint(1, 12)):
            start = chance.randrange(60)
            end = min(60, start + chance.randrange(20))
            there.add(start, end)
            truth |= set(range(start, end))
        assert there.total == len(truth)
        assert {byte for start, end in there.as_tuple() for byte in range(start, end)} == truth
        assert {byte for start, end in there.missing(60) for byte in range(start, end)} == set(range(60)) - truth
        assert there.prefix == next(byte for byte in range(61) if byte not in truth)


def test_pieces_come_from_the_front_and_without_crumbs() -> None:
    pieces = Pieces([(0, 25), (40, 45)], size=10, least=4)
    taken = [pieces.take(0) for _ in range(4)]
    assert [(each.position, each.end) for each in taken if each] == [(0, 10), (10, 20), (20, 25), (40, 45)]
    assert pieces.take(0) is None
    assert not pieces.done


def test_what_is_given_back_comes_first_again() -> None:
    pieces = Pieces([(0, 20)], size=10, least=4)
    first = pieces.take(0)
    assert first is not None
    first.position = 6
    pieces.give_back(first)
    again = pieces.take(0)
    assert again is not None
    assert (again.position, again.end) == (6, 10)


def test_the_slowest_piece_is_shared_when_nothing_else_is_left() -> None:
    pieces = Pieces([(0, 40)], size=20, least=4)
    slow, fast = pieces.take(0), pieces.take(0)
    assert slow is not None
    assert fast is not None
    slow.position, fast.position = 4, 38
    assert pieces.share(1, patience=5) is None, "not before it has had its time"
    half = pieces.share(10, patience=5)
    assert half is not None
    assert (slow.position, slow.end, half.position, half.end) == (4, 12, 12, 20)


def test_a_piece_that_does_not_move_is_taken_over_to_its_end() -> None:
    pieces = Pieces([(0, 20)], size=20, least=4)
    stuck = pieces.take(0)
    assert stuck is not None
    now, brought = 0.0, 0
    while not pieces.done:
        now += 10
        piece = pieces.share(now, patience=5)
        assert piece is not None
        brought += piece.rest
        piece.position = piece.end
        pieces.give_back(piece)
    assert brought == 20
    assert stuck.rest == 0
