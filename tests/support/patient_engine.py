"""Engine children that get the time they need to write what they keep at their end, however slow the disk is now.

The real limits are best effort: what is not on the disk within a second is read again some day. A test of what was kept
is not to meet that.
"""

import sys

import pytest

from desktop.engine import process

_CHILD = """
from desktop.childprocess import end_with_owner
from desktop.runtime import child, wire
from desktop.runtime.bindings import leave_out_the_rest
end_with_owner()
leave_out_the_rest()
from desktop.runtime import engine
engine.LAST_WRITES, wire.GRACE = 40.0, 50.0
child.run_engine_child()
"""


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every engine of this test be such a child, and wait for its end."""
    monkeypatch.setattr(process, "child_command", lambda _role: [sys.executable, "-P", "-c", _CHILD])
    monkeypatch.setattr(process, "SHUTDOWN_TIMEOUT", 60.0)
