"""What the benchmarks print about pairs, checked against published tables and worked examples."""

import asyncio
import math

import pytest

from benchmarks.command import Report, percentile
from benchmarks.statistics import FEWEST, Bound, interleaved, middle, paired_ratio, ratio_report, signed_rank_cut


@pytest.mark.parametrize(("count", "critical"), [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52), (30, 137)])
def test_the_cut_is_the_published_critical_value_of_the_signed_rank_test(count: int, critical: int) -> None:
    # Two-sided 5 %: the test rejects up to `critical`, so the interval begins at the next rank.
    assert signed_rank_cut(count, 0.025) == critical + 1


def test_fewer_pairs_than_an_interval_needs_have_none() -> None:
    assert signed_rank_cut(FEWEST - 1, 0.025) == 0
    assert middle([1.0] * (FEWEST - 1)) == (1.0, -math.inf, math.inf)
    assert middle([1.0] * FEWEST) == (1.0, 1.0, 1.0)


def test_the_middle_is_the_median_of_all_means_of_two() -> None:
    # Means of two: 1, 1.5, 2, 5, 5.5, 9 -> their median is 3.5.
    assert middle([1.0, 2.0, 9.0]).centre == 3.5


def test_a_few_ruined_pairs_do_not_move_the_ratio_but_show_in_the_mean() -> None:
    pairs = [(0.98, 1.0)] * 18 + [(0.3, 1.0)] * 2
    ratio = paired_ratio(pairs)
    assert ratio.centre == pytest.approx(0.98)
    assert ratio.low == pytest.approx(0.98)
    assert ratio.mean < 0.9


def test_a_ratio_and_its_inverse_have_inverse_intervals() -> None:
    pairs = [(1.0 + index / 50, 1.0) for index in range(12)]
    there, back = paired_ratio(pairs), paired_ratio([(right, left) for left, right in pairs])
    assert there.centre == pytest.approx(1 / back.centre)
    assert there.low == pytest.approx(1 / back.high)


@pytest.mark.parametrize(
    ("figure", "bound", "verdict"),
    [
        (0.96, Bound(least=0.95), "kept"),
        (0.94, Bound(least=0.95), "MISSED"),
        (0.96, Bound(least=0.95, centre=0.98), "MISSED"),
        (0.3, Bound(most=0.25), "MISSED"),
        (0.2, Bound(most=0.25), "kept"),
    ],
)
def test_the_report_says_whether_the_bound_is_kept(figure: float, bound: Bound, verdict: str) -> None:
    assert ratio_report("speed", [(figure, 1.0)] * FEWEST, bound).endswith(verdict)


def test_two_pairs_show_nothing() -> None:
    assert ratio_report("speed", [(2.0, 1.0)] * 2, Bound(least=0.95)).endswith("MISSED")


def test_the_exit_code_prefers_a_miss_to_what_could_not_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    assert report.exit_code == 0
    report.not_measured("no compiler")
    assert report.exit_code == 2
    report.difference("memory", [(80.0, 10.0)] * FEWEST, Bound(most=60.0), unit="MiB")
    assert report.exit_code == 1
    assert "70.00 MiB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("there_and_back", "order"), [(False, "ab ba ab"), (True, "abba baab abba")], ids=["in turn", "there and back"]
)
def test_both_sides_are_measured_first_equally_often(there_and_back: bool, order: str) -> None:
    calls: list[str] = []

    async def measure(name: str, figure: float) -> float:
        calls.append(name)
        return figure

    sides = (lambda: measure("a", 2.0), lambda: measure("b", 8.0))
    rounds = asyncio.run(interleaved(sides, 3, there_and_back=there_and_back))
    assert "".join(calls) == order.replace(" ", "")
    assert rounds == [pytest.approx((2.0, 8.0))] * 3


def test_the_95th_percentile_of_eight_is_the_slowest() -> None:
    assert percentile([8, 1, 2, 3, 4, 5, 6, 7], 0.95) == 8
    assert percentile([8, 1, 2, 3, 4, 5, 6, 7], 0.5) == 4
