"""Which process made a mark, and whether it still runs.

A process id alone is given again to another process, so its start is part of the identity.
"""

import os
import sys

Process = tuple[int, int]
"""Process id, and when it began in a unit of the system's own."""

UNKNOWN = 0
"""The start of a process that the system does not tell; it counts as running."""


def this_process() -> Process:
    """Return the identity of the calling process."""
    pid = os.getpid()
    return pid, started(pid) or UNKNOWN


def is_alive(process: Process) -> bool:
    """Whether the process that was given this identity still runs; one that waits to be reaped does not."""
    pid, start = process
    found = started(pid)
    return found is not None and (found == start or UNKNOWN in (found, start))


if sys.platform == "linux":

    def started(pid: int) -> int | None:
        """When a process began, in clock ticks since the machine did (field 22 of /proc/PID/stat, proc(5))."""
        try:
            with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - as quick as can be
                # The name of the program is in brackets and may hold anything, brackets too.
                fields = stat.read().rpartition(b")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in (b"Z", b"X") else int(fields[19])

else:

    def started(pid: int) -> int | None:
        """When a process began, in hundredths of a second since the epoch."""
        import psutil  # only where there is no /proc

        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return round(process.create_time() * 100)
        except psutil.NoSuchProcess:
            return None
        except psutil.AccessDenied:
            return UNKNOWN
