"""The models on this disk: what came with the set-up, and what was downloaded. Everything here blocks.

Async callers use asyncio.to_thread. A model named by its path is used in place and never stored.
"""

import contextlib
import logging
import time
from pathlib import Path
from typing import Any, Self

from desktop.catalog.file_names import UnsafeName, check_file, check_repo, printable, quantization_of
from desktop.catalog.hub import HubFile
from desktop.catalog.types import Catalog
from desktop.database import Database, open_database
from desktop.errors import FileUnreadable
from desktop.files import explained_read, explained_write
from desktop.gguf.header import read_header
from desktop.gguf.shards import all_shards
from desktop.library.errors import ModelFileGone, NotOursToRemove, UnnameableFile
from desktop.library.migrations import MIGRATIONS
from desktop.library.references import (
    catalog_choice,
    hub_choice,
    looks_like_path,
    split_reference,
    unknown_model,
)
from desktop.library.starter import StarterModelMissing, starter_model
from desktop.library.types import CatalogChoice, InstalledModel, catalog_key

_COLUMNS = "id, model_id, name, quantization, path, size, added, licence, sha256, repo, file, revision"
_log = logging.getLogger(__name__)


class Library:
    """The installed models. `database` is shared with the download queue."""

    def __init__(self, database: Database, models_folder: Path) -> None:
        self.database = database
        self.models_folder = models_folder

    @classmethod
    def open(cls, database_path: Path, models_folder: Path) -> Self:
        """Open the library. Raises the errors of desktop.database."""
        return cls(open_database(database_path, name="library", migrations=MIGRATIONS), models_folder)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def installed(self) -> tuple[InstalledModel, ...]:
        """Return the starter and what was added, oldest first. A model whose file is gone is marked `missing`."""
        rows = self.database.read(f"SELECT {_COLUMNS} FROM models ORDER BY added, id")  # noqa: S608 - a constant
        models = tuple(_model(row) for row in rows)
        taken = {model.id for model in models}
        return (*(model for model in _starter() if model.id not in taken), *models)

    def register(
        self,
        *,
        path: Path,
        model_id: str,
        quantization: str,
        name: str = "",
        licence: str = "",
        source: HubFile | None = None,
    ) -> InstalledModel:
        """Add a model, or replace the entry of the same id.

        path: of a split model the first shard. source: where that file came from. Raises FileUnreadable.
        """
        with explained_read(path):
            size = sum(shard.stat().st_size for shard in all_shards(path))
        key = catalog_key(model_id, quantization)
        origin = (source.sha256, source.repo, source.file, source.revision) if source else ("", "", "", "")
        values = (key, model_id, name or model_id, quantization, str(path), size, time.time(), licence, *origin)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT OR REPLACE INTO models ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
        self.database.execute(sql, values)
        return self._by_id(key)

    def find(self, reference: str) -> InstalledModel:
        """Return what `reference` names: an installed id, with or without its quantization, or the path of a GGUF.

        Raises UnknownModel (with near names), ModelFileGone, FileUnreadable, and the errors of gguf.header.
        """
        found = self._match(reference) or self._by_path(reference)
        if found is None:
            raise unknown_model(reference, {model.model_id for model in self.installed()})
        return _present(found)

    def resolve(self, reference: str, catalog: Catalog) -> InstalledModel | CatalogChoice:
        """Return what `reference` names, on this disk or to be had: what `find` knows, a catalog id, or a Hub name.

        Raises what `find` raises, UnknownQuantization and UnsafeName.
        """
        found = self._match(reference) or self._by_path(reference)
        if found is not None and not found.missing:
            return found
        choice = catalog_choice(reference, catalog) or hub_choice(reference)
        if choice is not None:
            return self._installed_as(choice) or choice
        if found is not None:
            return _present(found)
        known = {model.id for model in catalog.models} | {model.model_id for model in self.installed()}
        raise unknown_model(reference, known)

    def remove(self, model: InstalledModel) -> None:
        """Delete the files of a model that was downloaded into the models folder, and forget it.

        An entry whose file is gone is forgotten. Raises NotOursToRemove and FileNotSaved.
        """
        path = Path(model.path)
        if model.bundled or not (model.missing or self._is_ours(path)):
            raise NotOursToRemove(model=model.name)
        if not model.missing:
            with explained_write(path):
                for shard in all_shards(path):
                    shard.unlink(missing_ok=True)
            self._remove_empty_folders(path.parent)
        self.database.execute("DELETE FROM models WHERE id = ?", (model.id,))

    def destination(self, *, repo: str, file: str) -> Path:
        """Return where a file of the Hub belongs. Raises UnsafeName when it would lead out of the models folder."""
        path = self.models_folder.joinpath(*check_repo(repo).split("/"), *check_file(file).split("/"))
        if not self._is_ours(path):  # a link on the way
            raise UnsafeName(name=f"{repo}/{file}")
        return path

    def _is_ours(self, path: Path) -> bool:
        """Whether `path` lies in the models folder, links followed."""
        return path.parent.resolve().is_relative_to(self.models_folder.resolve())

    def _remove_empty_folders(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # the first that is not empty ends it
            while folder != self.models_folder and folder.is_relative_to(self.models_folder):
                folder.rmdir()
                folder = folder.parent

    def _match(self, reference: str) -> InstalledModel | None:
        """The installed model of that id; without a quantization the newest whose file is there."""
        model_id, quantization = split_reference(reference)
        fitting = [
            model
            for model in self.installed()
            if model.model_id.lower() == model_id.lower() and quantization in ("", model.quantization.upper())
        ]
        return max(fitting, key=lambda model: (not model.missing, model.added), default=None)

    def _installed_as(self, choice: CatalogChoice) -> InstalledModel | None:
        wanted = (choice.repo, choice.file) if choice.file else None
        for model in self.installed():
            if not model.missing and (model.id == choice.id or (model.repo, model.file) == wanted):
                return model
        return None

    def _by_id(self, key: str) -> InstalledModel:
        row = self.database.read(f"SELECT {_COLUMNS} FROM models WHERE id = ?", (key,))[0]  # noqa: S608 - a constant
        return _model(row)

    def _by_path(self, reference: str) -> InstalledModel | None:
        if "\0" in reference or not (looks_like_path(reference) or _is_file(Path(reference))):
            return None
        try:
            path = Path(reference).expanduser().absolute()
            str(path).encode()  # databases and messages between processes are UTF-8
        except RuntimeError as error:  # ~nobody
            raise FileUnreadable(path=reference, reason=str(error), detail=error) from error
        except UnicodeEncodeError as error:
            raise UnnameableFile(path=printable(reference), detail=error) from error
        for model in self.installed():
            if Path(model.path) == path:
                return model
        return _described(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # too long for a name: then it is none
        return False


def _starter() -> tuple[InstalledModel, ...]:
    try:
        return (starter_model(),)
    except StarterModelMissing as error:
        _log.info("%s", error)  # `snug doctor` says it to the person
        return ()


def _described(path: Path) -> InstalledModel:
    """What a GGUF says about itself. Raises the errors of gguf.header."""
    header = read_header(path)
    return InstalledModel(
        id=str(path),
        model_id="",
        name=header.text("general.name") or path.stem,
        quantization=quantization_of(path.name),
        path=str(path),
        size=sum(shard.stat().st_size for shard in all_shards(path) if shard.is_file()),
        licence=header.text("general.license"),
    )


def _present(model: InstalledModel) -> InstalledModel:
    if model.missing:
        raise ModelFileGone(model=model.name, path=model.path)
    return model


def _model(row: tuple[Any, ...]) -> InstalledModel:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    missing = not all(shard.is_file() for shard in all_shards(Path(values["path"])))
    return InstalledModel(**values, missing=missing)
