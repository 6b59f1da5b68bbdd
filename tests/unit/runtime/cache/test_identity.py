"""A state belongs to its weights and its settings, and to no others."""

import time
from pathlib import Path
from typing import Any

import pytest

from desktop.errors import AppError
from desktop.gguf.header import read_header
from desktop.gguf.shards import shard_name
from desktop.runtime.cache.identity import SAMPLE_BYTES, SAMPLES, model_key
from tests.support.gguf_writer import Tensor, dense_model, write_gguf


def _model(path: Path, *, name: str = "a model", extra: tuple[Tensor, ...] = ()) -> Path:
    metadata, tensors = dense_model()
    return write_gguf(path, {**metadata, "general.name": name}, [*tensors, *extra])


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_same_model_has_the_same_key_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    key = model_key(_model(tmp_path / "a.gguf"), type_k="f16")
    assert key == model_key(_model(tmp_path / "folder" / "b.gguf"), type_k="f16")
    assert len(key) == 64


def test_a_header_that_was_read_already_gives_the_same_key(tmp_path: Path) -> None:
    path = _model(tmp_path / "a.gguf")
    assert model_key(path, header=read_header(path), n=1) == model_key(path, n=1)


@pytest.mark.parametrize(
    "parameters",
    [{"type_k": "q8_0", "swa_full": False}, {"type_k": "f16", "swa_full": True}, {"type_k": "f16"}, {}],
)
def test_another_setting_is_another_key(tmp_path: Path, parameters: dict[str, Any]) -> None:
    path = _model(tmp_path / "a.gguf")
    assert model_key(path, type_k="f16", swa_full=False) != model_key(path, **parameters)


def test_settings_count_by_name_and_kind_and_not_by_order(tmp_path: Path) -> None:
    path = _model(tmp_path / "a.gguf")
    assert model_key(path, a=1, b=2) == model_key(path, b=2, a=1)
    assert len({model_key(path, a=1, b=2), model_key(path, a=2, b=1), model_key(path, a="1", b=2)}) == 3


def test_another_header_is_another_key(tmp_path: Path) -> None:
    assert model_key(_model(tmp_path / "a.gguf")) != model_key(_model(tmp_path / "b.gguf", name="b model"))


@pytest.mark.parametrize("place", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_other_weights_of_the_same_shape_are_another_key(tmp_path: Path, place: float) -> None:
    path = _model(tmp_path / "a.gguf", extra=(Tensor("big", (4096, 4096), "q8_0"),))
    header = read_header(path)
    before = model_key(path)
    last = header.file_size - SAMPLE_BYTES - header.data_offset
    # What a fine-tuned model changes is everywhere; one run as long as the distance of two samples is enough.
    at = min(int(last * place), last - last // (SAMPLES - 1))
    _overwrite(path, header.data_offset + at, b"\1" * (last // (SAMPLES - 1) + SAMPLE_BYTES))
    assert model_key(path) != before


def test_the_very_first_and_the_very_last_byte_count(tmp_path: Path) -> None:
    path = _model(tmp_path / "a.gguf")
    header = read_header(path)
    keys = {model_key(path)}
    for offset in (header.data_offset, header.file_size - 1):
        _overwrite(path, offset, b"\7")
        keys.add(model_key(path))
    assert len(keys) == 3


def test_every_part_of_a_split_model_counts(tmp_path: Path) -> None:
    first = _model(tmp_path / shard_name("big", 1, 3))
    second, third = (tmp_path / shard_name("big", number, 3) for number in (2, 3))
    with pytest.raises(AppError):
        model_key(first)
    second.write_bytes(bytes(100_000))
    third.write_bytes(bytes(50))
    keys = {model_key(first)}
    third.write_bytes(bytes(51))
    keys.add(model_key(first))
    _overwrite(second, 99_999, b"\1")
    keys.add(model_key(first))
    assert len(keys) == 3


def test_a_model_of_5_gb_is_known_without_reading_it(tmp_path: Path) -> None:
    path = _model(tmp_path / "a.gguf", extra=(Tensor("big", (4096, 1_250_000), "q8_0"),))
    assert path.stat().st_size > 5e9
    times = []
    for _ in range(5):
        began = time.thread_time()  # of this thread alone: the machine may have other things to do
        model_key(path, type_k="f16")
        times.append(time.thread_time() - began)
    assert min(times) < 0.2  # 7 ms on the machine of the figures; to read it takes seconds
