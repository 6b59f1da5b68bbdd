"""Nobody waits for ever behind a reply that never ends, and that reply says what it would have said alone.

The model is in f32 (docs/engine.md); a turn is some steps long instead of half a minute.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.json_child import run_child
from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense, write_sliding_window

pytestmark = pytest.mark.timeout(300)
ENDLESS = {"prompt": "the people said that", "length": 0}
SHORT = {"prompt": "one and the other", "length": 30}
WHOLE = {"prompt": "all the words that they said about the time when we were there " * 3, "length": 180}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return write_dense(folder, kind="f32", layers=2)


def run(model: Path, requests: dict[str, Any], *, n_parallel: int, lora: str = "") -> Any:
    """What each request said together with the others; all that was said is what is said alone."""
    told = run_child("turns_child", model, lora, json.dumps(requests), n_parallel)
    for name, one in told.items():
        assert one["text"] == one["alone"], name
    return told


def test_one_that_needs_its_place_is_answered_and_it_goes_on_unchanged(model: Path) -> None:
    told = run(model, {"endless": ENDLESS, "short": SHORT}, n_parallel=1)
    assert told["short"]["end"] == "length"
    assert told["endless"]["pauses"] == 1
    assert told["endless"]["end"] == "cancelled"


def test_so_it_is_with_a_sliding_window(folder: Path) -> None:
    path = write_sliding_window(folder, kind="f32", layers=2)
    assert run(path, {"endless": ENDLESS, "short": SHORT}, n_parallel=1)["endless"]["pauses"] == 1


def test_one_that_needs_the_whole_context_is_answered(model: Path) -> None:
    told = run(model, {"endless": ENDLESS, "whole": WHOLE}, n_parallel=4)
    assert told["whole"]["end"] == "length"
    assert told["endless"]["pauses"] == 1


def test_one_with_other_adapter_scales_is_answered(folder: Path, model: Path) -> None:
    lora = write_lora(folder, layers=2)
    asked = {"endless": ENDLESS | {"scales": [1.0]}, "also endless": ENDLESS | {"scales": [0.0]}}
    told = run(model, asked, n_parallel=4, lora=str(lora))
    assert told["endless"]["text"][:100] != told["also endless"]["text"][:100]
    assert told["endless"]["pauses"] > 3
    assert abs(told["endless"]["pauses"] - told["also endless"]["pauses"]) <= 1


def test_a_batch_client_is_answered_behind_a_person_who_never_ends(model: Path) -> None:
    told = run(model, {"endless": ENDLESS, "batch": SHORT | {"priority": "batch"}}, n_parallel=1)
    assert told["batch"]["end"] == "length"


def test_more_endless_ones_than_places_take_turns(model: Path) -> None:
    asked = {f"endless {n}": ENDLESS | {"prompt": f"{n} people said"} for n in range(4)}
    told = run(model, asked, n_parallel=2)
    pauses = [one["pauses"] for one in told.values()]
    assert min(pauses) > 3
    assert max(pauses) - min(pauses) <= 2


def test_an_ordinary_queue_of_long_replies_is_not_paused(model: Path) -> None:
    asked = {str(n): {"prompt": f"{n} people said", "length": 150} for n in range(6)}
    told = run(model, asked, n_parallel=1)
    assert not any(one["pauses"] for one in told.values())
