"""The models on this disk: what came with the set-up, was downloaded, or was found. Everything here blocks.

Async callers use asyncio.to_thread. A model named by its path is used in place and never stored. What was downloaded
or imported is in added.py, what scans saw (scan.py) in found.py, what is known of their content in checksums.py; a list
says of each file whether it is as it was.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from desktop.catalog.file_names import UnsafeName, check_file, check_repo, printable, quantization_of
from desktop.catalog.hub import HubFile
from desktop.catalog.types import Catalog
from desktop.database import Database, open_database
from desktop.gguf.header import read_header
from desktop.gguf.shards import all_shards
from desktop.library.added import AddedModels
from desktop.library.checksums import Checksums
from desktop.library.condition import check_ready, judge
from desktop.library.errors import SeveralModels
from desktop.library.facts import FileProblem
from desktop.library.found import FoundFiles
from desktop.library.migrations import MIGRATIONS
from desktop.library.references import (
    full_path,
    looks_like_path,
    named_in_catalog,
    named_on_hub,
    named_so,
    origin_of,
    unknown_model,
)
from desktop.library.scan import Scan, ScanProgress, ScanReport, roots_to_scan
from desktop.library.starter import StarterModelMissing, starter_model
from desktop.library.stores.place import Place
from desktop.library.types import InstalledModel, Source, WantedModel, catalog_key
from desktop.library.walk import Bounds, FileStamp, Walk, same_one
from desktop.library.work import Work

_log = logging.getLogger(__name__)


class Library:
    """The installed models. `database` is shared with the download queue."""

    def __init__(
        self,
        database: Database,
        models_folder: Path,
        switched_off: Callable[[], frozenset[Source]] = frozenset,
    ) -> None:
        """switched_off: tells of which other programs nothing shall be listed."""
        self.database = database
        self.models_folder = models_folder
        self.added = AddedModels(database)
        self.checksums = Checksums(database)
        self.found = FoundFiles(database, self.checksums)
        self._switched_off = switched_off
        self._scanning = threading.Lock()

    @classmethod
    def open(
        cls,
        database_path: Path,
        models_folder: Path,
        switched_off: Callable[[], frozenset[Source]] = frozenset,
    ) -> Self:
        """Open the library. Raises the errors of desktop.database."""
        database = open_database(database_path, name="library", migrations=MIGRATIONS)
        return cls(database, models_folder, switched_off)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def installed(self) -> tuple[InstalledModel, ...]:
        """Return the starter, what was added (oldest first), and what was found; each says in which condition it is."""
        models = self.added.all()
        taken = {model.id for model in models}
        listed = (*(model for model in _starter() if model.id not in taken), *models)
        return (*listed, *self._found_beside(listed))

    def register(
        self,
        *,
        path: Path,
        model_id: str,
        quantization: str,
        name: str = "",
        licence: str = "",
        files: Sequence[HubFile] = (),
    ) -> InstalledModel:
        """Add a model of the models folder, or replace the entry of the same id.

        path: of a split model the first shard. files: what the Hub says of its files, in order. Raises FileUnreadable.
        """
        model = InstalledModel(
            id=catalog_key(model_id, quantization),
            model_id=model_id,
            name=name or model_id,
            quantization=quantization,
            path=str(path),
            size=0,
            added=time.time(),
            licence=licence,
            source="snug" if self.is_ours(path) else "folder",
        )
        if files:
            first = files[0]
            origin = {"sha256": first.sha256, "repo": first.repo, "file": first.file, "revision": first.revision}
            model = msgspec.structs.replace(model, **origin)
        shards = zip(all_shards(path)[1:], files[1:], strict=False)
        self.checksums.promise({str(shard): file.sha256 for shard, file in shards})
        return self.save(model)

    def add(self, model: InstalledModel) -> InstalledModel:
        """Write a new entry; one whose id somebody else has is called by its path. Raises FileUnreadable."""
        return self.added.add(model, taken={starter.id.lower() for starter in _starter()})

    def save(self, model: InstalledModel) -> InstalledModel:
        """Write an entry as its file is now, and return it. Raises FileUnreadable."""
        return self.added.save(model)

    def judge(self, model: InstalledModel, stamp: FileStamp, problem: FileProblem) -> None:
        """Note what somebody found who has read the whole file when it looked like `stamp`."""
        judge(self.database, model.path, stamp, problem)

    def scan(
        self,
        *,
        place: Place | None = None,
        chosen: bool = False,
        work: Work | None = None,
        bounds: Bounds | None = None,
        on_progress: Callable[[ScanProgress], None] | None = None,
    ) -> ScanReport:
        """Look at the models folder, the person's folders and other programs' (scan.py); one scan at a time.

        chosen: the person chose the models folder. Raises Stopped, and the errors of the database.
        """
        with self._scanning:
            roots = roots_to_scan(
                models_folder=self.models_folder,
                folders=self.found.folders(),
                place=place or Place.here(),
                switched_off=self._switched_off(),
                chosen=chosen,
            )
            self.added.look_again()
            known = [Path(model.path) for model in (*_starter(), *self.added.all())]
            return Scan(self.found, Walk(bounds, work=work), known=known).run(roots, on_progress)

    def find(self, reference: str) -> InstalledModel:
        """Return what `reference` names: an installed id, with or without its quantization, or the path of a GGUF.

        Raises UnknownModel (with near names), what check_ready raises, FileUnreadable, and the errors of gguf.header.
        """
        found = self._match(reference) or self._by_path(reference)
        if found is None:
            raise unknown_model(reference, self._names())
        return check_ready(found)

    def entry(self, reference: str, *, alone: bool = False) -> InstalledModel:
        """Return what `reference` names in whatever condition it is: to verify, to remove, to show where it was.

        alone: whether to refuse a name that may mean several. Raises UnknownModel, SeveralModels, FileUnreadable, and
        the errors of gguf.header for a path that is not in the library.
        """
        several = named_so(reference, self.installed()) if alone else []
        if len({model.path for model in several}) > 1:
            ids = ", ".join(sorted(printable(model.id) for model in several))
            raise SeveralModels(reference=printable(reference), ids=ids)
        found = self._match(reference) or self._by_path(reference)
        if found is None:
            raise unknown_model(reference, {model.id for model in self.installed()})
        return found

    def resolve(self, reference: str, catalog: Catalog, *, renew: bool = False) -> InstalledModel | WantedModel:
        """Return what `reference` names, on this disk or to be had: what `find` knows, a catalog id, or a Hub name.

        renew: whether what is here with a file that is not right (`condition`) is to be had again, like what is gone.
        Raises what `find` raises, UnknownQuantization and UnsafeName.
        """
        found = self._match(reference) or self._by_path(reference)
        if found is not None and (found.is_ready if renew else not found.missing):
            return check_ready(found)
        wanted = origin_of(found) if renew and found is not None else None  # in this quantization, of this commit
        wanted = wanted or named_in_catalog(reference, catalog) or named_on_hub(reference)
        if wanted is not None:
            return self._installed_as(wanted) or wanted
        if found is not None:
            return check_ready(found)
        raise unknown_model(reference, {model.id for model in catalog.models} | self._names())

    def forget(self, model: InstalledModel, *, hide: bool = False) -> None:
        """Remove an entry, not its files. hide: no scan shall list them again, until they are imported."""
        with self.database.transaction():
            self.added.forget(model)
            self.found.forget([model.path])
            self.checksums.forget(str(shard) for shard in all_shards(Path(model.path)))
            if hide:
                self.found.hide(model.path)

    def is_ours(self, path: Path) -> bool:
        """Whether `path` lies in the models folder, links followed."""
        return path.parent.resolve().is_relative_to(self.models_folder.resolve())

    def destination(self, *, repo: str, file: str) -> Path:
        """Return where a file of the Hub belongs. Raises UnsafeName when it would lead out of the models folder."""
        path = self.models_folder.joinpath(*check_repo(repo).split("/"), *check_file(file).split("/"))
        if not self.is_ours(path):  # a link on the way
            raise UnsafeName(name=f"{repo}/{file}")
        return path

    def _names(self) -> set[str]:
        """What models are called without their quantization; an imported file has a name of its own alone."""
        return {model.model_id or model.id for model in self.installed()}

    def _found_beside(self, listed: tuple[InstalledModel, ...]) -> Iterator[InstalledModel]:
        """What scans found and is not listed already. One whose id somebody else has is called by its path."""
        ids, paths = {model.id.lower() for model in listed}, {model.path for model in listed}
        off = self._switched_off()
        for model in self.found.models():
            if model.path not in paths and model.source not in off:
                yield msgspec.structs.replace(model, id=model.path) if model.id.lower() in ids else model

    def _match(self, reference: str) -> InstalledModel | None:
        """What `named_so` tells; of several, one of that id, then the newest that can be used, rather one of ours."""
        fitting = named_so(reference, self.installed())
        return max(fitting, key=lambda model: (model.id.lower() == reference.lower(), *_fitness(model)), default=None)

    def _installed_as(self, wanted: WantedModel) -> InstalledModel | None:
        """By the file where both name one: a repository may have several of one quantization."""
        for model in self.installed():
            known = bool(wanted.file and model.repo)
            same = (model.repo, model.file) == (wanted.repo, wanted.file) if known else model.id == wanted.id
            if model.is_ready and same:
                return model
        return None

    def _by_path(self, reference: str) -> InstalledModel | None:
        if "\0" in reference or not (looks_like_path(reference) or _is_file(Path(reference))):
            return None
        path = all_shards(full_path(Path(reference)))[0]  # any shard means the whole model
        installed = self.installed()
        there = same_one(path, (Path(model.path) for model in installed))
        return next((model for model in installed if Path(model.path) == there), None) or _described(path)


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


def _fitness(model: InstalledModel) -> tuple[bool, bool, bool, float]:
    """Which of several to take: the larger, the better."""
    return model.is_ready, not model.missing, model.source == "snug", model.added
