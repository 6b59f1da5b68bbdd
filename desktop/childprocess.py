"""How a child of this program is started: the same program in another role, alone in its session.

`-P` keeps the working directory off the child's import path; a session of its own keeps a terminal's Ctrl-C from it.
A child ends at end-of-file on its stdin, so that no orphan outlives its owner.
"""

import os
import subprocess
import sys
from typing import Any, Literal

ChildRole = Literal["engine", "hardware", "sampler", "rpc-worker"]


def child_command(role: ChildRole, *arguments: str) -> list[str]:
    """Return the argument vector that starts this program in `role`, in a checkout, a wheel or a frozen app."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--role", role, *arguments]
    return [sys.executable, "-P", "-m", "desktop", "--role", role, *arguments]


def child_options() -> dict[str, Any]:
    """Return the keyword arguments for subprocess.Popen / asyncio.create_subprocess_exec."""
    environment = dict(os.environ, PYTHONUTF8="1", PYTHONUNBUFFERED="1")
    if sys.platform == "win32":
        return {"env": environment, "creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"env": environment, "start_new_session": True}
