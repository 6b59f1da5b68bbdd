"""One limit for all transfers; what it lets through is counted against a clock that is ours."""

import asyncio
import time

import pytest

from desktop.download.limiter import BURST, BandwidthLimiter

RATE = 1_000_000


async def _fetch(limiter: BandwidthLimiter, count: int, piece: int = 50_000) -> None:
    for _ in range(count // piece):
        await limiter.pace(piece)


@pytest.mark.asyncio
async def test_several_transfers_together_keep_to_the_limit() -> None:
    limiter, began = BandwidthLimiter(lambda: RATE), time.monotonic()
    await asyncio.gather(*(_fetch(limiter, 200_000) for _ in range(4)))
    assert RATE * (time.monotonic() - began + BURST) >= 800_000, "never faster; a busy machine may be slower"


@pytest.mark.asyncio
async def test_without_a_limit_nobody_waits() -> None:
    limiter = BandwidthLimiter()
    await asyncio.wait_for(_fetch(limiter, 10_000_000_000, 1_000_000), 30)


@pytest.mark.asyncio
async def test_a_change_takes_effect_for_those_who_wait() -> None:
    limit = [1]
    limiter = BandwidthLimiter(lambda: limit[0])
    waiting = asyncio.create_task(limiter.pace(1_000_000))  # eleven days
    await asyncio.sleep(0.2)
    assert not waiting.done()
    limit[0] = 0
    await asyncio.wait_for(waiting, 30)
