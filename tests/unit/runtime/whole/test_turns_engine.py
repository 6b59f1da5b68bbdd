"""Nobody waits for ever behind a reply that never ends, and that reply says what it would have said alone.

The model is in f32 (docs/engine.md); a turn is some steps long instead of half a minute.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense, write_sliding_window

pytestmark = pytest.mark.timeout(120)
ENDLESS = {"prompt": "the people said that", "length": 0}
SHORT = {"prompt": "one and the other", "length": 30}
WHOLE = {"prompt": "all the words that they said about the time when we were there " * 3, "length": 180}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_dense(folder, kind="f32", layers=2)


def run(model: Path, root: Path, requests: dict[str, Any], *, n_parallel: int, lora: str = "") -> Any:
    """What each request said together with the others; all that was said is what is said alone."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.support.turns_child", str(model), lora, json.dumps(requests), str(n_parallel)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    told = json.loads(child.stdout)
    for name, one in told.items():
        assert one["text"] == one["alone"], name
    return told


def test_one_that_needs_its_place_is_answered_and_it_goes_on_unchanged(model: Path, project_root: Path) -> None:
    told = run(model, project_root, {"endless": ENDLESS, "short": SHORT}, n_parallel=1)
    assert told["short"]["end"] == "length"
    assert told["endless"]["pauses"] == 1
    assert told["endless"]["end"] == "cancelled"


def test_so_it_is_with_a_sliding_window(folder: Path, project_root: Path) -> None:
    path = write_sliding_window(folder, kind="f32", layers=2)
    assert run(path, project_root, {"endless": ENDLESS, "short": SHORT}, n_parallel=1)["endless"]["pauses"] == 1


def test_one_that_needs_the_whole_context_is_answered(model: Path, project_root: Path) -> None:
    told = run(model, project_root, {"endless": ENDLESS, "whole": WHOLE}, n_parallel=4)
    assert told["whole"]["end"] == "length"
    assert told["endless"]["pauses"] == 1


def test_one_with_other_adapter_scales_is_answered(folder: Path, model: Path, project_root: Path) -> None:
    lora = write_lora(folder, layers=2)
    asked = {"endless": ENDLESS | {"scales": [1.0]}, "also endless": ENDLESS | {"scales": [0.0]}}
    told = run(model, project_root, asked, n_parallel=4, lora=str(lora))
    assert told["endless"]["text"][:100] != told["also endless"]["text"][:100]
    assert told["endless"]["pauses"] > 3
    assert abs(told["endless"]["pauses"] - told["also endless"]["pauses"]) <= 1


def test_a_batch_client_is_answered_behind_a_person_who_never_ends(model: Path, project_root: Path) -> None:
    told = run(model, project_root, {"endless": ENDLESS, "batch": SHORT | {"priority": "batch"}}, n_parallel=1)
    assert told["batch"]["end"] == "length"


def test_more_endless_ones_than_places_take_turns(model: Path, project_root: Path) -> None:
    asked = {f"endless {n}": ENDLESS | {"prompt": f"{n} people said"} for n in range(4)}
    told = run(model, project_root, asked, n_parallel=2)
    pauses = [one["pauses"] for one in told.values()]
    assert min(pauses) > 3
    assert max(pauses) - min(pauses) <= 2


def test_an_ordinary_queue_of_long_replies_is_not_paused(model: Path, project_root: Path) -> None:
    asked = {str(n): {"prompt": f"{n} people said", "length": 150} for n in range(6)}
    told = run(model, project_root, asked, n_parallel=1)
    assert not any(one["pauses"] for one in told.values())
