"""What a person can do with the models on this disk: list, scan, import, check, remove them.

Everything long runs in a thread, tells how far it is in the caller's loop, and ends when its task is cancelled.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from desktop.errors import QT_TRANSLATE_NOOP, AppError
from desktop.files import folder_problem
from desktop.services import Services
from desktop.settings import MODELS_FOLDER
from desktop.threads import in_daemon_thread, tell_loop, until_ended

if TYPE_CHECKING:
    from desktop.library.duplicates import Duplicates
    from desktop.library.importing import ImportedModel
    from desktop.library.removal import RemovedModel
    from desktop.library.scan import ScanProgress, ScanReport
    from desktop.library.types import InstalledModel
    from desktop.library.verification import VerifiedModel
    from desktop.library.work import Work

T = TypeVar("T")

BytesDone = Callable[[int, int], None]
"""Bytes done, bytes in all. Called in the caller's loop, at most twenty times a second."""

_LONGEST_END = 5.0  # seconds that a cancelled work may take to notice


class NotAFolder(AppError):
    """What was given as a folder is none, or cannot be named."""

    message = QT_TRANSLATE_NOOP("core", 'The folder "{path}" cannot be added: {reason}')
    hint = QT_TRANSLATE_NOOP("core", "Choose a folder that is there and that you may read.")


async def list_models(services: Services) -> "tuple[InstalledModel, ...]":
    """Return what is known to be on this disk, each with its condition. Looks for nothing new: see scan_library."""
    return await asyncio.to_thread(lambda: services.library.installed())  # noqa: PLW0108 - opening it blocks, too


async def find_entry(services: Services, reference: str, *, alone: bool = False) -> "InstalledModel":
    """Return what `reference` names, in whatever condition it is. Raises what Library.entry raises."""
    return await asyncio.to_thread(lambda: services.library.entry(reference, alone=alone))


async def scan_library(
    services: Services, *, on_progress: "Callable[[ScanProgress], None] | None" = None
) -> "ScanReport":
    """Look for models in the models folder, in added folders and in what other programs have.

    Only headers of files that changed are read. What was read before a cancel is kept. Raises the errors of database.
    """
    chosen = bool(services.settings.get(MODELS_FOLDER))
    tell = _in_this_loop(on_progress)
    return await _stoppable(lambda work: services.library.scan(chosen=chosen, work=work, on_progress=tell), None)


async def list_folders(services: Services) -> tuple[Path, ...]:
    """Return the folders that the person added, oldest first."""
    return await asyncio.to_thread(lambda: services.library.found.folders())  # noqa: PLW0108 - opening it blocks, too


async def add_folder(services: Services, folder: Path) -> Path:
    """Look into `folder`, too, at each scan from now on; returns it as a full path. Raises NotAFolder.

    One that is looked into already is returned as it was added. Scans nothing yet.
    """
    from desktop.library.walk import same_one

    def add() -> Path:
        path = _checked_folder(folder)
        there = same_one(path, services.library.found.folders())
        services.library.found.add_folder(there or path)
        return there or path

    return await asyncio.to_thread(add)


async def remove_folder(services: Services, folder: Path) -> None:
    """Look into an added folder no more, and list nothing of it. Its files stay as they are."""
    await asyncio.to_thread(lambda: services.library.found.remove_folder(folder))


async def import_model(
    services: Services, path: Path, *, copy: bool = False, on_progress: BytesDone | None = None
) -> "ImportedModel":
    """Add a model file: used where it is, or copied into the models folder.

    One that is there already, by another name or with the same content, is answered as that. Raises what
    library.importing.import_model raises.
    """
    from desktop.library.importing import import_model as work_on

    return await _stoppable(lambda work: work_on(services.library, path, copy=copy, work=work), on_progress)


async def verify_model(
    services: Services, model: "InstalledModel", *, on_progress: BytesDone | None = None
) -> "VerifiedModel":
    """Check the files of a model; the library then says what was found.

    Raises what library.verification.verify_model raises.
    """
    from desktop.library.verification import verify_model as work_on

    return await _stoppable(lambda work: work_on(services.library, model, work), on_progress)


async def remove_model(services: Services, model: "InstalledModel", *, permanently: bool = False) -> "RemovedModel":
    """Move a model of ours to the trash, or delete it for good; of any other only the entry goes.

    Raises what library.removal.remove_model raises; after NoTrash ask, then `permanently`.
    """
    from desktop.library.removal import remove_model as work_on

    return await asyncio.to_thread(lambda: work_on(services.library, model, permanently=permanently))


async def find_duplicates(services: Services, *, on_progress: BytesDone | None = None) -> "Duplicates":
    """Return models of the same content, and what could not be read. Reads files of one size that look alike, once."""
    from desktop.library.duplicates import find_duplicates as work_on

    return await _stoppable(lambda work: work_on(services.library, work), on_progress)


def place_to_reveal(model: "InstalledModel") -> Path:
    """Return the file to select in the file manager; where it is gone, the nearest folder that is there. Blocking."""
    path = Path(model.path)
    # Path.exists raises where a folder may not be entered.
    return next((place for place in (path, *path.parents) if os.path.exists(place)), path)  # noqa: PTH110


def _checked_folder(folder: Path) -> Path:
    from desktop.library.references import without_dots

    shown = str(folder).encode("utf-8", "backslashreplace").decode()
    try:
        path = without_dots(folder.expanduser().absolute())
        str(path).encode()
        if problem := folder_problem(str(path)):
            raise NotAFolder(path=shown, reason=problem)
        next(path.iterdir(), None)
    except (RuntimeError, UnicodeEncodeError) as error:  # ~nobody; bytes that are no text
        raise NotAFolder(path=shown, reason=str(error), detail=error) from error
    except OSError as error:
        raise NotAFolder(path=shown, reason=error.strerror or str(error), detail=error) from error
    return path


def _in_this_loop(tell: Callable[..., None] | None) -> Callable[..., None] | None:
    """A function for another thread that calls `tell` in the running loop."""
    return None if tell is None else partial(tell_loop, asyncio.get_running_loop(), tell)


async def _stoppable(do: "Callable[[Work], T]", on_progress: BytesDone | None) -> T:
    """Run `do` in a thread; a cancelled task ends it, and waits until it has ended, so that nothing is in use."""
    from desktop.library.work import Work

    stop = threading.Event()
    work = Work(stop=stop, on_progress=_in_this_loop(on_progress))
    running = asyncio.ensure_future(in_daemon_thread(partial(do, work), name="library"))
    return await until_ended(running, stop=stop.set, at_most=_LONGEST_END)
