"""Checking a model's files: against what its publisher says of the content, else against what its own header says.

Everything here blocks.
"""

import time
from typing import Literal, NamedTuple

from desktop.errors import QT_TRANSLATE_NOOP
from desktop.files import explained_read
from desktop.gguf.errors import GgufError, TruncatedGguf
from desktop.gguf.header import read_header
from desktop.gguf.shards import all_shards
from desktop.library.condition import check_there
from desktop.library.content import sha256_of
from desktop.library.errors import ModelFileDamaged
from desktop.library.library import Library
from desktop.library.types import InstalledModel
from desktop.library.walk import stamp_of
from desktop.library.work import Work

Proof = Literal["sha256", "structure"]
"""The SHA-256 that the Hub or Ollama names; or a sound header, and a file as long as its tensors need."""


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
    try:
        for shard in shards:
            read_header(shard)
    except GgufError as error:
        library.judge(model, stamp, "truncated" if isinstance(error, TruncatedGguf) else "damaged")
        raise
    sha256 = ""
    if model.sha256:
        with explained_read(path):
            work.expect(path.stat().st_size)
        sha256 = sha256_of(shards[:1], work)  # what a publisher names is a file; the library keeps the first one's
        if sha256 != model.sha256.lower():
            library.judge(model, stamp, "damaged")
            raise ContentWrong(model=model.name, path=model.path, detail=(model.sha256, sha256))
        if len(shards) == 1:
            library.found.keep_digest(model.path, stamp, sha256)
    library.judge(model, stamp, "")
    proof: Proof = "sha256" if sha256 else "structure"
    return VerifiedModel(_again(library, model), proof, sha256, time.monotonic() - begun)


def _again(library: Library, model: InstalledModel) -> InstalledModel:
    return next((each for each in library.installed() if each.path == model.path), model)
