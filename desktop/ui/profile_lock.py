"""The lock of a profile: one window holds it. Needs no network module, so that it costs a start nothing."""

from pathlib import Path

from PySide6.QtCore import QLockFile


class ProfileLock:
    """Held by the one window of a profile; given back by the system when the process ends in any way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = QLockFile(str(path))
        self._lock.setStaleLockTime(0)

    def acquire(self) -> bool:
        """Whether no other window has the profile.

        Where no file can be written (a full or read-only disk) there is nothing to guard: the window opens, and what
        it cannot save it says itself.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return True
        return self._lock.tryLock(0) or self._lock.error() is not QLockFile.LockError.LockFailedError

    def release(self) -> None:
        """Let another window be the one."""
        self._lock.unlock()
