"""Which model and which settings a state belongs to: another one's would be taken and give nonsense."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from desktop.files import explained_read, open_regular
from desktop.gguf.header import GgufHeader, read_header
from desktop.gguf.shards import all_shards

SAMPLES = 64
SAMPLE_BYTES = 4096


def model_key(path: Path, /, *, header: GgufHeader | None = None, **parameters: str | float | bool) -> str:
    """Return a hash (64 hex) of the weights in `path` and of `parameters`: everything that changes a state.

    The weights are known by the header, the size of every part of a split file, and SAMPLES pieces of SAMPLE_BYTES,
    spread evenly over the tensor data of all parts: milliseconds for any size. Weights that differ only between the
    pieces are not told apart; a model that was trained further differs everywhere.
    header: spares reading it again. Raises as read_header, and FileUnreadable where a part is missing.
    """
    header = header or read_header(path)
    digest = hashlib.sha256()
    parts = all_shards(path)
    for number, part in enumerate(parts):
        begin = header.data_offset if number == 0 else 0
        with explained_read(part), open_regular(part) as stream:
            size = os.fstat(stream.fileno()).st_size
            digest.update(b"%d %d\n" % (size, begin))
            digest.update(_read(stream, 0, begin))
            for offset in _spread(begin, size, -(-SAMPLES // len(parts))):
                digest.update(_read(stream, offset, SAMPLE_BYTES))
    for name, value in sorted(parameters.items()):
        digest.update(f"{name}={value!r}\n".encode())
    return digest.hexdigest()


def _spread(begin: int, end: int, count: int) -> Iterator[int]:
    """Where `count` samples begin: the first at `begin`, the last so that it ends at `end`."""
    last = max(end - SAMPLE_BYTES, begin)
    return (begin + (last - begin) * number // max(count - 1, 1) for number in range(count))


def _read(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)
