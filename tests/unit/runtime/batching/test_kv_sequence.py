"""A step that failed half-way is taken back only where nothing is missing afterwards."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.json_child import run_child
from tests.support.models.decoders import write_dense, write_sliding_window

pytestmark = pytest.mark.timeout(300)


def undo(model: Path, rows: int) -> Any:
    return run_child("window_child", model, rows)


@pytest.mark.parametrize("rows", [1, 64, 256])
def test_whoever_sees_its_whole_past_can_go_back_always(tmp_path: Path, rows: int) -> None:
    assert undo(write_dense(tmp_path, layers=1), rows) == {"undone": True, "left": 300}


@pytest.mark.parametrize("rows", [1, 64])
def test_a_sliding_window_can_go_back_behind_one_part(tmp_path: Path, rows: int) -> None:
    assert undo(write_sliding_window(tmp_path, layers=2), rows) == {"undone": True, "left": 300}


def test_a_sliding_window_that_has_moved_on_is_not_trusted(tmp_path: Path) -> None:
    """The second part of the step overwrote what the first token of it would look at."""
    assert undo(write_sliding_window(tmp_path, layers=2), 256) == {"undone": False, "left": 0}
