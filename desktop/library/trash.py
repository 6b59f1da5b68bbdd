"""The system's trash. docs/decisions/0020 says why it is send2trash, and what each system does."""

import os
import sys
from pathlib import Path

from desktop.errors import QT_TRANSLATE_NOOP, AppError


class NoTrash(AppError):
    """The disk with the file has no trash that may be used, or the file may not be moved there."""

    message = QT_TRANSLATE_NOOP("core", "{path} cannot be moved to the trash: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Nothing was removed. It can only be deleted for good, if you want that.")


def move_to_trash(path: Path) -> None:
    """Move a file to the trash; a link goes there itself, not what it points to. Blocking. Raises NoTrash."""
    # Reads the folders of the environment when it is imported, and on Windows loads COM.
    from send2trash import send2trash

    if sys.platform == "win32" and str(path).startswith("\\\\"):
        # Windows has no trash for a share, and would delete the file without a word (send2trash issues 2 and 94).
        raise NoTrash(path=str(path), reason="it lies on another machine")
    try:
        send2trash(os.fspath(path))
    except OSError as error:  # TrashPermissionError is one
        raise NoTrash(path=str(path), reason=error.strerror or str(error), detail=error) from error
    if os.path.lexists(path):
        raise NoTrash(path=str(path), reason="it is still there")
