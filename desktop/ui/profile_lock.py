"""The lock of a profile: one window holds it. Needs no network module, so that it costs a start nothing."""

from pathlib import Path

from PySide6.QtCore import QLockFile


class ProfileLock:
    """Held by the one window of a profile; given back by the system when the process ends in any way."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = QLockFile(str(path))
        self._lock.setStaleLockTime(0)

    def acquire(self) -> bool:
        """Whether this process is now the one."""
        return self._lock.tryLock(0)

    def release(self) -> None:
        """Let another window be the one."""
        self._lock.unlock()
