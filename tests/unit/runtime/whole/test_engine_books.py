"""What the engine believes of its cache is what libllama has, whatever is asked of it in whatever order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.runtime.whole.test_prefix_cache import CUTTABLE, WRITERS

STEPS = 500


@pytest.mark.parametrize("kind", list(WRITERS))
def test_the_books_are_right_after_every_step(
    tmp_path: Path, project_root: Path, kind: str, campaign_factor: int
) -> None:
    path = WRITERS[kind](tmp_path, kind="f32", layers=2)
    for seed in range(campaign_factor):
        child = subprocess.run(
            [sys.executable, "-m", "tests.support.scheduler_child", str(path), str(seed), str(STEPS)],
            cwd=project_root,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert child.returncode == 0, child.stderr[-3000:]
        seen = json.loads(child.stdout)
        print(kind, seed, seen)
        assert seen["length"] >= 5
        assert seen["cancelled"]
        assert seen.get("cached in memory", 0) + seen.get("cached in ram", 0) > 0
        assert seen["paused"] > 0
        assert seen.get("turns ended", 0) > 0 or kind in ("recurrent", "hybrid")  # those end with their context
        assert seen["asked again"] > 3
        assert (seen["drafted"] > 0) == (kind in CUTTABLE)
