"""A load is known by its file and its plan."""

import os
from pathlib import Path

import msgspec

from desktop.engine.protocol import LoadPlan
from desktop.errors import Phrase
from desktop.fit.remembered.actual import load_key


def test_another_file_in_the_same_place_is_another_load(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"one")
    plan = LoadPlan(model_path=str(path), model_name="M", n_ctx=512)
    first = load_key(plan)
    assert load_key(msgspec.structs.replace(plan, reasons=(Phrase.of("why"),), exact=True)) == first
    assert load_key(msgspec.structs.replace(plan, n_ctx=1024)) != first
    os.utime(path, ns=(0, 1))
    assert load_key(plan) != first
    path.unlink()
    assert load_key(plan) == load_key(plan) != first
