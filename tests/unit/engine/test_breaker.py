"""When a crashed engine is started again."""

from desktop.engine.breaker import Breaker


def test_the_first_crash_is_answered_at_once_and_the_next_ones_later() -> None:
    breaker, delays = Breaker(), []
    for crash in range(9):
        breaker.crashed(crash * 200.0)
        delays.append(breaker.delay)
    assert delays == [0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_three_crashes_in_five_minutes_open_it() -> None:
    breaker = Breaker()
    for moment in (0.0, 100.0, 299.0):
        assert not breaker.is_open
        breaker.crashed(moment)
    assert breaker.is_open


def test_crashes_further_apart_do_not() -> None:
    breaker = Breaker()
    for moment in (0.0, 200.0, 400.0, 600.0):
        breaker.crashed(moment)
    assert not breaker.is_open


def test_a_completed_reply_between_them_forgives() -> None:
    breaker = Breaker()
    for moment in range(20):
        breaker.crashed(float(moment))
        breaker.reset()
    assert not breaker.is_open
    assert breaker.delay == 0


def test_a_crash_long_after_the_last_is_a_first_one() -> None:
    breaker = Breaker()
    breaker.crashed(0.0)
    breaker.crashed(1.0)
    breaker.crashed(10_000.0)
    assert breaker.delay == 0
