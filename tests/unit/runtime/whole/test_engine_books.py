"""What the engine believes of its cache is what libllama has, whatever is asked of it in whatever order."""

from pathlib import Path

import pytest

from tests.support.json_child import run_child
from tests.unit.runtime.whole.test_prefix_cache import CUTTABLE, WRITERS

pytestmark = pytest.mark.timeout(300)
STEPS = 500


@pytest.mark.parametrize("kind", list(WRITERS))
def test_the_books_are_right_after_every_step(tmp_path: Path, kind: str, campaign_factor: int) -> None:
    path = WRITERS[kind](tmp_path, kind="f32", layers=2)
    for seed in range(campaign_factor):
        seen = run_child("scheduler_child", path, seed, STEPS)
        print(kind, seed, seen)
        assert seen["length"] >= 5
        assert seen["cancelled"]
        assert seen.get("cached in memory", 0) + seen.get("cached in ram", 0) > 0
        assert seen["paused"] > 0
        assert seen.get("turns ended", 0) > 0 or kind in ("recurrent", "hybrid")  # those end with their context
        assert seen["asked again"] > 3
        assert (seen["drafted"] > 0) == (kind in CUTTABLE)
