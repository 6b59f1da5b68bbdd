"""A stub of a model: its header without the vocabulary, in a file that looks as large as the model and holds nothing.

The engine plans with it as with the model itself (weights, KV cache, compute buffers, placement), and is many times
quicker: a vocabulary is megabytes, the rest some kilobytes. The shards of a split model become one.
"""

import hashlib
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from desktop.files import explained_read, open_regular
from desktop.gguf.errors import CorruptGguf
from desktop.gguf.header import MAGIC, GgufHeader, TensorInfo

_U32, _TEXT = 4, 8  # GGUF value types
_VOCABULARY = "tokenizer."
_SPLIT = "split."
_MODEL = "tokenizer.ggml.model"
_PROJECTOR = "clip"  # the architecture of every projector; it has no words
_NONE = "no_vocab"  # llama-vocab.cpp: a model without words, whose size <arch>.vocab_size states


class Stub(msgspec.Struct, frozen=True):
    """head: what is in the file; size: bytes that it states, head included."""

    head: bytes
    size: int

    @property
    def key(self) -> str:
        """Identifies the model as far as memory is concerned: 32 hex."""
        return hashlib.sha256(self.head).hexdigest()[:32]

    def write(self, path: Path) -> None:
        """Write the file; what lies behind the head takes no room on the disk. Raises OSError."""
        with path.open("wb") as stream:
            _make_sparse(stream)
            stream.write(self.head)
            stream.truncate(self.size)


def stub_of_file(path: Path, header: GgufHeader, *, shards: Sequence[GgufHeader] = ()) -> Stub:
    """Make the stub of a model on the disk; `shards` are the headers of its other files.

    Raises what gguf.header.read_header raises for a file that cannot be read.
    """
    with explained_read(path), open_regular(path) as stream:
        return make_stub(stream, header, shards=shards)


def make_stub(stream: BinaryIO, header: GgufHeader, *, shards: Sequence[GgufHeader] = ()) -> Stub:
    """Make the stub of a model whose first shard's header can be read from `stream` once more.

    Raises CorruptGguf where something else is there by now.
    """
    size_key = f"{header.architecture}.vocab_size"  # where the file has one, it may differ from the tokens it has
    left_out = [key for key in header.entries if key.startswith((_VOCABULARY, _SPLIT)) or key == size_key]
    kept = [_entry(stream, header, key) for key in header.entries if key not in left_out]
    if header.architecture != _PROJECTOR:
        kept.append(_text(_MODEL) + struct.pack("<I", _TEXT) + _text(_NONE))
        kept.append(_text(size_key) + struct.pack("<II", _U32, header.vocab_size))
    tensors = [tensor for each in (header, *shards) for tensor in each.tensors]
    infos, data_size = _infos(tensors, header.alignment)
    head = MAGIC + struct.pack("<IQQ", header.version, len(tensors), len(kept)) + b"".join(kept) + infos
    head += bytes(-len(head) % header.alignment)
    return Stub(head, len(head) + data_size)


def _entry(stream: BinaryIO, header: GgufHeader, key: str) -> bytes:
    begin, end = header.entries[key]
    stream.seek(begin)
    entry = stream.read(end - begin)
    if len(entry) != end - begin or not entry.startswith(_text(key)):
        raise CorruptGguf(path=str(getattr(stream, "name", key)), reason="it was changed while it was read")
    return entry


def _infos(tensors: Iterable[TensorInfo], alignment: int) -> tuple[bytes, int]:
    """The tensors' descriptions one after the other, and the bytes of their data."""
    infos, offset = bytearray(), 0
    for tensor in tensors:
        infos += _text(tensor.name) + struct.pack("<I", len(tensor.shape))
        infos += struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, tensor.kind.code, offset)
        offset += -(-tensor.size // alignment) * alignment
    return bytes(infos), offset


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _make_sparse(stream: BinaryIO) -> None:
    """On Windows a file is given its room unless it is told to be sparse; elsewhere nobody needs to be told."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt
        from ctypes import wintypes

        set_sparse = 0x000900C4  # FSCTL_SET_SPARSE of winioctl.h
        handle, done = msvcrt.get_osfhandle(stream.fileno()), wintypes.DWORD()
        control = ctypes.WinDLL("kernel32", use_last_error=True).DeviceIoControl
        if not control(wintypes.HANDLE(handle), set_sparse, None, 0, None, 0, ctypes.byref(done), None):
            raise OSError(ctypes.get_last_error(), f"{os.fspath(stream.name)} cannot be made sparse")
