"""The limits a container or a service puts on this process (Linux control groups, version 1 and 2).

Only the lowest level that this process sees is read together with its parents: inside a container that is the root
of its own hierarchy, outside it is the path in /proc/self/cgroup.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

from desktop.hardware.kernel_files import number, text

_UNLIMITED = 1 << 60
"""Version 1 writes "no limit" as a number near 2**63."""


class Cgroup:
    """Limits of the control group of this process; every figure is None where there is no limit."""

    def __init__(self, *, root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> None:
        self._root = root
        self._paths = _membership(membership)

    def memory_limit(self) -> int | None:
        """The lowest memory limit on the way up, in bytes."""
        limits = map(number, self._memory_limits)
        return min((limit for limit in limits if limit is not None and limit < _UNLIMITED), default=None)

    def memory_used(self) -> int | None:
        """Bytes charged to the group, without the file pages that can be dropped at once."""
        for folder in self._folders("memory"):
            for current, inactive in (
                ("memory.current", "inactive_file"),
                ("memory.usage_in_bytes", "total_inactive_file"),
            ):
                used = number(folder / current)
                if used is not None:
                    return max(used - _statistic(folder / "memory.stat", inactive), 0)
        return None

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

    @functools.cached_property
    def _memory_limits(self) -> tuple[Path, ...]:
        """The files that tell a limit of memory; looked for once, because the sampler reads them every second."""
        names = ("memory.max", "memory.limit_in_bytes")
        return tuple(file for folder in self._folders("memory") for name in names if (file := folder / name).exists())

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


def _statistic(file: Path, key: str) -> int:
    for line in text(file).splitlines():
        name, _, value = line.partition(" ")
        if name == key and value.isdecimal():
            return int(value)
    return 0
