"""Removing a model: what is ours goes to the trash, of anything else only the entry goes. Everything here blocks."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Literal, NamedTuple

from desktop.files import explained_write
from desktop.gguf.shards import all_shards
from desktop.library.errors import NotOursToRemove
from desktop.library.library import Library
from desktop.library.trash import move_to_trash
from desktop.library.types import InstalledModel

Removal = Literal["trashed", "deleted", "forgotten", "hidden"]
"""In the trash; deleted for good; the entry of a file that is gone; somebody else's file, which stays."""

_log = logging.getLogger(__name__)


class RemovedModel(NamedTuple):
    """What became of a model. paths: the files that were moved or deleted."""

    model: InstalledModel
    outcome: Removal
    paths: tuple[str, ...] = ()


def remove_model(library: Library, model: InstalledModel, *, permanently: bool = False) -> RemovedModel:
    """Move the files of a model of ours to the trash, or delete them; hide what is somebody else's.

    Raises NotOursToRemove for what came with the set-up, NoTrash (nothing was removed), FileNotSaved.
    """
    if model.bundled:
        raise NotOursToRemove(model=model.name)
    path = Path(model.path)
    shards = [shard for shard in all_shards(path) if os.path.lexists(shard)]  # some may be gone since it was listed
    if model.missing or not shards:
        library.forget(model)
        return RemovedModel(model, "forgotten")
    if not (model.ours_to_remove and library.is_ours(path)):
        library.forget(model, hide=True)
        return RemovedModel(model, "hidden")
    for shard in reversed(shards):  # without its first one, a split model is none
        if permanently:
            with explained_write(shard):
                shard.unlink(missing_ok=True)
        else:
            move_to_trash(shard)
    _log.info("removed %s: %s", model.id, "for good" if permanently else "to the trash")
    _remove_empty_folders(path.parent, library.models_folder)
    for entry in library.installed():  # a file of the catalog's may have been downloaded by its name on the Hub, too
        if entry.path == model.path:
            library.forget(entry)
    return RemovedModel(model, "deleted" if permanently else "trashed", tuple(map(str, shards)))


def _remove_empty_folders(folder: Path, end: Path) -> None:
    with contextlib.suppress(OSError):  # the first that is not empty ends it
        while folder != end and folder.is_relative_to(end):
            folder.rmdir()
            folder = folder.parent
