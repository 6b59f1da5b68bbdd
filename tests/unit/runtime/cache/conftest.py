"""Tiers over a real folder, and states that can be told from each other."""

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from desktop.engine.protocol import CacheLimits
from desktop.runtime.cache.tiers import Tiers

MIB = 2**20


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def state_of(tokens: Sequence[int], size: int = 2000) -> bytes:
    """The one right state of these tokens."""
    return hashlib.shake_128(array("i", tokens).tobytes()).digest(size)


OpenTiers = Callable[..., Tiers]


@pytest.fixture
def cache_root(tmp_path: Path) -> Path:
    return tmp_path / "waiting"


@pytest.fixture
def open_tiers(cache_root: Path) -> Iterator[OpenTiers]:
    """Opens tiers on `cache_root`; they are closed at the end."""
    opened: list[Tiers] = []

    def opener(
        *,
        ram: int = 0,
        disk: int = 64 * MIB,
        root: Path = cache_root,
        model_key: str = "model",
        engine: str = "1",
        **more: object,
    ) -> Tiers:
        limits = CacheLimits(ram_bytes=ram, disk_folder=str(root), disk_bytes=disk)
        tiers = Tiers(limits, model_key=model_key, engine=engine, **more)  # type: ignore[arg-type]
        opened.append(tiers)
        return tiers

    yield opener
    for tiers in opened:
        tiers.close(60)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def write_entry(tiers: Tiers, tokens: list[int], size: int = 2000) -> Path:
    """Put a state on the disk; returns its file."""
    before = set(_files(tiers))
    assert tiers.persist(tokens, "", state_of(tokens, size))
    assert tiers.flush(60)
    return (set(_files(tiers)) - before).pop()


def _files(tiers: Tiers) -> list[Path]:
    assert tiers._disk is not None
    return sorted(tiers._disk._folder.root.glob("*/*.kv"))


def suffixes(root: Path) -> list[str]:
    return sorted(path.suffix for path in root.rglob("*") if not path.is_dir())
