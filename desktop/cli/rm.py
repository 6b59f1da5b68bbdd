"""`snug rm`: remove a model, or a folder of the library."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.cli.output import print_json, print_text
from desktop.errors import AppError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from desktop.services import Services

_SAID = {
    "trashed": "moved to the trash: {path}",
    "deleted": "deleted: {path}",
    "forgotten": "forgotten: {id}, whose file was gone",
    "hidden": "not listed any more: {id}. Its file is not Snug's and stays: {path}",
    "folder_removed": "not looked at any more: {path}. Its files stay",
}


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed as JSON. outcome: trashed, deleted, forgotten, hidden or folder_removed.

    id: null for a folder. path: of the model or the folder. paths: the files that were moved or deleted.
    """

    id: str | None
    path: str
    outcome: str
    paths: tuple[str, ...] = ()


def add_parser(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = verbs.add_parser("rm", help="move a model to the trash, or list it no more where its file is not Snug's")
    parser.add_argument("model", metavar="MODEL", help="an installed model, or a folder that was imported")
    parser.add_argument("--permanently", action="store_true", help="delete it instead, where there is no trash")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Remove it, and say what became of it."""
    from desktop.actions.library import find_entry, remove_model

    result = await _remove_folder(services, arguments.model)
    if result is None:
        model = await find_entry(services, arguments.model, alone=True)
        removed = await remove_model(services, model, permanently=arguments.permanently)
        result = Removed(id=model.id, path=model.path, outcome=removed.outcome, paths=removed.paths)
    if arguments.json:
        print_json(result)
    else:
        print_text(_SAID[result.outcome].format(id=result.id, path=result.path))
    return 0


async def _remove_folder(services: "Services", reference: str) -> Removed | None:
    """Remove an imported folder of that name; None where none is called so."""
    from desktop.actions.library import list_folders, remove_folder

    if not reference:  # a variable that is not set; Path would take it for the current folder
        return None
    folder = await asyncio.to_thread(_meant, reference, await list_folders(services))
    if folder is None:
        return None
    await remove_folder(services, folder)
    return Removed(id=None, path=str(folder), outcome="folder_removed")


def _meant(reference: str, folders: tuple[Path, ...]) -> Path | None:
    """The folder that the person added and names, however it is spelled."""
    from desktop.library.references import full_path
    from desktop.library.walk import same_one

    try:
        return same_one(full_path(Path(reference)), folders)
    except AppError:  # no path; a model may be called so
        return None
