"""The file of one entry: a head that says what the state belongs to, then the state as the engine wrote it.

    8 bytes   MAGIC
    4 + 4     VERSION, length of the description (little-endian)
    n         Description as JSON
    4 * m     the tokens, int32 little-endian
    32        SHA-256 of everything above
    rest      the state, whose SHA-256 is in the description

SHA-256 and not BLAKE2b, because processors have instructions for it (1.6 against 0.8 GB/s where it was measured).
"""

import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from desktop.runtime.cache.entries import TOKEN_BYTES

MAGIC = b"SNUGKV\r\n"
VERSION = 2
CHUNK = 4 * 2**20
"""Bytes written or hashed at a time; between two, a writer can be stopped."""

_PREFIX = struct.Struct("<8sII")
_DIGEST_BYTES = hashlib.sha256().digest_size
_MOST_DESCRIPTION = 64 * 1024
_MOST_TOKENS = 2**24
_BINARY: int = getattr(os, "O_BINARY", 0)
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Damaged(Exception):
    """The file is not what it should be; carries what is wrong, in a few words."""


class Stopped(Exception):
    """A write was given up because the program ends."""


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its state. tokens: how many; state_bytes: its size; sha256: of the state, in hex.

    conversation: the key of whose it is, "" where it has no name.
    """

    model_key: str
    adapters: str
    conversation: str
    engine: str
    tokens: int
    state_bytes: int
    sha256: str


class Head(msgspec.Struct, frozen=True):
    """The checked beginning of a file. key: its tokens, packed; size: bytes of the whole head."""

    description: Description
    key: bytes
    size: int


_decoder = msgspec.json.Decoder(Description)


def open_entry(path: Path) -> BinaryIO:
    """Open a file to read, unbuffered; a link, a pipe or a folder is refused.

    Raises FileNotFoundError where it has gone, Damaged where it is not a file, OSError.
    """
    try:
        stream = open(path, "rb", buffering=0, opener=_open_itself)  # noqa: SIM115 - Path.open has no opener
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise Damaged("it is a link, not a file") from error
        raise
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) and not path.is_symlink():
        return stream
    stream.close()
    raise Damaged("it is not a file")


def read_head(stream: BinaryIO, *, model_key: str, engine: str) -> Head:
    """Read and check the head of a file of this model and engine; see read_any_head. Raises Damaged, OSError."""
    head = read_any_head(stream)
    if (head.description.model_key, head.description.engine) != (model_key, engine):
        raise Damaged("it belongs to another model or engine")
    return head


def read_any_head(stream: BinaryIO) -> Head:
    """Read and check the head of a file from its beginning, its size too. Raises Damaged, OSError."""
    prefix = stream.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        raise Damaged("it is cut off")
    magic, version, length = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise Damaged("it is of another kind")
    if version != VERSION:
        raise Damaged(f"its format has version {version}")
    if length > _MOST_DESCRIPTION:
        raise Damaged("its description is too long")
    text = stream.read(length)
    description = _decode(text)
    if description.tokens * TOKEN_BYTES > os.fstat(stream.fileno()).st_size:
        raise Damaged("it is cut off")
    key = stream.read(description.tokens * TOKEN_BYTES)
    if stream.read(_DIGEST_BYTES) != hashlib.sha256(prefix + text + key).digest():
        raise Damaged("its head does not match its checksum")
    size = _PREFIX.size + length + len(key) + _DIGEST_BYTES
    if os.fstat(stream.fileno()).st_size != size + description.state_bytes:
        raise Damaged("it is cut off")
    return Head(description, key, size)


def read_state(stream: BinaryIO, head: Head) -> bytes:
    """Read the state that follows the head, and check it. Raises Damaged, OSError."""
    state = _read_all(stream, head.description.state_bytes)
    if hashlib.sha256(state).hexdigest() != head.description.sha256:
        raise Damaged("its state does not match its checksum")
    return state


def make_head(*, model_key: str, engine: str, adapters: str, key: bytes, state: bytes, conversation: str = "") -> bytes:
    """Return what a file of `state` begins with."""
    description = Description(
        model_key=model_key,
        adapters=adapters,
        conversation=conversation,
        engine=engine,
        tokens=len(key) // TOKEN_BYTES,
        state_bytes=len(state),
        sha256=hashlib.sha256(state).hexdigest(),
    )
    text = msgspec.json.encode(description)
    head = _PREFIX.pack(MAGIC, VERSION, len(text)) + text + key
    return head + hashlib.sha256(head).digest()


def create(path: Path, size: int) -> BinaryIO:
    """Create a file of `size` bytes that only this user may read; its size counts from now on. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _NOFOLLOW, 0o600)
    stream = os.fdopen(descriptor, "wb", buffering=0)
    try:
        stream.truncate(size)
    except BaseException:
        stream.close()
        raise
    return stream


def write(stream: BinaryIO, head: bytes, state: bytes, *, stopping: Callable[[], bool]) -> None:
    """Write a file and put it on the disk. Raises OSError, and Stopped as soon as `stopping` says so."""
    for part in (memoryview(head), memoryview(state)):
        at = 0
        while at < len(part):
            if stopping():
                raise Stopped
            at += stream.write(part[at : at + CHUNK])
    os.fsync(stream.fileno())


def finish(unfinished: Path, path: Path, *, used: float) -> None:
    """Give a written file its name, and the time its entry was last used (since the epoch). Raises OSError."""
    os.utime(unfinished, (used, used))
    unfinished.rename(path)


def new_stem() -> str:
    """Return a name for an entry, which says nothing of what is in it."""
    return os.urandom(8).hex()


def _read_all(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes. One call gives at most 2 GiB (read(2)), and is spared a copy where it gives everything."""
    parts = [stream.read(size)]
    missing = size - len(parts[0])
    while missing:
        part = stream.read(missing)
        if not part:
            raise Damaged("it is cut off")
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decode(text: bytes) -> Description:
    try:
        description = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("its description cannot be read") from error
    if not 0 < description.tokens <= _MOST_TOKENS or description.state_bytes < 0:
        raise Damaged("its description states impossible sizes")
    return description


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | _NOFOLLOW)
