"""`snug import`: add a model file, or a folder with models, to the library."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from desktop.cli.output import print_json, print_note, print_text
from desktop.cli.progress import ByteProgress
from desktop.errors import FileUnreadable
from desktop.sizes import gb

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from desktop.services import Services

_SAID = {
    "added": "added: {id} is used where it is",
    "copied": "copied: {id} is in the models folder",
    "already_there": "already there: {id}",
}


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed as JSON. outcome: added, copied, already_there or folder_added.

    path: of the model as the library has it, or of the folder. id, name, quantization, size: null for a folder.
    models: ids; of a folder everything that is listed from it.
    """

    path: str
    outcome: str
    models: tuple[str, ...]
    id: str | None = None
    name: str | None = None
    quantization: str | None = None
    size: int | None = None


def add_parser(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = verbs.add_parser("import", help="add a model file, or a folder with models, to the library")
    parser.add_argument("path", metavar="PATH", help="a GGUF file (of a split model any of its files), or a folder")
    parser.add_argument("--copy", action="store_true", help="copy the file into the models folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """Add it, and say what it is called."""
    path = Path(arguments.path)
    if not arguments.path:  # a variable that is not set; Path would take it for the current folder
        raise FileUnreadable(path='""', reason="it is empty")
    if not arguments.copy and await asyncio.to_thread(_is_folder, path):
        result = await _add_folder(services, path)
        said = f"listed from now on: what is below {result.path} (models found: {len(result.models)})"
    else:
        result = await _add_file(services, path, copy=arguments.copy)
        said = f"{_SAID[result.outcome].format(id=result.id)} ({gb(result.size or 0)}, {result.path})"
    if arguments.json:
        print_json(result)
    else:
        print_text(said)
    return 0


async def _add_file(services: "Services", path: Path, *, copy: bool) -> Imported:
    from desktop.actions.library import import_model

    with ByteProgress("Copying" if copy else "Comparing") as progress:
        model, outcome = await import_model(services, path, copy=copy, on_progress=progress)
    return Imported(
        path=model.path,
        outcome=outcome,
        models=(model.id,),
        id=model.id,
        name=model.name,
        quantization=model.quantization,
        size=model.size,
    )


async def _add_folder(services: "Services", path: Path) -> Imported:
    from desktop.actions.library import add_folder, list_models, scan_library

    folder = await add_folder(services, path)
    report = await scan_library(services)
    for problem in report.problems:
        print_note(f"note: {problem.render()}")
    models = await list_models(services)
    ids = tuple(model.id for model in models if Path(model.path).is_relative_to(folder))
    return Imported(path=str(folder), outcome="folder_added", models=ids)


def _is_folder(path: Path) -> bool:
    try:
        return path.expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, nobody's home, a NUL: the import says what is wrong
        return False
