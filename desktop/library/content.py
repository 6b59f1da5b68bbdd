"""The content of a model's files: its SHA-256, read once and kept, and quick comparisons. Everything here blocks."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from desktop.errors import QT_TRANSLATE_NOOP, FileUnreadable
from desktop.files import explained_read, open_regular
from desktop.gguf.shards import all_shards
from desktop.library.checksums import Checksums
from desktop.library.walk import stamp_of
from desktop.library.work import Work

PIECE = 4 << 20
"""Bytes that are read at a time."""

_SAMPLE = 1 << 20


class FileBeingWritten(FileUnreadable):
    """The file changed while it was read."""

    message = QT_TRANSLATE_NOOP("core", "{path} cannot be read: another program is writing to it.")
    hint = QT_TRANSLATE_NOOP("core", "Wait until that program is done, then try again.")


def pieces(path: Path, work: Work) -> Iterator[bytes]:
    """Read a file, and tell `work`. Raises FileUnreadable and Stopped."""
    with explained_read(path), open_regular(path) as stream:
        while piece := stream.read(PIECE):
            work.advance(len(piece))
            yield piece


def sha256_of(paths: Iterable[Path], work: Work) -> str:
    """Return the SHA-256 of the files one after the other, in hexadecimal. Raises FileUnreadable and Stopped."""
    digest = hashlib.sha256()
    for path in paths:
        for piece in pieces(path, work):
            digest.update(piece)
    return digest.hexdigest()


def known_sha256(checksums: Checksums, path: Path, work: Work) -> str:
    """Return the SHA-256 of a model of one or several files, computed unless it was since its files changed.

    Raises FileUnreadable and Stopped.
    """
    with explained_read(path):
        before = stamp_of(path)
    known = checksums.computed(str(path), before)
    if known:
        work.advance(before.size)
        return known
    sha256 = sha256_of(all_shards(path), work)
    with explained_read(path):
        if stamp_of(path) != before:
            raise FileBeingWritten(path=str(path))
    checksums.keep(str(path), before, sha256)
    return sha256


def sample_of(path: Path) -> bytes:
    """Return a digest of the beginning, middle and end of a model's files, and of their sizes.

    Models that differ in it differ; where it is the same it is worth to read them as a whole. Raises FileUnreadable.
    """
    digest = hashlib.sha256()
    for shard in all_shards(path):
        with explained_read(shard), open_regular(shard) as stream:
            size = os.fstat(stream.fileno()).st_size
            digest.update(size.to_bytes(8, "big"))
            for place in (0, size // 2, max(0, size - _SAMPLE)):
                stream.seek(place)
                digest.update(stream.read(_SAMPLE))
    return digest.digest()
