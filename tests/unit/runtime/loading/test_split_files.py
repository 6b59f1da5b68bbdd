"""Models in several files: loaded like the whole one, and what is missing is named."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from desktop.engine.failure import CorruptModel, LoadFailure, ModelFileMissing
from desktop.engine.protocol import LoraAdapter
from desktop.gguf.shards import shard_name
from tests.support.engine_replies import loaded_client
from tests.support.engine_talk import greedy, say
from tests.support.gguf_parts import Gguf, i32, u16
from tests.support.models.adapters import write_lora
from tests.support.models.decoders import write_dense

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]
PROMPT = "what did they say about the time"


def split(path: Path, folder: Path) -> list[Path]:
    """The same model in two files, as llama-gguf-split writes them: the metadata in the first, half of the tensors."""
    folder.mkdir()
    whole = Gguf(path.read_bytes())
    names = [tensor.name for tensor in whole.tensors]
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    return [_write_part(path, folder, number, kept, len(names)) for number, kept in enumerate(halves)]


def _write_part(path: Path, folder: Path, number: int, kept: Sequence[bytes], tensors: int) -> Path:
    part = Gguf(path.read_bytes())
    part.drop(*(tensor.name for tensor in part.tensors if tensor.name not in kept))
    if number:
        part.keys.clear()
    part.keys[b"split.no"], part.keys[b"split.count"] = u16(number), u16(2)
    part.keys[b"split.tensors.count"] = i32(tensors)
    target = folder / shard_name("model", number + 1, 2)
    target.write_bytes(part.to_bytes())
    return target


async def text_of(path: Path, **changes: object) -> str:
    async with loaded_client(path, **changes) as client:
        return (await say(client, PROMPT, greedy(30))).text


async def test_a_model_in_two_files_says_what_the_whole_one_says(tmp_path: Path) -> None:
    path = write_dense(tmp_path, layers=2)
    first, second = split(path, tmp_path / "parts")
    assert second.stat().st_size > path.stat().st_size / 4
    assert await text_of(first) == await text_of(path)


async def test_files_whose_names_end_in_capitals_are_loaded(tmp_path: Path) -> None:
    path = write_dense(tmp_path, layers=2)
    first, _ = (part.rename(part.with_suffix(".GGUF")) for part in split(path, tmp_path / "parts"))
    assert await text_of(first) == await text_of(path)


async def test_an_adapter_is_checked_against_the_tensors_of_both_files(tmp_path: Path) -> None:
    path = write_dense(tmp_path, layers=2)
    adapter = (LoraAdapter(path=str(write_lora(tmp_path, layers=2))),)
    first, _ = split(path, tmp_path / "parts")
    assert await text_of(first, lora=adapter) == await text_of(path, lora=adapter) != await text_of(path)


async def test_the_second_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    first, second = split(write_dense(tmp_path, layers=1), tmp_path / "parts")
    second.unlink()
    with pytest.raises(ModelFileMissing, match=second.name):
        await text_of(first)


async def test_the_second_file_that_is_cut_is_named(tmp_path: Path) -> None:
    first, second = split(write_dense(tmp_path, layers=1), tmp_path / "parts")
    second.write_bytes(second.read_bytes()[:-5000])
    with pytest.raises(CorruptModel, match=second.name):
        await text_of(first)


async def test_a_model_is_not_loaded_from_its_second_file(tmp_path: Path) -> None:
    _, second = split(write_dense(tmp_path, layers=1), tmp_path / "parts")
    with pytest.raises(LoadFailure, match="loaded by its first"):
        await text_of(second)
