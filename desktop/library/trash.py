"""The system's trash. docs/decisions/0020 says why it is send2trash, and what each system does."""

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from desktop.errors import QT_TRANSLATE_NOOP, AppError


class NoTrash(AppError):
    """The disk with the file has no trash that may be used, or the file may not be moved there."""

    message = QT_TRANSLATE_NOOP("core", "{path} cannot be moved to the trash: {reason}")
    hint = QT_TRANSLATE_NOOP(
        "core", 'Nothing was removed. It can only be deleted for good, if you want that ("snug rm --permanently").'
    )


class NoTrashOnAnotherMachine(NoTrash):
    """The file lies on a share of the network."""

    message = QT_TRANSLATE_NOOP("core", "{path} cannot be moved to the trash: it lies on another machine.")


class PartlyInTrash(NoTrash):
    """Of several files some are in the trash, and then one could not be moved there."""

    hint = QT_TRANSLATE_NOOP(
        "core", 'Already in the trash: {names}. Put them back, or delete the rest for good ("snug rm --permanently").'
    )


def move_to_trash(paths: Sequence[Path]) -> None:
    """Move files to the trash in this order; a link goes there itself, not what it points to. Blocking.

    Raises NoTrash: where it can be told beforehand, or with the first one, nothing was moved; else PartlyInTrash.
    """
    for path in paths:
        _check(path)
    for index, path in enumerate(paths):
        try:
            _move(path)
        except NoTrash as error:
            if index == 0:
                raise
            names = ", ".join(moved.name for moved in paths[:index])
            raise PartlyInTrash(**error.arguments, names=names, detail=error.detail) from error


def _check(path: Path) -> None:
    if sys.platform == "win32":
        if str(path).startswith("\\\\"):
            # Windows has no trash for a share, and would delete it without a word (send2trash issues 2 and 94).
            raise NoTrashOnAnotherMachine(path=str(path))
        return
    # On macOS a file may be moved by who may write to its folder.
    needed = (path.parent,) if sys.platform == "darwin" else (path.parent, path)
    if not all(os.access(place, os.W_OK) for place in needed):
        raise NoTrash(path=str(path), reason=os.strerror(errno.EACCES))


def _move(path: Path) -> None:
    # Reads the folders of the environment when it is imported, and on Windows loads COM.
    from send2trash import send2trash

    try:
        send2trash(os.fspath(path))
    except OSError as error:  # TrashPermissionError is one
        raise NoTrash(path=str(path), reason=error.strerror or str(error), detail=error) from error
    if os.path.lexists(path):
        raise NoTrash(path=str(path), reason=os.strerror(errno.EEXIST))
