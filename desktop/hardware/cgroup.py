"""The limits a container or a service puts on this process (Linux control groups, version 1 and 2).

Only the lowest level that this process sees is read together with its parents: inside a container that is the root
of its own hierarchy, outside it is the path in /proc/self/cgroup.
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from desktop.hardware.kernel_files import number, text

_UNLIMITED = 1 << 60
"""Version 1 writes "no limit" as a number near 2**63."""


class _MemoryFiles(NamedTuple):
    """What one level tells of its memory: its limit, its use, and under which key what of that can be dropped."""

    limit: Path
    used: Path
    statistics: Path
    inactive: str


_MEMORY_NAMES = (
    _MemoryFiles(Path("memory.max"), Path("memory.current"), Path("memory.stat"), "inactive_file"),
    _MemoryFiles(
        Path("memory.limit_in_bytes"), Path("memory.usage_in_bytes"), Path("memory.stat"), "total_inactive_file"
    ),
)
"""Version 2, version 1."""


class Cgroup:
    """Limits of the control group of this process; every figure is None where there is no limit."""

    def __init__(self, *, root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> None:
        self._root = root
        self._paths = _membership(membership)

    def memory_limit(self) -> int | None:
        """The lowest memory limit on the way up, in bytes."""
        return min((limit for limit, _ in self._limited()), default=None)

    def memory_left(self) -> int | None:
        """Bytes that this process may still take: the least that any level on the way up leaves.

        A parent's limit is shared with its other members, so each level's own use counts against its own limit. File
        pages that can be dropped at once are not counted as used.
        """
        return min((max(limit - _used(files), 0) for limit, files in self._limited()), default=None)

    def cpu_limit(self) -> float | None:
        """The lowest quota on the way up, in whole processors (1.5 = one and a half)."""
        return min(self._quotas(), default=None)

    def _quotas(self) -> Iterator[float]:
        for folder in self._folders("cpu"):
            quota, _, period = text(folder / "cpu.max").partition(" ")
            if not quota:
                quota, period = text(folder / "cpu.cfs_quota_us"), text(folder / "cpu.cfs_period_us")
            if quota.isdecimal() and period.isdecimal() and int(period):
                yield int(quota) / int(period)

    def _limited(self) -> Iterator[tuple[int, _MemoryFiles]]:
        """The limits of memory in bytes, innermost first, with the files of their level."""
        for files in self._memory_files:
            limit = number(files.limit)
            if limit is not None and limit < _UNLIMITED:
                yield limit, files

    @functools.cached_property
    def _memory_files(self) -> tuple[_MemoryFiles, ...]:
        """The levels that may have a limit; looked for once, because the sampler reads them every second."""
        return tuple(
            _MemoryFiles(folder / names.limit, folder / names.used, folder / names.statistics, names.inactive)
            for folder in self._folders("memory")
            for names in _MEMORY_NAMES
            if (folder / names.limit).exists()
        )

    def _folders(self, controller: str) -> Iterator[Path]:
        """The folders of this process for `controller`, innermost first, both versions."""
        for base, path in ((self._root, self._paths.get("")), (self._root / controller, self._paths.get(controller))):
            parts = Path((path or "/").lstrip("/")).parts
            for depth in range(len(parts), -1, -1):
                yield base.joinpath(*parts[:depth])


def _membership(file: Path) -> dict[str, str]:
    """Controller -> path; version 2 has the empty controller."""
    paths: dict[str, str] = {}
    for line in text(file).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _used(files: _MemoryFiles) -> int:
    return max((number(files.used) or 0) - _statistic(files.statistics, files.inactive), 0)


def _statistic(file: Path, key: str) -> int:
    for line in text(file).splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.isdecimal():
            return int(value)
    return 0
