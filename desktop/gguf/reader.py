"""Reads little-endian values from bytes that arrive in pieces, without ever trusting a count or a length in them."""

import struct
from typing import NoReturn

from desktop.gguf.errors import CorruptGguf, TruncatedGguf

CHUNK = 1 << 20
"""Bytes that are read from a file at a time."""

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


class NotYet(Exception):
    """The next value has not arrived as a whole; `mark` says from where on it has to be read again."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class BoundedReader:
    """A cursor over the first `size` bytes of a file, of which `feed` brings one piece after the other.

    Whatever lies beyond `size` is missing, so that no promise of the file is believed: a length is compared with
    what is left before anything is kept or allocated. start: of the first piece in the file, in bytes.
    Raises TruncatedGguf and CorruptGguf, and NotYet for what has not arrived.
    """

    def __init__(self, *, size: int, path: str, start: int = 0) -> None:
        self._size = size
        self._path = path
        self._buffer = bytearray()
        self._start = start  # position of the buffer in the file
        self._at = 0  # position in the buffer; beyond its end after a skip
        self._mark = 0
        self._memory = 0  # of what was kept, in bytes
        self._memory_at_mark = 0

    @property
    def position(self) -> int:
        """Where the next value begins in the file, in bytes."""
        return self._start + self._at

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return self._size - self.position

    @property
    def complete(self) -> bool:
        """Whether all bytes before `position` have arrived."""
        return self._at <= len(self._buffer)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the file, and go back to the last mark; what lies before it is dropped."""
        self._buffer += piece
        passed = min(self._mark, len(self._buffer))
        del self._buffer[:passed]
        self._start += passed
        self._mark -= passed
        self._at = self._mark
        self._memory = self._memory_at_mark

    def mark(self) -> None:
        """Everything before `position` was understood."""
        self._mark = self._at
        self._memory_at_mark = self._memory

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
        begin, end = self._at, self._at + length
        if end > len(self._buffer):
            raise NotYet(what)
        self._at = end
        return bytes(self._buffer[begin:end])

    def keep(self, memory: int) -> None:
        """Count bytes of memory that something read takes for as long as the header is kept."""
        self._memory += memory
        if self._memory > MAX_MEMORY:
            self.corrupt("it has more metadata than any model needs")

    def skip(self, length: int, what: str) -> None:
        """Pass over `length` bytes, whether they have arrived or not, without keeping them."""
        self._check(length, what)
        self._at += length

    def skip_texts(self, count: int, what: str) -> int:
        """Pass over up to `count` texts: the hot loop of a vocabulary, about 0.15 us each.

        Return how many are left because they have not arrived; those before them are understood.
        """
        unpack = _U64.unpack_from
        buffer, at, last = self._buffer, self._at, len(self._buffer) - 8
        while count and at <= last:
            at += 8 + unpack(buffer, at)[0]
            count -= 1
        self.skip(at - self._at, what)
        self._check(8 * count, what)
        self.mark()
        return count

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


def _shown(reason: str) -> str:
    """Keep a name that the file states from filling or steering the terminal that shows it."""
    short = reason if len(reason) <= _LONGEST_REASON else reason[:_LONGEST_REASON] + "..."
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in short)
