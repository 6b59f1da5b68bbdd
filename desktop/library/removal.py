"""Removing a model: what is ours goes to the trash, of anything else only the entry goes. Everything here blocks."""

import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull
from desktop.gguf.shards import all_shards
from desktop.library.errors import NotOursToRemove
from desktop.library.library import Library
from desktop.library.trash import move_to_trash
from desktop.library.types import InstalledModel

Removal = Literal["trashed", "deleted", "forgotten", "hidden"]
"""In the trash; deleted for good; the entry of a file that is gone; somebody else's file, which stays."""

_log = logging.getLogger(__name__)


class NotDeleted(AppError):
    """The system refuses to delete a file."""

    message = QT_TRANSLATE_NOOP("core", "{path} could not be deleted: {reason}")
    hint = QT_TRANSLATE_NOOP(
        "core", "Check that you may write to its folder and that no program uses it; then remove the model again."
    )


class RemovedModel(NamedTuple):
    """What became of a model. paths: the files that were moved or deleted."""

    model: InstalledModel
    outcome: Removal
    paths: tuple[str, ...] = ()


def remove_model(library: Library, model: InstalledModel, *, permanently: bool = False) -> RemovedModel:
    """Move the files of a model of ours to the trash, or delete them; hide what is somebody else's.

    Of a split model some may be gone already; what is left goes. Raises NotOursToRemove for what came with the set-up,
    NoTrash (nothing was removed) or PartlyInTrash, and NotDeleted.
    """
    if model.bundled:
        raise NotOursToRemove(model=model.name)
    path = Path(model.path)
    files = [shard for shard in all_shards(path) if _is_file(shard)]
    if not files:
        _forget(library, model)
        return RemovedModel(model, "forgotten")
    if not (model.ours_to_remove and library.is_ours(path)):
        _forget(library, model, hide=True)
        return RemovedModel(model, "hidden")
    if permanently:
        _delete(reversed(files))
    else:
        move_to_trash(files[::-1])  # without its first one, a split model is none
    _log.info("removed %s: %s", model.id, "for good" if permanently else "to the trash")
    _remove_empty_folders(path.parent, library.models_folder)
    try:
        _forget(library, model)
    except DiskFull as error:  # the database is on another disk than the model was
        _log.warning("%s is gone and still listed: %s", model.id, error)
    return RemovedModel(model, "deleted" if permanently else "trashed", tuple(map(str, files)))


def _is_file(path: Path) -> bool:
    """Also a link into nowhere; not what lies in a folder that may not be entered, where Path's own would raise."""
    return os.path.islink(path) or os.path.isfile(path)  # noqa: PTH113, PTH114


def _delete(files: Iterable[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise NotDeleted(path=str(file), reason=error.strerror or str(error), detail=error) from error


def _forget(library: Library, model: InstalledModel, *, hide: bool = False) -> None:
    """With every other entry of its file: one of the catalog may have been downloaded by its name on the Hub, too."""
    for entry in (model, *(other for other in library.installed() if other.path == model.path)):
        library.forget(entry, hide=hide)


def _remove_empty_folders(folder: Path, end: Path) -> None:
    with contextlib.suppress(OSError):  # the first that is not empty ends it
        while folder != end and folder.is_relative_to(end):
            folder.rmdir()
            folder = folder.parent
