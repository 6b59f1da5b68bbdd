"""Reads little-endian values from a stream without ever trusting a count or a length that the stream states."""

import struct
from typing import BinaryIO, NoReturn

from desktop.gguf.errors import CorruptGguf, TruncatedGguf

CHUNK = 1 << 20
"""Bytes asked of the stream at a time."""

MAX_TEXT = 1 << 22
"""The longest text that is kept (chat templates have some hundred KB), in bytes."""

MAX_HEADER = 1 << 26
"""Bytes of a header; the largest known has 16 MB. A file with holes costs nobody anything and may be any size."""

MAX_MEMORY = 1 << 25
"""Bytes of memory that everything kept of a header may take."""

_BYTES_PER_BYTE = 4  # of a text: one character beyond the basic plane makes all take four bytes

_LONGEST_REASON = 300

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class BoundedReader:
    """A cursor over the first `size` bytes of `stream`.

    Whatever lies beyond `size` is missing, so that no promise of the file is believed: a length is compared with
    what is left before anything is read or allocated. Raises TruncatedGguf and CorruptGguf.
    """

    def __init__(self, stream: BinaryIO, *, size: int, path: str) -> None:
        self._stream = stream
        self._size = size
        self._path = path
        self._buffer = b""
        self._start = 0  # position of the buffer in the file
        self._at = 0  # position in the buffer
        self._memory = 0  # of what was kept, in bytes

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._start + self._at

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return self._size - self.position

    def u32(self, what: str) -> int:
        """Read an unsigned 32-bit number."""
        return int(_U32.unpack(self.take(4, what))[0])

    def u64(self, what: str) -> int:
        """Read an unsigned 64-bit number."""
        return int(_U64.unpack(self.take(8, what))[0])

    def count(self, what: str, *, least: int, most: int) -> int:
        """Read a 64-bit count of things that take `least` bytes each, of which there may be `most`."""
        value = self.u64(what)
        if value > most:
            self.corrupt(f"it states {value} {what}")
        if value * least > self.remaining:
            self.truncated(f"it states {value} {what}, more than the file has room for")
        return value

    def text(self, what: str, *, most: int = MAX_TEXT) -> str:
        """Read a length and as many bytes of UTF-8; bytes that are not UTF-8 are replaced."""
        length = self.u64(what)
        self._check(length, what)
        if length > most:
            self.corrupt(f"{what} has {length} bytes")
        self.keep(_BYTES_PER_BYTE * length)
        return self.take(length, what).decode("utf-8", errors="replace")

    def take(self, length: int, what: str) -> bytes:
        """Read `length` bytes."""
        self._check(length, what)
        if len(self._buffer) - self._at < length:
            self._fill(length, what)
        begin = self._at
        self._at += length
        return self._buffer[begin : self._at]

    def keep(self, memory: int) -> None:
        """Count bytes of memory that something read takes for as long as the header is kept."""
        self._memory += memory
        if self._memory > MAX_MEMORY:
            self.corrupt("it has more metadata than any model needs")

    def skip(self, length: int, what: str) -> None:
        """Pass over `length` bytes without keeping them."""
        self._check(length, what)
        while length:
            step = min(length, CHUNK)
            self.take(step, what)
            length -= step

    def skip_texts(self, count: int, what: str) -> None:
        """Pass over `count` texts: the hot loop of a vocabulary, about 0.15 us each."""
        unpack = _U64.unpack_from
        buffer, at, last = self._buffer, self._at, len(self._buffer) - 8
        for _ in range(count):
            if at > last:
                self._at = min(at, len(self._buffer))
                self.skip(at - self._at, what)
                self._fill(8, what)
                buffer, at, last = self._buffer, self._at, len(self._buffer) - 8
            length = unpack(buffer, at)[0]
            at += 8 + length
            if length > CHUNK:
                self._at = at - length
                self.skip(length, what)
                buffer, at, last = self._buffer, self._at, len(self._buffer) - 8
        self._at = min(at, len(self._buffer))
        self.skip(at - self._at, what)

    def truncated(self, reason: str) -> NoReturn:
        """Raise TruncatedGguf."""
        raise TruncatedGguf(
            path=self._path, reason=_shown(reason), detail={"position": self.position, "size": self._size}
        )

    def corrupt(self, reason: str) -> NoReturn:
        """Raise CorruptGguf."""
        raise CorruptGguf(
            path=self._path, reason=_shown(reason), detail={"position": self.position, "size": self._size}
        )

    def _check(self, length: int, what: str) -> None:
        if length > self.remaining:
            self.truncated(f"it ends at byte {self._size}, inside {what}")
        if self.position + length > MAX_HEADER:
            self.corrupt(f"its header goes on beyond {MAX_HEADER} bytes, in {what}")

    def _fill(self, length: int, what: str) -> None:
        """Make sure that `length` bytes lie in the buffer, dropping what was read."""
        self._check(length, what)
        pieces = [self._buffer[self._at :]]
        have = len(pieces[0])
        self._start, self._at = self.position, 0
        while have < length:
            piece = self._stream.read(max(CHUNK, length - have))
            if not piece:
                self._buffer = b"".join(pieces)
                self.truncated(f"reading stopped inside {what}")
            pieces.append(piece)
            have += len(piece)
        self._buffer = b"".join(pieces)


def _shown(reason: str) -> str:
    """Keep a name that the file states from filling or steering the terminal that shows it."""
    short = reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in short)
