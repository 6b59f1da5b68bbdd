"""A file that a person brings: used where it is, or copied into the models folder. Everything here blocks."""

import contextlib
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from desktop.catalog.file_names import check_file, printable, quantization_of
from desktop.errors import QT_TRANSLATE_NOOP, AppError, DiskFull, FileUnreadable
from desktop.files import SPARE, FileNotSaved, explained_read, explained_write, locked, sync_folder, try_hold
from desktop.gguf.header import GgufHeader
from desktop.gguf.shards import all_shards
from desktop.library.content import known_sha256, pieces, sample_of, sha256_of
from desktop.library.facts import kind_of, line_of, read_whole_header
from desktop.library.library import Library
from desktop.library.references import full_path
from desktop.library.scan import title_of
from desktop.library.types import InstalledModel
from desktop.library.walk import same_one, stamp_of
from desktop.library.work import Work
from desktop.sizes import gb

Import = Literal["added", "copied", "already_there"]
"""Used where it is; copied into the models folder; the library had this file, or one of the same content."""

_MOST_NAMES = 1000
_LOCK = ".copying"
_COPIES = "copies"  # beside the database, so that nobody who wants that waits for the disk of the models
_log = logging.getLogger(__name__)


class FolderNotFile(AppError):
    """A folder was given where a file is wanted."""

    message = QT_TRANSLATE_NOOP("core", "{path} is a folder.")
    hint = QT_TRANSLATE_NOOP("core", "Add it to the folders of the library: then every model in it is listed.")


class NotAModelToChatWith(AppError):
    """The file is a part of a model (a projector, an adapter), or none of its weights are in it."""

    message = QT_TRANSLATE_NOOP("core", "{path} is not a model by itself, but a part of one.")
    hint = QT_TRANSLATE_NOOP("core", "Choose the file of the model; such a part lies beside it.")


class NoRoomToCopy(DiskFull):
    """The disk cannot hold the copy."""

    message = QT_TRANSLATE_NOOP("core", "The disk with {path} is too full: {need} are needed, {free} are free.")
    hint = QT_TRANSLATE_NOOP("core", "Free some space, or use the model where it is. Nothing was changed.")


class BeingCopied(AppError):
    """Another window or command copies the same content."""

    message = QT_TRANSLATE_NOOP("core", "{path} is being copied into the models folder already.")
    hint = QT_TRANSLATE_NOOP("core", "Wait until the other window or command has done it.")


class CopyWrong(AppError):
    """What was read back from the disk is not what was written, or the source changed meanwhile."""

    message = QT_TRANSLATE_NOOP("core", "The copy of {path} is not the same as the file.")
    hint = QT_TRANSLATE_NOOP("core", "The copy was removed; the file is as it was. Try again, and check the disk.")


class ImportedModel(NamedTuple):
    """What became of a file."""

    model: InstalledModel
    outcome: Import


def import_model(library: Library, path: Path, *, copy: bool = False, work: Work | None = None) -> ImportedModel:
    """Add a model to the library, of a split one any file of it.

    Raises FileUnreadable, the errors of gguf.header, FolderNotFile, NotAModelToChatWith, UnnameableFile; while it is
    copied BeingCopied, UnsafeName, NoRoomToCopy, DiskFull, FileNotSaved, CopyWrong; and Stopped.
    """
    work = work or Work()
    first = _first_file(path)
    header = _readable_header(first)
    library.found.show(str(first))
    if not copy:
        there = _there_already(library, first, library.installed(), work)
        return there or ImportedModel(library.add(_entry(library, first, header)), "added")
    with _the_only_copy(library, first):
        there = _there_already(library, first, filter(_is_kept, library.installed()), work)
        return there or ImportedModel(library.add(_entry(library, _copy(first, library, work), header)), "copied")


def _first_file(path: Path) -> Path:
    """The full path of the model that `path` is a file of."""
    path = full_path(path)
    if "\0" in str(path):
        raise FileUnreadable(path=printable(str(path)), reason="it holds a NUL character")
    if os.path.isdir(path):  # noqa: PTH112 - Path's own raises below a folder that may not be entered
        raise FolderNotFile(path=str(path))
    return all_shards(path)[0]


def _readable_header(first: Path) -> GgufHeader:
    header = read_whole_header(first)
    if kind_of(header, first.name) != "model":
        raise NotAModelToChatWith(path=str(first))
    return header


def _is_kept(model: InstalledModel) -> bool:
    """Whether no other program can take it away, so that a copy would be of no use."""
    return model.ours_to_remove or model.bundled


def _there_already(library: Library, first: Path, models: Iterable[InstalledModel], work: Work) -> ImportedModel | None:
    present = [model for model in models if not model.missing]
    model = _the_same_file(present, first) or _of_the_same_content(library, present, first, work)
    if model is None:
        return None
    if not (model.is_ready or model.sha256):  # it has changed since it was looked at, and was found whole just now
        with explained_read(first):
            library.judge(model, stamp_of(Path(model.path)), "")
        model = library.entry(model.path)
    return ImportedModel(model, "already_there")


def _the_same_file(models: list[InstalledModel], first: Path) -> InstalledModel | None:
    there = same_one(first, (Path(model.path) for model in models))
    return next((model for model in models if there is not None and Path(model.path) == there), None)


def _of_the_same_content(
    library: Library, models: list[InstalledModel], first: Path, work: Work
) -> InstalledModel | None:
    """A model of the same size whose every byte is the same; the files are read only where they look alike."""
    with explained_read(first):
        size = stamp_of(first).size
    for model in models:
        path = Path(model.path)
        try:
            if model.size == size and sample_of(path) == sample_of(first):
                work.expect(2 * size)
                if known_sha256(library.checksums, path, work) == known_sha256(library.checksums, first, work):
                    return model
        except FileUnreadable as error:  # what cannot be read cannot be used instead
            _log.info("not compared with %s: %s", model.path, error)
    return None


def _entry(library: Library, first: Path, header: GgufHeader) -> InstalledModel:
    title = title_of(first)
    return InstalledModel(
        id=title,
        model_id="",
        name=line_of(header.text("general.name")) or title,
        quantization=quantization_of(first.name),
        path=str(first),
        size=0,  # as everything that depends on the file it is told by Library.save
        added=time.time(),
        licence=line_of(header.text("general.license")),
        source="snug" if library.is_ours(first) else "folder",
    )


@contextlib.contextmanager
def _the_only_copy(library: Library, first: Path) -> Iterator[None]:
    """While nobody else copies the same content, not even another process. Raises BeingCopied."""
    lock = library.database.path.with_name(f".copying-{sample_of(first).hex()[:16]}.lock")
    held = try_hold(lock)
    if held is None:
        raise BeingCopied(path=str(first))
    try:
        yield
    finally:
        os.close(held)
        with contextlib.suppress(OSError):  # on Windows, where somebody tries to have it just now
            lock.unlink()


def _copy(first: Path, library: Library, work: Work) -> Path:
    """Copy the model into a folder of its own, and return its first file there: all of them whole, or nothing."""
    shards = all_shards(first)
    for shard in shards:
        check_file(shard.name)
    with explained_read(first):
        before = stamp_of(first)
    _require_room(library.models_folder, before.size)
    work.expect(2 * before.size)  # written, and read back
    with _new_folder(library, first.name.removesuffix(first.suffix)) as folder:
        parts = [folder / f"{shard.name}.part" for shard in shards]
        for shard, part in zip(shards, parts, strict=True):
            _copy_file(shard, part, work)
        with explained_read(first):
            if stamp_of(first) != before:
                raise CopyWrong(path=str(first))
        with explained_write(folder):
            for shard, part in zip(shards, parts, strict=True):
                part.replace(folder / shard.name)
            sync_folder(folder)
        return folder / first.name


def _copy_file(source: Path, part: Path, work: Work) -> None:
    digest = hashlib.sha256()
    with explained_write(part), part.open("xb") as target:
        for piece in pieces(source, work):
            digest.update(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    if sha256_of([part], work) != digest.hexdigest():
        raise CopyWrong(path=str(source))


def _require_room(folder: Path, size: int) -> None:
    with explained_write(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < size + SPARE:
        raise NoRoomToCopy(path=str(folder), need=gb(size + SPARE), free=gb(free))


@contextlib.contextmanager
def _new_folder(library: Library, name: str) -> Iterator[Path]:
    """A folder that nobody else has made, not even another process; it goes again when the work in it fails.

    While its lock is held it is in use. What a killed process has left there is removed by the next who wants the name.
    """
    models_folder = library.models_folder
    # Between both steps another process would take it for an abandoned one.
    with locked(library.database.path.with_name(_COPIES)):
        folder = _made(models_folder, name)
        lock = try_hold(folder / _LOCK)
    try:
        yield folder
    except BaseException:
        _release(folder, lock)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _release(folder, lock)
    with explained_write(models_folder):
        sync_folder(models_folder)


def _release(folder: Path, lock: int | None) -> None:
    if lock is not None:
        os.close(lock)
    (folder / _LOCK).unlink(missing_ok=True)


def _made(models_folder: Path, name: str) -> Path:
    with explained_write(models_folder / name):
        for number in range(1, _MOST_NAMES):
            folder = models_folder / (name if number == 1 else f"{name}-{number}")
            _remove_if_abandoned(folder)
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
        raise FileExistsError(f"there are {_MOST_NAMES} folders of this name")


def _remove_if_abandoned(folder: Path) -> None:
    """Remove what a copy that was killed has left: nothing but unfinished files, and nobody holds the lock."""
    if not _is_unfinished(folder):
        return
    try:
        lock = try_hold(folder / _LOCK)
    except FileNotSaved:  # it was removed meanwhile, or may not be written: then the next name is taken
        return
    if lock is None:
        return
    if _is_unfinished(folder):
        _log.info("removed an unfinished copy: %s", folder)
        os.close(lock)
        shutil.rmtree(folder)
    else:  # it was finished between the look and the lock
        _release(folder, lock)


def _is_unfinished(folder: Path) -> bool:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # nothing is there, or it is a file: somebody else's
        return False
    return _LOCK in names and all(name == _LOCK or name.endswith(".part") for name in names)
