"""Reads models.json: a bad entry is left out by name, the rest is kept."""

from pathlib import Path

import msgspec

from desktop.catalog.types import Catalog, CatalogModel, CatalogProblem
from desktop.errors import QT_TRANSLATE_NOOP, FileUnreadable
from desktop.files import explained_read, read_bounded

FORMAT = 1
"""The version of models.json that this program reads."""

_LARGEST = 64 * 2**20
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class CatalogUnreadable(FileUnreadable):
    """models.json as a whole cannot be used."""

    message = QT_TRANSLATE_NOOP("core", "The model catalog {path} cannot be read: {reason}")
    hint = QT_TRANSLATE_NOOP("core", "Install Snug again to bring the catalog back. Models on this disk still work.")


class _CatalogFile(msgspec.Struct, forbid_unknown_fields=True):
    """models.json with its entries still unread, so that one bad entry cannot spoil the others."""

    format: int
    models: tuple[msgspec.Raw, ...]


class _Named(msgspec.Struct):
    """The little of an entry that its problem is reported by."""

    id: str


_file = msgspec.json.Decoder(_CatalogFile)
_model = msgspec.json.Decoder(CatalogModel)
_named = msgspec.json.Decoder(_Named)


def load_catalog(path: Path) -> Catalog:
    """Read the catalog at `path`; entries that do not hold are reported in `Catalog.problems`.

    Raises CatalogUnreadable when the file is missing, is not JSON, or has another format.
    """
    file = _read(path)
    models: dict[str, CatalogModel] = {}
    problems = []
    for position, entry in enumerate(file.models, start=1):
        try:
            model = _model.decode(entry)
        except _BAD_JSON as error:
            problems.append(CatalogProblem(entry=_name(entry, position), message=str(error)))
            continue
        if model.id in models:
            problems.append(CatalogProblem(entry=model.id, message="the id is used twice"))
            continue
        models[model.id] = model
    return Catalog(models=tuple(models.values()), problems=tuple(problems))


def _read(path: Path) -> _CatalogFile:
    try:
        with explained_read(path, CatalogUnreadable):
            file = _file.decode(read_bounded(path, most=_LARGEST))
    except _BAD_JSON as error:
        raise CatalogUnreadable(path=str(path), reason=str(error)) from error
    if file.format != FORMAT:
        reason = f"format {file.format}, expected {FORMAT}"
        raise CatalogUnreadable(path=str(path), reason=reason)
    return file


def _name(entry: msgspec.Raw, position: int) -> str:
    """Return the id of a bad entry, or its position when it has none to read."""
    try:
        return _named.decode(entry).id
    except _BAD_JSON:
        return f"entry {position}"
