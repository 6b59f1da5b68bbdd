"""Models with the same content. They are listed; nothing is removed by itself. Everything here blocks."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from desktop.errors import FileUnreadable, Phrase
from desktop.library.content import known_sha256, sample_of
from desktop.library.library import Library
from desktop.library.types import InstalledModel
from desktop.library.walk import identity_of
from desktop.library.work import Work


class DuplicateModels(NamedTuple):
    """Models of one content, in the library's order. size: bytes of one of them."""

    size: int
    models: tuple[InstalledModel, ...]


class Duplicates(NamedTuple):
    """What takes room more than once, the largest first. left_out: what could not be read, and why."""

    groups: tuple[DuplicateModels, ...]
    left_out: tuple[Phrase, ...] = ()


def find_duplicates(library: Library, work: Work | None = None) -> Duplicates:
    """Compare what is on this disk. Only files of one size that look alike are read. Raises Stopped."""
    return _Comparison(library, work or Work()).run()


class _Comparison:
    """Sorts models ever more closely, and leaves out what cannot be read."""

    def __init__(self, library: Library, work: Work) -> None:
        self._library = library
        self._work = work
        self._left_out: list[Phrase] = []

    def run(self) -> Duplicates:
        groups = self._alike([_each_once(self._library.installed())], lambda model: model.size)
        groups = self._alike(groups, self._sample)
        for group in groups:
            self._work.expect(sum(model.size for model in group))
        groups = self._alike(groups, self._sha256)
        found = [DuplicateModels(group[0].size, tuple(group)) for group in groups]
        return Duplicates(tuple(sorted(found, key=lambda each: -each.size)), tuple(self._left_out))

    def _alike(
        self, groups: Iterable[Iterable[InstalledModel]], key: Callable[[InstalledModel], Hashable]
    ) -> list[list[InstalledModel]]:
        """Part each group into those of one `key`; a model that is alone is in none."""
        parted: list[list[InstalledModel]] = []
        for group in groups:
            by_key: dict[Hashable, list[InstalledModel]] = defaultdict(list)
            for model in group:
                try:
                    by_key[key(model)].append(model)
                except FileUnreadable as error:
                    self._left_out.append(Phrase(error.message, error.arguments))
            parted += [same for same in by_key.values() if len(same) > 1]
        return parted

    def _sample(self, model: InstalledModel) -> bytes:
        self._work.check()
        return sample_of(Path(model.path))

    def _sha256(self, model: InstalledModel) -> str:
        return known_sha256(self._library.checksums, Path(model.path), self._work)


def _each_once(models: Iterable[InstalledModel]) -> Iterator[InstalledModel]:
    """Without what is gone; what is one file on the disk by two names is there once."""
    seen: set[tuple[int, int]] = set()
    for model in models:
        with contextlib.suppress(OSError):  # gone
            identity = identity_of(model.path)
            if not model.missing and identity not in seen:
                seen.add(identity)
                yield model
