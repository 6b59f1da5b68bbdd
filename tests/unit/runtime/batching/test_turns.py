"""Whose turn it is, by a clock that the test turns."""

import pytest

from desktop.engine.protocol import Priority
from desktop.runtime.batching.turns import MANY_SLICES, PATIENCE, Place, Turns

SLICE = 30.0


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(time_slice=SLICE, clock=clock)


def begin(turns: Turns, name: str, *, endless: bool = True, priority: Priority = "interactive") -> Place:
    place = Place(priority, turns.now())
    turns.begin(name, place, scales=(), endless=endless)
    return place


def in_line(clock: Clock, **places: Place) -> list[str]:
    return sorted(places, key=lambda name: places[name].order(clock()))


# --- who gives way ----------------------------------------------------------------------------------------------------


def test_one_that_never_ends_gives_way_after_a_slice_in_which_somebody_waited(clock: Clock, turns: Turns) -> None:
    begin(turns, "endless")
    clock.time += 10 * SLICE  # nobody waits
    first = Place("interactive", clock())
    assert turns.who_yields(first, ["endless"]) == []
    clock.time += SLICE - 1
    assert turns.who_yields(first, ["endless"]) == []
    clock.time += 1
    assert turns.who_yields(first, ["endless"]) == ["endless"]


def test_a_queue_that_moves_on_by_itself_pauses_nobody(clock: Clock, turns: Turns) -> None:
    begin(turns, "endless")
    first = Place("interactive", clock())
    for number in range(20):
        begin(turns, f"short {number}", endless=False)
        assert turns.who_yields(first, ["endless", f"short {number}"]) == []
        clock.time += SLICE - 1
        turns.end(f"short {number}")


def test_one_that_ends_with_its_context_may_take_many_slices(clock: Clock, turns: Turns) -> None:
    begin(turns, "long", endless=False)
    first = Place("interactive", clock())
    turns.who_yields(first, ["long"])
    clock.time += MANY_SLICES * SLICE - 1
    assert turns.who_yields(first, ["long"]) == []
    clock.time += 1
    assert turns.who_yields(first, ["long"]) == ["long"]


def test_whoever_ran_longest_gives_way_first_and_whoever_just_went_on_does_not(clock: Clock, turns: Turns) -> None:
    for name in ("a", "b", "c"):
        begin(turns, name)
        clock.time += 1
    first = Place("interactive", clock())
    turns.who_yields(first, ["a", "b", "c"])
    clock.time += SLICE - 1
    turns.pause("a")
    turns.resume("a")
    clock.time += 1
    assert turns.who_yields(first, ["c", "b", "a"]) == ["b", "c"]


# --- the line ---------------------------------------------------------------------------------------------------------


def test_people_come_before_batch_clients_until_those_have_waited_too_long(clock: Clock) -> None:
    batch = Place("batch", clock())
    clock.time += 1
    person = Place("interactive", clock())
    assert in_line(clock, batch=batch, person=person) == ["person", "batch"]
    clock.time += PATIENCE - 1
    assert in_line(clock, batch=batch, person=person) == ["batch", "person"]


def test_paused_for_want_of_room_one_keeps_its_place(clock: Clock, turns: Turns) -> None:
    paused = begin(turns, "paused")
    clock.time += 5
    later = Place("interactive", clock())
    turns.pause("paused")
    assert in_line(clock, later=later, paused=paused) == ["paused", "later"]


def test_after_its_turn_one_waits_behind_those_who_wait(clock: Clock, turns: Turns) -> None:
    paused = begin(turns, "paused")
    clock.time += 5
    waiting = Place("interactive", clock())
    clock.time += 5
    turns.pause("paused")
    turns.go_behind("paused")
    clock.time += 5
    later = Place("interactive", clock())
    assert in_line(clock, later=later, paused=paused, waiting=waiting) == ["waiting", "paused", "later"]


def test_a_batch_request_that_waited_too_long_is_not_sent_away_at_once(clock: Clock, turns: Turns) -> None:
    begin(turns, "batch", priority="batch")
    turns.pause("batch")
    turns.resume("batch")
    assert not turns.insists("batch")
    turns.pause("batch")
    clock.time += PATIENCE
    turns.resume("batch")
    assert turns.insists("batch")
    clock.time += SLICE
    assert not turns.insists("batch")


def test_endless_ones_take_turns_and_each_comes_again(clock: Clock, turns: Turns) -> None:
    """Five of them on two places: nobody waits longer than three others take."""
    places = {name: begin(turns, name) for name in "abcde"}
    running, waiting = ["a", "b"], ["c", "d", "e"]
    for name in waiting:
        turns.pause(name)
    since = dict.fromkeys(waiting, clock())
    longest = 0.0
    for _ in range(500):
        clock.time += 1.0
        first = min(waiting, key=lambda name: places[name].order(clock()))
        for name in turns.who_yields(places[first], running)[:1]:
            longest = max(longest, clock() - since.pop(first))
            turns.pause(name)
            turns.go_behind(name)
            turns.resume(first)
            running, waiting = [one for one in (*running, first) if one != name], [*waiting, name]
            waiting.remove(first)
            since[name] = clock()
    assert 0 < longest <= 3 * (SLICE + 1)
    assert max(clock() - at for at in since.values()) <= 3 * (SLICE + 1)
