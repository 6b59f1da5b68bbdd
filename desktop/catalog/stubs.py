"""What was learned of models on the Hub, kept on this disk, so that a second question needs no network.

An entry belongs to a repository, a commit and a file. It is some ten kilobytes: the header without the words, of all
shards. Beside the entries lie the stubs that the engine plans with. What was not used for longest goes first.
Everything here blocks.
"""

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from desktop.catalog.file_names import quantization_of
from desktop.catalog.remote_header import RemoteModel
from desktop.errors import AppError
from desktop.files import explained_write, read_bounded, write_atomically
from desktop.gguf.errors import GgufError
from desktop.gguf.header import GgufHeader, HeaderParser
from desktop.gguf.stub import Stub

MOST_FILES = 512
"""Files that are kept of each kind."""

MOST_BYTES = 128 << 20
"""Room on the disk that is kept of each kind."""

_LARGEST_ENTRY = 80 << 20
_DIGEST = 32  # bytes of a SHA-256
_ENTRY, _STUB, _UNFINISHED = ".known", ".gguf", ".tmp"
_ABANDONED = 3600.0  # seconds after which nobody writes to an unfinished file any more
_log = logging.getLogger(__name__)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What is in a file, behind its SHA-256. head, stub_size: those of the stub; learned: seconds since 1970."""

    format: Literal[1] = 1
    repo: str
    commit: str
    file: str
    size: int
    stub_size: int
    learned: float
    head: bytes


class KnownModel(NamedTuple):
    """A model on the Hub of which everything but its weights and words is known.

    header: of all its shards, without words. size: bytes of all its files. learned: when, in seconds since 1970.
    fetched: bytes that came for this answer.
    """

    repo: str
    commit: str
    file: str
    size: int
    header: GgufHeader
    stub: Stub
    learned: float
    fetched: int = 0


class StubCache:
    """The entries in `folder`; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(_Entry)
        self._read: dict[Path, tuple[int, KnownModel]] = {}

    def find(self, *, repo: str, file: str = "", quantization: str = "", commit: str = "") -> KnownModel | None:
        """Return what is known of `file`, or of the file in `quantization`; without a commit what was learned last.

        An entry that is damaged is removed, and the log says so.
        """
        pattern = f"{_short(repo)}-{_short(file) if file else '*'}-{commit[:16] or '*'}{_ENTRY}"
        found = [known for path in self._folder.glob(pattern) if (known := self._load(path)) is not None]
        meant = [
            known
            for known in found
            if known.repo == repo
            and file in ("", known.file)
            and commit in ("", known.commit)
            and (not quantization or quantization_of(known.file) == quantization.upper())
        ]
        return max(meant, key=lambda known: known.learned, default=None)

    def keep(self, model: RemoteModel) -> KnownModel:
        """Store what was learned, and return it; where it cannot be stored, the log says so. Raises GgufError."""
        stub = model.stub
        entry = _Entry(
            repo=model.repo,
            commit=model.commit,
            file=model.file,
            size=model.size,
            stub_size=stub.size,
            learned=time.time(),
            head=stub.head,
        )
        known = _known(entry)._replace(fetched=model.fetched)
        path = self._folder / f"{_short(model.repo)}-{_short(model.file)}-{model.commit[:16]}{_ENTRY}"
        content = self._encoder.encode(entry)
        try:
            write_atomically(path, hashlib.sha256(content).digest() + content)
        except AppError as error:  # what is known is worth as much without a copy of it
            _log.warning("what is known of %s/%s is not kept: %s", model.repo, model.file, error)
        else:
            clean_stubs(self._folder)
        return known

    def _load(self, path: Path) -> KnownModel | None:
        try:
            stamp = path.stat().st_mtime_ns
            if path in self._read and self._read[path][0] == stamp:
                return self._read[path][1]
            known = _known(self._decoder.decode(_checked(read_bounded(path, most=_LARGEST_ENTRY))))
        except FileNotFoundError:  # another process has just cleaned up
            return None
        except (OSError, ValueError, msgspec.MsgspecError, GgufError) as error:
            _log.warning("what was kept of a model in %s is damaged and is fetched again: %s", path.name, error)
            self._read.pop(path, None)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
            stamp = path.stat().st_mtime_ns
        self._read[path] = stamp, known
        return known


def write_stub(stub: Stub, folder: Path) -> Path:
    """Return the file that holds `stub`, written unless it is there; its name is the stub's key.

    Raises FileNotSaved and DiskFull.
    """
    path = folder / f"{stub.key}{_STUB}"
    if _holds(path, stub):
        with contextlib.suppress(OSError):
            os.utime(path)
        return path
    with explained_write(path):
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.urandom(6).hex()}{_UNFINISHED}")
        try:
            stub.write(unfinished)
            _put_in_place(unfinished, path, stub)
        finally:
            unfinished.unlink(missing_ok=True)
    clean_stubs(folder)
    return path


def clean_stubs(folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
    """Remove what was not used for longest, of each kind what is beyond the bounds, and what was left unfinished."""
    for suffix in (_ENTRY, _STUB):
        _remove_oldest(folder.glob(f"*{suffix}"), most_files, most_bytes)
    for path in (*folder.glob(f"*{_UNFINISHED}"), *folder.glob(f".*{_ENTRY}.*")):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()


def _remove_oldest(paths: Iterable[Path], most_files: int, most_bytes: int) -> None:
    found = []
    for path in paths:
        with contextlib.suppress(OSError):  # gone meanwhile
            status = path.stat()
            found.append((status.st_mtime_ns, _room(status), path))
    room = 0
    for count, (_, size, path) in enumerate(sorted(found, reverse=True), start=1):
        room += size
        if count > most_files or room > most_bytes:
            with contextlib.suppress(OSError):  # another process was quicker, or has it open on Windows
                path.unlink()


def _room(status: os.stat_result) -> int:
    """Bytes on the disk; a stub is a hole for the most part, which only POSIX tells."""
    blocks = getattr(status, "st_blocks", None)
    return blocks * 512 if blocks is not None else min(status.st_size, 1 << 16)


def _holds(path: Path, stub: Stub) -> bool:
    try:
        with path.open("rb") as stream:
            return os.fstat(stream.fileno()).st_size == stub.size and stream.read(len(stub.head)) == stub.head
    except OSError:
        return False


def _put_in_place(unfinished: Path, path: Path, stub: Stub) -> None:
    try:
        unfinished.replace(path)
    except PermissionError:
        # Windows, where an open file keeps its name: somebody else wrote the same and the engine looks at it.
        if not _holds(path, stub):
            raise


def _checked(data: bytes) -> bytes:
    digest, content = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("its content is not what was written")
    return content


def _known(entry: _Entry) -> KnownModel:
    parser = HeaderParser(size=entry.stub_size, name=f"{entry.repo}/{entry.file}")
    header = parser.feed(entry.head)
    if header is None:
        parser.end()
    return KnownModel(
        repo=entry.repo,
        commit=entry.commit,
        file=entry.file,
        size=entry.size,
        header=header,
        stub=Stub(entry.head, entry.stub_size),
        learned=entry.learned,
    )


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
