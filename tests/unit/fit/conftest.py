"""What several tests of fit begin with."""

from collections.abc import AsyncIterator

import pytest_asyncio

from desktop.fit.dry_run.dry_runs import DryRuns


@pytest_asyncio.fixture
async def runs() -> AsyncIterator[DryRuns]:
    """The real engine, in children of its own; nothing is kept on the disk."""
    async with DryRuns() as runs:
        yield runs
