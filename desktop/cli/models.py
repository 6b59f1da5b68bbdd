"""`snug models`: what is installed, what the catalog knows, and what the Hub has."""

import argparse
import asyncio
from typing import TYPE_CHECKING

import msgspec

from desktop.cli import hub
from desktop.cli.output import print_json, print_note, print_table
from desktop.database import DatabaseBusy
from desktop.errors import DiskFull
from desktop.files import FileNotSaved
from desktop.library.references import loadable
from desktop.sizes import gb

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from desktop.catalog.types import Catalog, CatalogModel
    from desktop.library.types import InstalledModel
    from desktop.services import Services


_STATUS = {"ready": "installed", "gone": "missing", "folder": "missing"}
_WHOSE = {
    "folder": "in a folder of yours",
    "lm-studio": "of LM Studio",
    "jan": "of Jan",
    "gpt4all": "of GPT4All",
    "ollama": "of Ollama",
    "huggingface": "of the Hugging Face cache",
}


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One row: an installed file, or one quantization of the catalog that is not installed.

    id: what MODEL may be. size: bytes, null until the Hub was asked. path: null unless it is on this disk.
    status: "installed", "available"; or what is wrong with its file: "missing", "changed" (since it was looked at),
    "truncated", "damaged". source: whose file it is (library.types.Source), null unless it is on this disk.
    architecture: as its header says, null where nobody looked. context: tokens it was trained for, null where neither
    the catalog nor the header says. parameters, active_parameters: weights, null for a model the catalog does not know.
    """

    id: str
    model: str
    name: str
    quantization: str
    status: str
    size: int | None
    licence: str
    path: str | None = None
    bundled: bool = False
    publisher: str | None = None
    parameters: int | None = None
    active_parameters: int | None = None
    context: int | None = None
    tasks: tuple[str, ...] = ()
    repo: str | None = None
    file: str | None = None
    source: str | None = None
    architecture: str | None = None


def add_parser(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the verb."""
    parser = verbs.add_parser("models", help="list what is installed and what the catalog knows, or search the Hub")
    hub.add_options(parser)
    parser.add_argument("--no-scan", action="store_true", help="list what is known, without looking for new files")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace, services: "Services") -> int:
    """List the models, after a look for what is new on this disk; only what asks the Hub needs a network."""
    if hub.asks_the_hub(arguments):
        return await hub.run(arguments, services)
    if not arguments.no_scan:
        await _look_for_new_ones(services)
    rows = await asyncio.to_thread(lambda: as_rows(services.library.installed(), services.catalog))
    if arguments.json:
        print_json({"models": rows})
    else:
        _print_rows(rows)
    for problem in services.catalog.problems:
        print_note(f'note: "{problem.entry}" of the catalog was left out: {problem.message}')
    return 0


async def _look_for_new_ones(services: "Services") -> None:
    from desktop.actions.library import scan_library

    try:
        report = await scan_library(services)
    except (DatabaseBusy, DiskFull, FileNotSaved) as error:  # what is known can be listed all the same
        print_note(f"note: new files are not listed: {error.explain().message}")
        return
    for problem in report.problems:
        print_note(f"note: {problem.render()}")


def as_rows(installed: "tuple[InstalledModel, ...]", catalog: "Catalog") -> list[ListedModel]:
    """Return what is on this disk first, then what the catalog offers beside it, in the catalog's order."""
    rows = [_installed(model, catalog.find(model.model_id)) for model in installed]
    taken = {(row.model, row.quantization) for row in rows} | loadable(installed, catalog).keys()
    return rows + [
        row for model in catalog.models for row in _offers(model) if (row.model, row.quantization) not in taken
    ]


def _installed(model: "InstalledModel", known: "CatalogModel | None") -> ListedModel:
    row = ListedModel(
        id=model.id,
        model=model.model_id,
        name=model.name,
        quantization=model.quantization,
        status=_STATUS.get(model.condition, model.condition),
        size=model.size,
        licence=model.licence,
        path=model.path,
        bundled=model.bundled,
        repo=model.repo or None,
        file=model.file or None,
        source=model.source,
        architecture=model.architecture or None,
        context=model.context or None,
    )
    return _with_figures(row, known) if known is not None else row


def _offers(model: "CatalogModel") -> list[ListedModel]:
    rows = (
        ListedModel(
            id=f"{model.id}:{quantization.name}",
            model=model.id,
            name=model.name,
            quantization=quantization.name,
            status="available",
            size=quantization.size,
            licence=model.licence,
            repo=quantization.repo,
            file=quantization.file,
        )
        for quantization in model.quantizations
    )
    return [_with_figures(row, model) for row in rows]


def _with_figures(row: ListedModel, model: "CatalogModel") -> ListedModel:
    return msgspec.structs.replace(
        row,
        publisher=model.publisher,
        parameters=model.parameters,
        active_parameters=model.active_parameters,
        context=model.training_context,
        tasks=model.tasks,
    )


def _print_rows(rows: list[ListedModel]) -> None:
    table: list[tuple[str, ...]] = [("MODEL", "STATUS", "SIZE", "PARAMETERS", "LICENCE")]
    for row in rows:
        size = "" if row.size is None else gb(row.size)
        status = "comes with Snug" if row.bundled else row.status
        if row.source in _WHOSE:
            status += f", {_WHOSE[row.source]}"
        table.append((row.id, status, size, _billions(row), row.licence))
    print_table(table, right=(2, 3))


def _billions(row: ListedModel) -> str:
    """Parameters as models are named: 8.2B, and 30.5B (3.3B active) for a mixture of experts."""
    if row.parameters is None:
        return ""
    text = f"{row.parameters / 1e9:.1f}B"
    if row.active_parameters not in (None, row.parameters):
        text += f" ({(row.active_parameters or 0) / 1e9:.1f}B active)"
    return text
