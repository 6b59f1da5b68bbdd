"""How many threads decode fastest: one per physical core that this process may use and that nobody else keeps busy.

The threads of one step wait for each other at every layer. One that shares its core with another program holds all of
them up: on two cores, one of them busy, two threads decode at 40 % of the speed of one.
"""

import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import psutil

_CPUINFO = Path("/proc/cpuinfo")
INTERVAL = 0.5
"""Seconds between two looks: the system counts in hundredths, so a shorter window tells little."""
STALE = 10.0
"""Seconds; a longer window began before the engine was idle and says nothing about now. Steps that last seconds are
what two threads on a busy machine take, and no reason to look away."""
QUIET = 3.0
"""Seconds that more cores must have been free before more threads run: a build or a page pauses in between."""


def physical_cores() -> int:
    """Physical cores this process may run on; at least 1.

    Two threads of one core share its vector units, so more threads than cores slow decode down.
    """
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if sys.platform == "linux" and _CPUINFO.exists():
        return max(1, min(usable, count_cores(_CPUINFO.read_text("utf-8", "replace").splitlines()) or usable))
    if sys.platform == "win32":
        return max(1, usable // 2)  # most x86 machines run two threads per core; the setting overrides it
    return usable


def count_cores(lines: Iterable[str]) -> int:
    """Count distinct (package, core) pairs of /proc/cpuinfo; 0 where it does not tell (ARM)."""
    cores: set[tuple[str, str]] = set()
    package = "0"
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "physical id":
            package = value.strip()
        elif key.strip() == "core id":
            cores.add((package, value.strip()))
    return len(cores)


class CpuTimes(NamedTuple):
    """Seconds of CPU time since some moment: of every program on the cores this process may use, and of this one."""

    everyone: float
    own: float


Clock = Callable[[], CpuTimes | None]


def open_clock() -> Clock:
    """Return what reads the CPU times of this system; it returns None where the system has none to tell."""
    clock = _linux_clock() if sys.platform == "linux" else _other_clock
    try:
        clock()
    except (OSError, ValueError, IndexError, psutil.Error):
        return lambda: None
    return clock


def _linux_clock() -> Callable[[], CpuTimes]:
    """Read /proc/stat, which takes 10 us; psutil reads the same file."""
    ticks = os.sysconf("SC_CLK_TCK")
    usable = os.sched_getaffinity(0)
    lines = [b"cpu "] if len(usable) == os.cpu_count() else [b"cpu%d " % core for core in sorted(usable)]

    def read() -> CpuTimes:
        stat = Path("/proc/stat").read_bytes()
        own = time.process_time()
        return CpuTimes(sum(busy_ticks(stat, line) for line in lines) / ticks, own)

    return read


def busy_ticks(stat: bytes, line: bytes) -> int:
    """Return the busy time that a line of /proc/stat tells, in ticks. Raises ValueError, IndexError.

    "nice" is left out: what was started with a low priority leaves a core when somebody wants it. "steal" is what
    another virtual machine took. Columns: man 5 proc.
    """
    start = stat.index(line)
    columns = [int(column) for column in stat[start : stat.index(b"\n", start)].split()[1:]]
    user, _nice, system, _idle, _waiting, interrupts, soft_interrupts, steal = columns[:8]
    return user + system + interrupts + soft_interrupts + steal


def _other_clock() -> CpuTimes:
    times = psutil.cpu_times()
    return CpuTimes(times.user + times.system, time.process_time())


class ThreadGovernor:
    """Tells how many threads to use while other programs come and go.

    Fewer at once, when more than half a core is taken; more only after QUIET seconds with cores to spare. limit: the
    most threads; cores: physical cores, of which others take some. Where the system tells no CPU times, the number
    never changes.
    """

    def __init__(self, limit: int, *, cores: int | None = None, clock: Clock | None = None) -> None:
        self._limit, self._cores, self._clock = limit, cores or physical_cores(), clock or open_clock()
        self.threads = limit
        self._before: CpuTimes | None = None
        self._looked = -math.inf
        self._quiet_since: float | None = None
        self._quiet_threads = limit

    def look(self, now: float) -> int | None:
        """Return the new number of threads when it changes, else None. now: of time.monotonic.

        Costs 0.1 us, and 20 us every INTERVAL; to be called from the loop that decodes.
        """
        window = now - self._looked
        if window < INTERVAL:
            return None
        before, self._before, self._looked = self._before, self._clock(), now
        if before is None or self._before is None or window > STALE:
            self._quiet_since = None
            return None
        others = (self._before.everyone - before.everyone) - (self._before.own - before.own)
        return self._change(self._wanted(others / window), now, now - window)

    def _wanted(self, taken: float) -> int:
        """Threads for the cores that are left when others take so many of them."""
        return max(1, min(self._limit, self._cores - math.floor(max(0.0, taken) + 0.5)))

    def _change(self, wanted: int, now: float, window_start: float) -> int | None:
        if wanted < self.threads:
            return self._set(wanted)
        if wanted == self.threads:
            self._quiet_since = None
            return None
        if self._quiet_since is None:
            self._quiet_since, self._quiet_threads = window_start, wanted
        self._quiet_threads = min(self._quiet_threads, wanted)
        return self._set(self._quiet_threads) if now - self._quiet_since >= QUIET else None

    def _set(self, threads: int) -> int:
        self._quiet_since = None
        self.threads = threads
        return threads
