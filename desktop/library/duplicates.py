"""Models with the same content. They are listed; nothing is removed by itself. Everything here blocks."""

import contextlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from desktop.library.content import known_sha256, look_alike
from desktop.library.library import Library
from desktop.library.types import InstalledModel
from desktop.library.work import Work


class DuplicateModels(NamedTuple):
    """Models of one content, in the library's order. size: bytes of one of them."""

    sha256: str
    size: int
    models: tuple[InstalledModel, ...]


def find_duplicates(library: Library, work: Work | None = None) -> tuple[DuplicateModels, ...]:
    """Return what takes room more than once, the largest first. Only files of one size that look alike are read.

    Raises FileUnreadable and Stopped.
    """
    work = work or Work()
    groups = [group for group in _of_one_size(library) if len(group) > 1]
    for group in groups:
        work.expect(sum(model.size for model in group))
    found: dict[str, list[InstalledModel]] = defaultdict(list)
    for group in groups:
        for model in group:
            found[known_sha256(library.found, Path(model.path), work)].append(model)
    twice = [DuplicateModels(sha256, same[0].size, tuple(same)) for sha256, same in found.items() if len(same) > 1]
    return tuple(sorted(twice, key=lambda each: -each.size))


def _of_one_size(library: Library) -> list[list[InstalledModel]]:
    """Files of one size that look alike; what is one file on the disk by two names is there once."""
    by_size: dict[int, list[InstalledModel]] = defaultdict(list)
    seen: set[tuple[int, int]] = set()
    for model in library.installed():
        with contextlib.suppress(OSError):  # gone
            status = Path(model.path).stat()
            if not model.missing and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                by_size[model.size].append(model)
    return [group for same_size in by_size.values() for group in _alike(same_size)]


def _alike(models: list[InstalledModel]) -> list[list[InstalledModel]]:
    groups: list[list[InstalledModel]] = []
    for model in models:
        near = next((group for group in groups if look_alike(Path(group[0].path), Path(model.path))), None)
        if near is None:
            groups.append([model])
        else:
            near.append(model)
    return groups
