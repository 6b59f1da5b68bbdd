"""Looking for models: the models folder, the person's own folders, and what other programs have.

Only what changed since the last scan is read, and of that only the headers. Nothing is written but our own database.
Everything here blocks.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from desktop.catalog.file_names import UnsafeName, check_repo, printable
from desktop.errors import QT_TRANSLATE_NOOP, FileUnreadable, Phrase
from desktop.gguf.shards import all_shards
from desktop.library.facts import FileFacts, line_of, read_facts
from desktop.library.found import FoundFile, FoundFiles
from desktop.library.stores.all import STORES
from desktop.library.stores.place import Candidate, Origin, Place, Store
from desktop.library.types import Source, catalog_key
from desktop.library.walk import SUFFIX, FileStamp, Walk, absent_file, identity_of, stamp_of
from desktop.library.work import BETWEEN_WORDS

FOLDER_GONE = QT_TRANSLATE_NOOP("core", "The folder {path} is not there. Connect its disk, or remove it from the list.")
FOLDER_UNREADABLE = QT_TRANSLATE_NOOP("core", "The folder {path} cannot be read: {reason}")
FOLDER_TOO_LARGE = QT_TRANSLATE_NOOP("core", "Not everything below {path} was looked at: it is too deep or too large.")
LINK_REFUSED = QT_TRANSLATE_NOOP(
    "core",
    "The link {path} leads to a whole disk, or to what its own folder is in, and was not followed. Add the folder with "
    "the models there.",
)
FILE_UNREADABLE = QT_TRANSLATE_NOOP("core", "{path} was left out: {reason}")
NOT_A_MODEL = QT_TRANSLATE_NOOP("core", "{path} was left out: it is no GGUF file, or an old one.")
PART_MISSING = QT_TRANSLATE_NOOP("core", "{path} was left out: its part {part} is missing.")
PART_LOST = QT_TRANSLATE_NOOP("core", "{path} cannot be loaded any more: its part {part} is missing.")
NO_TEXT = QT_TRANSLATE_NOOP("core", "{path} was left out: its name holds bytes that are no text.")

_KEPT_AT_ONCE = 32  # files between two commits: what a cancelled scan has read is kept
_MOST_PROBLEMS = 50
_log = logging.getLogger(__name__)


class ScanProgress(NamedTuple):
    """folder: which one is being looked at. models: how many were found until now."""

    folder: str
    models: int


class ScanReport(NamedTuple):
    """What a scan found. models: all that are not listed without it.

    new, changed: since the last scan; gone: no longer there; read: headers that were read.
    problems: folders and files that could not be looked at, each said once.
    """

    models: int
    new: int
    changed: int
    gone: int
    read: int
    problems: tuple[Phrase, ...] = ()


class Root(NamedTuple):
    """A folder to look at. expected: whether somebody must hear it when it is not there."""

    store: Store
    path: Path
    expected: bool


class _Own(Store):
    """The models folder: downloads lie in owner/repo, everything else where the person put it."""

    source: Source = "snug"

    def origin(self, root: Path, path: Path) -> Origin:
        """Name the repository a download came from; which commit it was is not known any more."""
        parts = path.relative_to(root).parts
        try:
            repo = check_repo("/".join(parts[:2])) if len(parts) > 2 else ""
        except UnsafeName:  # a folder of the person's
            repo = ""
        return Origin(model_id=repo, repo=repo, file="/".join(parts[2:])) if repo else Origin()


class _Folder(Store):
    """A folder that the person added."""

    source: Source = "folder"


def roots_to_scan(
    *,
    models_folder: Path,
    folders: Iterable[Path],
    place: Place,
    switched_off: frozenset[Source] = frozenset(),
    chosen: bool = False,
) -> tuple[Root, ...]:
    """Return where to look, ours first: a file that several have is listed under the first.

    chosen: the person chose the models folder, so that it should be there. switched_off: whose models not to read.
    """
    found = [Root(_Own(), models_folder, expected=chosen)]
    for store in STORES:
        if store.source not in switched_off:
            found += [Root(store, root, expected=False) for root in store.roots(place)]
    found += [Root(_Folder(), folder, expected=True) for folder in folders]
    return tuple(found)


class Scan:
    """One scan. known: what is listed already by another way, files that are not to be listed twice."""

    def __init__(self, files: FoundFiles, walk: Walk, *, known: Iterable[Path] = ()) -> None:
        self._files = files
        self._walk = walk
        self._before = files.all()
        self._seen: set[tuple[int, int]] = set()
        self._paths: set[str] = set()
        self._unsaved: list[FoundFile] = []
        self._tell: Callable[[ScanProgress], None] | None = None
        self._told = 0.0
        self._problems: dict[str, Phrase] = {}
        self._unseen: list[Path] = []
        self._counts = dict.fromkeys(("models", "new", "changed", "gone", "read"), 0)
        for path in known:
            with contextlib.suppress(OSError):  # gone
                self._seen.add(identity_of(path))

    def run(self, roots: Iterable[Root], on_progress: Callable[[ScanProgress], None] | None = None) -> ScanReport:
        """Look at all of them. Raises Stopped; what was read until then is kept.

        on_progress is told at each folder, and within one at most twenty times a second.
        """
        walked: list[str] = []
        kept: list[str] = []
        try:
            for root in roots:
                self._tell, self._told = on_progress, 0.0
                self._say(root)
                (walked if self._look_at(root) else kept).append(str(root.path))
                self._tell_left_out(root)
        finally:
            self._save()
        configured = {*walked, *kept}
        gone = [
            path
            for path, file in self._before.items()
            if path not in self._paths
            and (
                file.root not in configured or (file.root in walked and self._saw(path) and not self._is_in_part(file))
            )
        ]
        if gone:
            self._files.forget(gone)
        self._counts["gone"] = len(gone)
        return ScanReport(**self._counts, problems=tuple(self._problems.values())[:_MOST_PROBLEMS])

    def _say(self, root: Root) -> None:
        if self._tell is not None and time.monotonic() - self._told > BETWEEN_WORDS:
            self._told = time.monotonic()
            self._tell(ScanProgress(str(root.path), self._counts["models"]))

    def _look_at(self, root: Root) -> bool:
        """Look at one folder; returns whether all of it was seen."""
        self._walk.complete = True
        try:
            for candidate in root.store.candidates(root.path, self._walk):
                self._walk.work.check()
                self._say(root)
                self._take(root, candidate)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not os.path.lexists(root.path):
                if root.expected:
                    self._problem(FOLDER_GONE, str(root.path))
                return not root.expected  # a program that is gone took its models with it; a disk comes back
            if root.expected:
                self._problem(FOLDER_UNREADABLE, str(root.path), reason=error.strerror or str(error))
            return False
        if not self._walk.complete and root.expected:
            self._problem(FOLDER_TOO_LARGE, str(root.path))
        return self._walk.complete

    def _tell_left_out(self, root: Root) -> None:
        for link in self._walk.refused:
            self._leave_out(root.store.source, LINK_REFUSED, str(link))
        for folder, error in self._walk.unreadable:
            self._problem(FOLDER_UNREADABLE, str(folder), reason=error.strerror or str(error))
            self._unseen.append(folder)
        self._walk.refused.clear()
        self._walk.unreadable.clear()

    def _saw(self, path: str) -> bool:
        """Whether nothing above `path` was left out."""
        return not any(Path(path).is_relative_to(folder) for folder in self._unseen)

    def _is_in_part(self, file: FoundFile) -> bool:
        """Whether some files of a split model are there still: it stays in the list, and what it lacks is told."""
        shards = all_shards(Path(file.path))
        # Path.exists raises where a folder may not be entered.
        absent = [shard for shard in shards if not os.path.exists(shard)]  # noqa: PTH110
        if not absent or len(absent) == len(shards):
            return False
        self._counts["models"] += file.kind == "model"
        self._leave_out(file.source, PART_LOST, file.path, part=absent[0].name)
        return True

    def _take(self, root: Root, candidate: Candidate) -> None:
        path, source = str(candidate.path), root.store.source
        try:
            path.encode()
        except UnicodeEncodeError:
            self._problem(NO_TEXT, printable(path))
            return
        try:
            stamp, identity = stamp_of(candidate.path), identity_of(candidate.path)
            if identity in self._seen:
                return
            file = self._described(root, candidate, stamp)
        except FileNotFoundError:
            if path not in self._before:  # else see _is_in_part
                self._leave_out(source, PART_MISSING, path, part=(absent_file(candidate.path) or candidate.path).name)
            return
        except OSError as error:
            self._leave_out(source, FILE_UNREADABLE, path, reason=error.strerror or str(error))
            self._unseen.append(candidate.path)  # whether it is gone nobody knows
            return
        except FileUnreadable as error:
            self._leave_out(source, FILE_UNREADABLE, path, reason=str(error.arguments["reason"]))
            return
        self._seen.add(identity)
        if file is not None:
            self._paths.add(path)
            self._counts["models"] += file.kind == "model"

    def _described(self, root: Root, candidate: Candidate, stamp: FileStamp) -> FoundFile | None:
        path, source = str(candidate.path), root.store.source
        before = self._before.get(path)
        if before is not None and (before.size, before.stamp) == stamp and before.source == source:
            if before.root != str(root.path) or before.sha256 != candidate.origin.sha256:
                return self._keep(_with_origin(before, root, candidate.origin))
            return before
        self._counts["read"] += 1
        facts = read_facts(candidate.path, file_name=candidate.origin.file_name)
        if facts is None:
            self._leave_out(source, NOT_A_MODEL, path)
            return None
        if facts.kind == "model":
            self._counts["new" if before is None else "changed"] += 1
        return self._keep(_found_file(root, candidate, stamp, facts, before))

    def _keep(self, file: FoundFile) -> FoundFile:
        self._unsaved.append(file)
        if len(self._unsaved) >= _KEPT_AT_ONCE:
            self._save()
        return file

    def _save(self) -> None:
        if self._unsaved:
            self._files.save(self._unsaved)
            # Whoever has removed one since it was looked at has forgotten it before it was written down here.
            self._files.forget([file.path for file in self._unsaved if not os.path.lexists(file.path)])
        self._unsaved = []

    def _leave_out(self, source: Source, template: str, path: str, **arguments: str) -> None:
        _log.info("not in the library: %s", printable(Phrase.of(template, path=path, **arguments).render()))
        if source in ("snug", "folder"):  # what other programs leave about is their business
            self._problem(template, path, **arguments)

    def _problem(self, template: str, path: str, **arguments: str) -> None:
        self._problems.setdefault(path, Phrase.of(template, path=path, **arguments))


def _found_file(
    root: Root, candidate: Candidate, stamp: FileStamp, facts: FileFacts, before: FoundFile | None
) -> FoundFile:
    path, origin = candidate.path, candidate.origin
    model_id = line_of(origin.model_id)
    title = title_of(path)
    short = line_of(origin.short) or (catalog_key(model_id, facts.quantization) if model_id else title)
    return FoundFile(
        path=str(path),
        id=before.id if before is not None else short,
        source=root.store.source,
        root=str(root.path),
        kind=facts.kind,
        size=stamp.size,
        stamp=stamp.times,
        model_id=model_id,
        name=line_of(origin.name) or facts.name or title,
        quantization=facts.quantization,
        architecture=facts.architecture,
        context=facts.context,
        licence=facts.licence,
        problem=facts.problem,
        sha256=origin.sha256,
        repo=origin.repo,
        file=origin.file,
        revision=origin.revision,
        added=before.added if before is not None else 0.0,
    )


def title_of(path: Path) -> str:
    """Return what a file without a better name is called; its full path where its own name has nothing to show."""
    name = path.name[: -len(path.suffix)] if path.suffix.lower() == SUFFIX else path.name
    return line_of(name) or str(path)


def _with_origin(file: FoundFile, root: Root, origin: Origin) -> FoundFile:
    return msgspec.structs.replace(file, root=str(root.path), sha256=origin.sha256, revision=origin.revision)
