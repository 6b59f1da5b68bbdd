"""Split files."""

from pathlib import Path

import pytest

from desktop.gguf.shards import ShardName, all_shards, parse_shard_name, shard_name


def test_a_shard_names_its_place_and_its_siblings() -> None:
    assert parse_shard_name("qwen-00002-of-00003.gguf") == ShardName("qwen", 2, 3)
    first = Path("models/qwen-00001-of-00003.gguf")
    assert [path.name for path in all_shards(first)] == [shard_name("qwen", index, 3) for index in (1, 2, 3)]
    assert all_shards(first)[0] == first


def test_siblings_end_as_the_first_does() -> None:
    """On most file systems another spelling is another file."""
    names = [path.name for path in all_shards(Path("m/Big-00001-of-00002.GGUF"))]
    assert names == ["Big-00001-of-00002.GGUF", "Big-00002-of-00002.GGUF"]
    assert parse_shard_name("Big-00001-OF-00002.gguf") is None, "nothing writes names so, and its siblings are unknown"


@pytest.mark.parametrize("name", ["model.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "m-1-of-3.gguf"])
def test_a_file_that_is_not_split_stands_alone(name: str) -> None:
    assert parse_shard_name(name) is None
    assert all_shards(Path(name)) == (Path(name),)
