"""Names of split files: model-00001-of-00004.gguf."""

import re
from pathlib import PurePath
from typing import TypeVar

import msgspec

AnyPath = TypeVar("AnyPath", bound=PurePath)

_SHARD = re.compile(r"^(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.(?i:gguf)$")


class ShardName(msgspec.Struct, frozen=True):
    """The parts of a shard's name; `index` counts from 1."""

    stem: str
    index: int
    count: int


def parse_shard_name(name: str) -> ShardName | None:
    """Split a file name, or return None when it does not name one of several shards."""
    match = _SHARD.match(name)
    if match is None:
        return None
    shard = ShardName(match["stem"], int(match["index"]), int(match["count"]))
    return shard if 1 <= shard.index <= shard.count else None


def shard_name(stem: str, index: int, count: int, *, rest: str = ".gguf") -> str:
    """Name the shard `index` (from 1) of `count`. rest: how the names end."""
    return f"{stem}-{index:05d}-of-{count:05d}{rest}"


def all_shards(first: AnyPath) -> tuple[AnyPath, ...]:
    """Return the paths of every shard that belongs to `first`, here or in a repository; `first` alone when whole."""
    shard = parse_shard_name(first.name)
    if shard is None:
        return (first,)
    names = (shard_name(shard.stem, index, shard.count, rest=first.suffix) for index in range(1, shard.count + 1))
    return tuple(map(first.with_name, names))
