"""How much of a prompt is read in a step."""

from desktop.runtime.batching.pace import Pace

SMALL, LARGE = 135_000_000, 8_000_000_000


def test_a_small_model_of_unknown_speed_reads_as_much_as_it_can_when_alone() -> None:
    assert Pace(SMALL, 2048).chunk(decoding=0) == 512
    assert Pace(SMALL, 128).chunk(decoding=0) == 128


def test_a_large_model_of_unknown_speed_begins_small() -> None:
    assert Pace(LARGE, 2048).chunk(decoding=0) == 64


def test_running_replies_keep_a_prompt_small_until_its_speed_is_known() -> None:
    assert Pace(SMALL, 2048).chunk(decoding=3) == 64


def test_a_piece_takes_at_most_a_second_alone_and_a_seventh_beside_others() -> None:
    pace = Pace(LARGE, 2048)
    pace.learn_prefill(64, 0.128, decoding=0)  # 500 tokens/s
    assert pace.chunk(decoding=0) == 500
    pace.learn_decode(2, 0.03)
    assert pace.chunk(decoding=2) == 60


def test_a_piece_never_gets_too_small_for_matrix_multiplication() -> None:
    pace = Pace(LARGE, 2048)
    pace.learn_prefill(64, 64.0, decoding=0)
    assert pace.chunk(decoding=1) == 32


def test_the_rows_that_decoded_beside_a_prompt_are_not_taken_for_it() -> None:
    pace = Pace(LARGE, 2048)
    pace.learn_decode(4, 0.1)
    pace.learn_prefill(64, 0.42, decoding=4)
    assert abs(pace.prefill_speed - 200) < 1


def test_a_step_that_was_not_seen_is_estimated_from_the_nearest() -> None:
    pace = Pace(SMALL, 512)
    assert pace.step_seconds(3) == 0
    pace.learn_prefill(100, 0.5, decoding=0)
    pace.learn_decode(1, 0.010)
    assert abs(pace.step_seconds(5) - 0.030) < 1e-9


def test_other_threads_mean_another_pace() -> None:
    pace = Pace(SMALL, 512)
    pace.learn_decode(1, 0.01)
    pace.forget()
    assert pace.step_seconds(1) == 0
