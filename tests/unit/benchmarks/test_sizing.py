"""What docs/sizing.md is made of: the engine's own figures for published shapes on cards that are not there."""

from pathlib import Path

import pytest

from benchmarks.sizing import GIB, STEP, Asker, Case, longest_that, rows, shape_of, write_header
from desktop.fit.dry_run.dry_runs import DryRuns

pytestmark = pytest.mark.asyncio


async def test_an_8b_fits_a_card_of_16_gib_and_the_longest_context_is_the_longest(tmp_path: Path) -> None:
    async with DryRuns() as runs:
        asker = Asker(runs, tmp_path)
        answer = await asker.answer(Case("llama-3.1-8b", "Q4_K_M", ("RX 6800",)))
        assert answer.whole.fits
        assert answer.whole.exact
        card = answer.whole.devices[1]
        assert card.kv == 8192 * 2 * 2 * 8 * 128 * 32
        assert card.weights < answer.size < 5 * GIB
        # Each token reads every weight on the card once.
        assert answer.ceiling == pytest.approx(512e9 / card.weights)
        assert answer.plan.speed.decode_low < answer.plan.speed.decode_high < answer.ceiling
        further = await asker.answer(Case("llama-3.1-8b", "Q4_K_M", ("RX 6800",), answer.longest + STEP))
        assert not further.whole.fits
    assert "| llama-3.1-8b | Q4_K_M, good | 4.6 | 1 x RX 6800 | 8192 |" in rows([answer])[-1]


async def test_what_does_not_fit_is_said_to_stay_in_ram_and_costs_speed(tmp_path: Path) -> None:
    async with DryRuns() as runs:
        asker = Asker(runs, tmp_path)
        small, large = [await asker.answer(Case("qwen3-14b", preset, ("RX 6800",))) for preset in ("Q6_K", "Q8_0")]
    assert small.whole.fits
    assert not large.whole.fits
    assert 0 < large.longest < 8192 < small.longest
    assert large.plan.speed.decode < 0.8 * small.plan.speed.decode
    assert "GiB stay in RAM" in rows([large])[-1]


async def test_a_header_only_file_takes_no_room(tmp_path: Path) -> None:
    header = write_header(tmp_path / "stub.gguf", shape_of("llama-3.3-70b"), "Q4_K_M")
    assert header.file_size > 39 * GIB
    assert (tmp_path / "stub.gguf").stat().st_blocks * 512 < 1_000_000


async def test_the_longest_context_is_found_among_steps() -> None:
    class Report:
        def __init__(self, fits: bool) -> None:
            self.fits = fits

    async def report(context: int) -> Report:
        return Report(context <= 5 * STEP)

    assert await longest_that(report, 64 * STEP) == 5 * STEP
    assert await longest_that(report, 3 * STEP) == 3 * STEP
