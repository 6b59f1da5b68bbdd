"""How a child of this program is started: the same program in another role, alone in its session.

`-P` keeps the working directory off the child's import path; a session of its own keeps a terminal's Ctrl-C from it.
A child ends at end-of-file on its stdin, so that no orphan outlives its owner. That is the rule that counts; each
system has a second way, for a child that cannot read any more or whose pipe somebody else holds open:
Linux a signal at the owner's death (also for a stopped child), Windows a job object, macOS a kernel event.
"""

import contextlib
import os
import subprocess
import sys
import threading
from typing import Any, Literal

ChildRole = Literal["engine", "hardware", "sampler", "rpc-worker", "dry-run", "speed-probe"]
_OWNER = "SNUG_OWNER"
"""Names the owner's process id to the child."""


def child_command(role: ChildRole, *arguments: str) -> list[str]:
    """Return the argument vector that starts this program in `role`, in a checkout, a wheel or a frozen app."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--role", role, *arguments]
    return [sys.executable, "-P", "-m", "desktop", "--role", role, *arguments]


def child_options() -> dict[str, Any]:
    """Return the keyword arguments for subprocess.Popen / asyncio.create_subprocess_exec."""
    environment = dict(os.environ, PYTHONUTF8="1", PYTHONUNBUFFERED="1")
    # Linux sends its signal when the THREAD that started the child ends, so another than the main one names nobody.
    if threading.current_thread() is threading.main_thread():
        environment[_OWNER] = str(os.getpid())
    if sys.platform == "win32":
        return {"env": environment, "creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"env": environment, "start_new_session": True}


def end_with_owner() -> None:
    """In a child, before anything else: let the system end this process when its owner is gone."""
    owner = os.environ.pop(_OWNER, "")
    if not owner.isdecimal():
        return
    if sys.platform == "linux":
        _die_with_parent(int(owner))
    elif sys.platform == "darwin":
        threading.Thread(target=_watch_owner, args=(int(owner),), name="owner watch", daemon=True).start()


def end_with_this_process(pid: int) -> None:
    """In the owner, after a child was started: let the system end it when this process is gone."""
    if sys.platform == "win32":
        _put_into_job(pid)


if sys.platform == "linux":
    import ctypes
    import signal

    _PR_SET_PDEATHSIG = 1  # linux/prctl.h

    def _die_with_parent(owner: int) -> None:
        # Without it (a sandbox that forbids prctl) end-of-file on stdin is left, as everywhere.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # The owner may have died before the call. A parent that is another process (a launcher in between) is fine.
        if os.getppid() != owner and not _lives(owner):
            os._exit(0)

    def _lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


if sys.platform == "darwin":
    import select

    def _watch_owner(owner: int) -> None:
        """Wait for the owner's end (kqueue, NOTE_EXIT). A stopped child notices when it is continued."""
        queue = select.kqueue()
        wish = select.kevent(owner, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT)
        with contextlib.suppress(ProcessLookupError):  # it is gone already
            queue.control([wish], 1, None)
        os._exit(0)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _KILL_ON_JOB_CLOSE, _EXTENDED_LIMITS = 0x2000, 9  # winnt.h
    _SET_QUOTA_AND_TERMINATE = 0x0101  # what AssignProcessToJobObject needs of the process handle

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        )

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = (
            ("Basic", _BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("Memory", ctypes.c_size_t * 4),
        )

    _jobs: list[int] = []
    """The job that every child joins; its handle stays open until this process ends, in whatever way."""

    def _put_into_job(pid: int) -> None:
        """Without a job (a system that refuses one) end-of-file on stdin is left, as everywhere."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        for name in ("CreateJobObjectW", "OpenProcess"):
            getattr(kernel, name).restype = wintypes.HANDLE
        if not _jobs:
            job = kernel.CreateJobObjectW(None, None)
            limits = _ExtendedLimits(Basic=_BasicLimits(LimitFlags=_KILL_ON_JOB_CLOSE))
            kernel.SetInformationJobObject(
                wintypes.HANDLE(job), _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
            )
            _jobs.append(job)
        process = kernel.OpenProcess(_SET_QUOTA_AND_TERMINATE, False, pid)
        if process:
            kernel.AssignProcessToJobObject(wintypes.HANDLE(_jobs[0]), wintypes.HANDLE(process))
            kernel.CloseHandle(wintypes.HANDLE(process))
