"""Checking a model's files: against what its publisher says of the content, else against what its own header says.

Everything here blocks.
"""

import time
from pathlib import Path
from typing import Literal, NamedTuple

from desktop.errors import QT_TRANSLATE_NOOP
from desktop.files import explained_read
from desktop.gguf.errors import GgufError, TruncatedGguf
from desktop.gguf.shards import all_shards
from desktop.library.condition import check_there
from desktop.library.content import sha256_of
from desktop.library.errors import ModelFileDamaged
from desktop.library.facts import read_whole_header
from desktop.library.library import Library
from desktop.library.stores.huggingface import blob_sha256
from desktop.library.types import InstalledModel
from desktop.library.walk import stamp_of
from desktop.library.work import Work

Proof = Literal["sha256", "structure"]
"""The SHA-256 that somebody names of every file; or sound headers, and files as long as their tensors need."""


class ContentWrong(ModelFileDamaged):
    """The file is not the one that its publisher describes."""

    message = QT_TRANSLATE_NOOP("core", "The content of {model} is not what its publisher says: {path}")
    hint = QT_TRANSLATE_NOOP("core", "Remove it and download it again. A damaged file answers nonsense, if it answers.")


class VerifiedModel(NamedTuple):
    """A model that was found right. sha256: of its first file, "" where the proof is its structure."""

    model: InstalledModel
    proof: Proof
    sha256: str
    seconds: float


def verify_model(library: Library, model: InstalledModel, work: Work | None = None) -> VerifiedModel:
    """Check a model, and note in the library what was found; it counts as it is now from then on.

    Raises ModelFileGone, the errors of gguf.header (incomplete, damaged), ContentWrong, FileUnreadable and Stopped.
    """
    begun = time.monotonic()
    work = work or Work()
    path = check_there(model)
    with explained_read(path):
        stamp = stamp_of(path)
    shards = all_shards(path)
    named = [_named(library, model, shard) for shard in shards]
    try:
        read_whole_header(path)
        _compare(model, [(shard, sha256) for shard, sha256 in zip(shards, named, strict=True) if sha256], work)
    except (GgufError, ContentWrong) as error:
        library.judge(model, stamp, "truncated" if isinstance(error, TruncatedGguf) else "damaged")
        raise
    if len(shards) == 1 and named[0]:
        library.checksums.keep(model.path, stamp, named[0])
    library.judge(model, stamp, "")
    seconds = time.monotonic() - begun
    if all(named):
        return VerifiedModel(_again(library, model), "sha256", named[0], seconds)
    return VerifiedModel(_again(library, model), "structure", "", seconds)


def _named(library: Library, model: InstalledModel, shard: Path) -> str:
    """The SHA-256 that somebody else names of a file of `model`, "" where nobody does."""
    if str(shard) == model.path:
        return model.sha256.lower()
    return blob_sha256(shard) if model.source == "huggingface" else library.checksums.promised(str(shard))


def _compare(model: InstalledModel, files: list[tuple[Path, str]], work: Work) -> None:
    for path, _ in files:
        with explained_read(path):
            work.expect(path.stat().st_size)
    for path, named in files:
        if (sha256 := sha256_of([path], work)) != named:
            raise ContentWrong(model=model.name, path=str(path), detail=(named, sha256))


def _again(library: Library, model: InstalledModel) -> InstalledModel:
    return next((each for each in library.installed() if each.path == model.path), model)
