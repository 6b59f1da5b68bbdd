"""Where there is no memory for the copy of a state, it is let go or its request fails: the engine goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.json_child import run_child
from tests.support.models.decoders import write_dense, write_recurrent

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("write", "case", "ends"),
    [
        # Two that fill the cache: one was to wait, and cannot.
        (write_dense, "full", {"a": "context_full", "b": "out_of_memory"}),
        # An idle conversation gives way to another.
        (write_dense, "idle", {"a": "length", "b": "length"}),
        # A batch request was to wait for a person.
        (write_dense, "person", {"a": "out_of_memory", "b": "length"}),
        # At rest, and where states are kept at the end of each reply.
        (write_dense, "rest", {"a": "length"}),
        (write_recurrent, "rest", {"a": "length"}),
    ],
)
def test_the_engine_goes_on(write: Callable[..., Path], case: str, ends: dict[str, str], tmp_path: Path) -> None:
    model = write(tmp_path, kind="f32")
    assert run_child("no_memory_child", model, case) == ends
