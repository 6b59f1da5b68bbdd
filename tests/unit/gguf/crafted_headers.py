"""Headers that lie: each must be refused by our reader, before native code sees the file.

A file may have holes: `size` is what it says it has, of which only `content` takes room on the disk.
"""

import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from desktop.gguf.errors import CorruptGguf, GgufError, NotAGguf, TruncatedGguf, UnsupportedGguf
from tests.support.gguf_writer import dense_model, header_bytes, text_bytes

U32_MAX, U64_MAX, HUGE = 2**32 - 1, 2**64 - 1, 2**63
U8, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64 = 0, 4, 5, 6, 7, 8, 9, 10, 11


class Crafted(NamedTuple):
    """A file, the error it must end in, and a part of the reason it must state."""

    content: bytes
    error: type[GgufError]
    reason: str
    size: int = 0

    def write(self, path: Path) -> Path:
        """Write it, holes and all."""
        with path.open("wb") as file:
            file.write(self.content)
            file.truncate(max(self.size, len(self.content)))
        return path


def start(tensors: int, keys: int, rest: bytes = b"", *, version: int = 3) -> bytes:
    """The first bytes of a file, and what follows."""
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


def key(name: str, kind: int, value: bytes) -> bytes:
    """A metadata entry."""
    return text_bytes(name) + struct.pack("<I", kind) + value


def array(kind: int, count: int, entries: bytes = b"") -> bytes:
    """The value of a metadata entry that is an array."""
    return struct.pack("<IQ", kind, count) + entries


def keys(*entries: bytes) -> bytes:
    """A file of metadata entries only."""
    return start(0, len(entries), b"".join(entries))


def info(name: str, shape: Sequence[int] = (32,), *, code: int = 0, offset: int = 0) -> bytes:
    """The description of a tensor."""
    return text_bytes(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, code, offset)


def tensors(*infos: bytes, data: int = 4096) -> bytes:
    """A file of tensors only, with bytes of data."""
    return start(len(infos), 0, b"".join(infos) + bytes(data))


def aligned(value: bytes, kind: int = U32) -> bytes:
    """A file of one tensor that states its alignment."""
    return start(1, 1, key("general.alignment", kind, value) + info("t") + bytes(4096))


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model.gguf", start(0, 0))
    return out.getvalue()


def _good() -> bytes:
    metadata, described = dense_model(n_layer=1)
    return header_bytes(metadata, described)


def _stated(name: str, kind: int, layout: str, value: int) -> bytes:
    """A llama that states a figure."""
    return keys(key("general.architecture", TEXT, text_bytes("llama")), key(name, kind, struct.pack(layout, value)))


_NESTED = struct.pack("<IQ", ARRAY, 1) * 10_000 + struct.pack("<IQ", U8, 0)
_NUMBERS = array(U64, 4096, struct.pack("<4096Q", *range(2**60, 2**60 + 4096)))

_BEGINNINGS = {
    "an empty file": Crafted(b"", NotAGguf, "not a GGUF"),
    "one byte": Crafted(b"G", NotAGguf, "not a GGUF"),
    "the magic alone": Crafted(b"GGUF", TruncatedGguf, "its version"),
    "another magic": Crafted(b"GGML" + start(0, 0)[4:], NotAGguf, "not a GGUF"),
    "the magic in small letters": Crafted(b"gguf" + start(0, 0)[4:], NotAGguf, "not a GGUF"),
    "zeros": Crafted(bytes(4096), NotAGguf, "not a GGUF"),
    "a terabyte of holes": Crafted(b"\0", NotAGguf, "not a GGUF", 2**40),
    "words": Crafted(b"I am a model, believe me.\n" * 100, NotAGguf, "not a GGUF"),
    "a ZIP": Crafted(_zip(), NotAGguf, "not a GGUF"),
    "a pickle": Crafted(b"\x80\x04cposix\nsystem\n(S'true'\ntR.", NotAGguf, "not a GGUF"),
    "a Safetensors file": Crafted(struct.pack("<Q", 2) + b"{}" + bytes(100), NotAGguf, "not a GGUF"),
    "a pointer of Git LFS": Crafted(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", NotAGguf, "not a"),
    "a page from a web server": Crafted(b"<!DOCTYPE html><title>404</title>", NotAGguf, "not a GGUF"),
    "version 0": Crafted(start(0, 0, version=0), UnsupportedGguf, "big-endian"),
    "version 1": Crafted(start(0, 0, version=1), UnsupportedGguf, "version 1"),
    "version 4": Crafted(start(0, 0, version=4), UnsupportedGguf, "version 4"),
    "version 2^32 - 1": Crafted(start(0, 0, version=U32_MAX), UnsupportedGguf, "version 4294967295"),
    "big-endian version 2": Crafted(b"GGUF" + struct.pack(">IQQ", 2, 0, 0), UnsupportedGguf, "big-endian"),
    "big-endian version 3": Crafted(b"GGUF" + struct.pack(">IQQ", 3, 1, 1), UnsupportedGguf, "big-endian"),
}
_COUNTS = {
    "no counts": Crafted(start(0, 0)[:8], TruncatedGguf, "tensors"),
    "2^63 tensors": Crafted(start(HUGE, 0), CorruptGguf, "9223372036854775808 tensors"),
    "2^63 entries": Crafted(start(0, HUGE), CorruptGguf, "9223372036854775808 metadata entries"),
    "2^64 - 1 of both": Crafted(start(U64_MAX, U64_MAX), CorruptGguf, "18446744073709551615 tensors"),
    "43 bytes that hung another reader": Crafted(start(2**62, 2**62, bytes(19)), CorruptGguf, "tensors"),
    "a tensor too many for any model": Crafted(start(2**15 + 1, 0, bytes(2**20)), CorruptGguf, "32769 tensors"),
    "an entry too many for any model": Crafted(start(0, 2**14 + 1, bytes(2**20)), CorruptGguf, "16385 metadata"),
    "more tensors than bytes": Crafted(start(10_000, 0, bytes(1000)), TruncatedGguf, "10000 tensors"),
    "more entries than bytes": Crafted(start(0, 10_000, bytes(1000)), TruncatedGguf, "10000 metadata entries"),
    "one tensor more than there is": Crafted(start(2, 0, info("a") + bytes(64)), CorruptGguf, "0 dimensions"),
    "one entry more than there is": Crafted(start(0, 2, key("a", U32, bytes(4))), TruncatedGguf, "2 metadata entries"),
}
_ENTRIES = {
    "a key of 2^63 bytes": Crafted(keys(struct.pack("<Q", HUGE) + bytes(64)), TruncatedGguf, "a metadata key"),
    "a key of 2^64 - 1 bytes": Crafted(keys(struct.pack("<Q", U64_MAX) + bytes(64)), TruncatedGguf, "a metadata key"),
    "a key of 64 KiB and a byte": Crafted(keys(text_bytes("k" * 65_537) + bytes(64)), CorruptGguf, "65537 bytes"),
    "a key without a value": Crafted(keys(text_bytes("a") + struct.pack("<I", TEXT)), TruncatedGguf, "inside a"),
    "the same key twice": Crafted(keys(*[key("a", U32, bytes(4))] * 2), CorruptGguf, '"a" is there twice'),
    "the empty key twice": Crafted(keys(*[key("", U32, bytes(4))] * 2), CorruptGguf, '"" is there twice'),
    "a value of type 13": Crafted(keys(key("a", 13, bytes(8))), CorruptGguf, "unknown type 13"),
    "a value of type 2^32 - 1": Crafted(keys(key("a", U32_MAX, bytes(8))), CorruptGguf, "unknown type 4294967295"),
    "a text of 2^63 bytes": Crafted(keys(key("a", TEXT, struct.pack("<Q", HUGE))), TruncatedGguf, "inside a"),
    "a text of 2^64 - 1 bytes": Crafted(keys(key("a", TEXT, struct.pack("<Q", U64_MAX))), TruncatedGguf, "inside a"),
    "a text longer than the file": Crafted(keys(key("a", TEXT, struct.pack("<Q", 99))), TruncatedGguf, "inside a"),
    "a text of 4 GiB of holes": Crafted(
        keys(key("a", TEXT, struct.pack("<Q", 2**32))), CorruptGguf, "beyond 67108864 bytes", 2**33
    ),
    "a text of 8 MiB of holes": Crafted(
        keys(key("a", TEXT, struct.pack("<Q", 2**23))), CorruptGguf, "8388608 bytes", 2**24
    ),
    "more texts than any model has": Crafted(
        keys(*(key(f"a{index}", TEXT, text_bytes("x" * 2**21)) for index in range(5))), CorruptGguf, "more metadata"
    ),
    "a megabyte that is no UTF-8, twice": Crafted(
        keys(*[key("a", TEXT, struct.pack("<Q", 2**20) + b"\xff" * 2**20)] * 2), CorruptGguf, '"a" is there twice'
    ),
    "texts that take four times their bytes": Crafted(
        keys(*(key(f"a{index}", TEXT, text_bytes("x" * (2**22 - 4) + "\N{GRINNING FACE}")) for index in range(3))),
        CorruptGguf,
        "more metadata",
    ),
    "more numbers than any model has": Crafted(
        keys(*(key(f"a{index}", ARRAY, _NUMBERS) for index in range(200))), CorruptGguf, "more metadata"
    ),
}
_ARRAYS = {
    "an array of type 77": Crafted(keys(key("a", ARRAY, array(77, 1, bytes(8)))), CorruptGguf, "unknown type 77"),
    "an array of arrays": Crafted(keys(key("a", ARRAY, array(ARRAY, 1, bytes(32)))), CorruptGguf, "unknown type 9"),
    "arrays 10,000 deep": Crafted(keys(key("a", ARRAY, _NESTED)), CorruptGguf, "unknown type 9"),
    "an array of 2^63 numbers": Crafted(keys(key("a", ARRAY, array(U32, HUGE))), CorruptGguf, "numbers in a"),
    "2^61 numbers, 2^64 bytes": Crafted(keys(key("a", ARRAY, array(U64, 2**61))), CorruptGguf, "numbers in a"),
    "an array longer than the file": Crafted(keys(key("a", ARRAY, array(U32, 9))), TruncatedGguf, "9 numbers in a"),
    "2^24 + 1 numbers of holes": Crafted(
        keys(key("a", ARRAY, array(U8, 2**24 + 1))), CorruptGguf, "16777217 numbers", 2**26
    ),
    "2^24 numbers of holes, 128 MiB": Crafted(
        keys(key("a", ARRAY, array(U64, 2**24))), CorruptGguf, "beyond 67108864 bytes", 2**28
    ),
    "an array of 2^63 texts": Crafted(keys(key("a", ARRAY, array(TEXT, HUGE))), CorruptGguf, "texts in a"),
    "an array of 2^61 texts": Crafted(keys(key("a", ARRAY, array(TEXT, 2**61))), CorruptGguf, "texts in a"),
    "texts that are not there": Crafted(keys(key("a", ARRAY, array(TEXT, 9))), TruncatedGguf, "9 texts in a"),
    "a text in an array of 2^63 bytes": Crafted(
        keys(key("a", ARRAY, array(TEXT, 1, struct.pack("<Q", HUGE)))), TruncatedGguf, "inside a"
    ),
    "a text in an array that ends behind the file": Crafted(
        keys(key("a", ARRAY, array(TEXT, 2, text_bytes("x" * 100) + struct.pack("<Q", 1)))), TruncatedGguf, "inside a"
    ),
    "a text in an array of 1 GiB of holes": Crafted(
        keys(key("a", ARRAY, array(TEXT, 1, struct.pack("<Q", 2**30)))), CorruptGguf, "beyond 67108864", 2**31
    ),
}
_TENSORS = {
    "a tensor's name of 64 bytes": Crafted(tensors(info("t" * 64)), CorruptGguf, "64 bytes"),
    "a tensor's name of 2^63 bytes": Crafted(tensors(struct.pack("<Q", HUGE)), TruncatedGguf, "a tensor name"),
    "no dimensions": Crafted(tensors(info("t", ())), CorruptGguf, "0 dimensions"),
    "five dimensions": Crafted(tensors(info("t", (2, 2, 2, 2, 2))), CorruptGguf, "5 dimensions"),
    "2^32 - 1 dimensions": Crafted(
        tensors(text_bytes("t") + struct.pack("<I", U32_MAX)), CorruptGguf, "4294967295 dimensions"
    ),
    "a dimension of 0": Crafted(tensors(info("t", (32, 0))), CorruptGguf, "[32, 0]"),
    "a dimension of 2^63": Crafted(tensors(info("t", (HUGE,))), CorruptGguf, "impossible shape"),
    "a dimension of -1": Crafted(tensors(info("t", (U64_MAX,))), CorruptGguf, "impossible shape"),
    "a product of 2^64": Crafted(tensors(info("t", (2**32, 2**32))), CorruptGguf, "impossible shape"),
    "a product that overflows to 32": Crafted(tensors(info("t", (2**63 + 16, 2))), CorruptGguf, "impossible shape"),
    "bytes that overflow": Crafted(tensors(info("t", (2**62,))), TruncatedGguf, "beyond the end"),
    "a row that is no whole block": Crafted(tensors(info("t", (33,), code=2)), CorruptGguf, "impossible shape"),
    "a row of half a superblock": Crafted(tensors(info("t", (128, 4), code=12)), CorruptGguf, "impossible shape"),
    "a removed type": Crafted(tensors(info("t", code=4)), UnsupportedGguf, "unknown type 4"),
    "an unknown type": Crafted(tensors(info("t", code=250)), UnsupportedGguf, "unknown type 250"),
    "a type of 2^32 - 1": Crafted(tensors(info("t", code=U32_MAX)), UnsupportedGguf, "unknown type 4294967295"),
    "an offset that is not aligned": Crafted(tensors(info("t", offset=7)), CorruptGguf, "begins at 7"),
    "an offset of 2^63": Crafted(tensors(info("t", offset=HUGE)), CorruptGguf, "begins at 9223372036854775808"),
    "an offset of 2^64 - 32": Crafted(tensors(info("t", offset=2**64 - 32)), CorruptGguf, "begins at"),
    "tensors that overlap": Crafted(tensors(info("a"), info("b")), CorruptGguf, "begins at 0 instead of 128"),
    "tensors that overlap in part": Crafted(tensors(info("a"), info("b", offset=64)), CorruptGguf, "instead of 128"),
    "a gap between tensors": Crafted(tensors(info("a"), info("b", offset=256)), CorruptGguf, "instead of 128"),
    "tensors in the wrong order": Crafted(tensors(info("a", offset=128), info("b")), CorruptGguf, "instead of 0"),
    "a tensor twice": Crafted(tensors(info("a"), info("a", offset=128)), CorruptGguf, '"a" is there twice'),
    "a tensor larger than the file": Crafted(tensors(info("t", (2**40,))), TruncatedGguf, "beyond the end"),
    "a byte missing": Crafted(tensors(info("t"), data=134), TruncatedGguf, "ends 1 bytes beyond"),
    "no data at all": Crafted(tensors(info("t"), data=0), TruncatedGguf, "beyond the end"),
}
_FIGURES = {
    "alignment 0": Crafted(aligned(struct.pack("<I", 0)), CorruptGguf, "alignment"),
    "alignment 3": Crafted(aligned(struct.pack("<I", 3)), CorruptGguf, "alignment"),
    "alignment -32": Crafted(aligned(struct.pack("<i", -32), I32), CorruptGguf, "alignment"),
    "alignment 2^31": Crafted(aligned(struct.pack("<I", 2**31)), CorruptGguf, "alignment is 2147483648"),
    "alignment 2^63": Crafted(aligned(struct.pack("<Q", HUGE), U64), CorruptGguf, "alignment is 9223372036854775808"),
    "alignment 32.0": Crafted(aligned(struct.pack("<f", 32.0), F32), CorruptGguf, "alignment"),
    "alignment true": Crafted(aligned(b"\x01", BOOL), CorruptGguf, "alignment"),
    "alignment as text": Crafted(aligned(text_bytes("32"), TEXT), CorruptGguf, "alignment"),
    "alignments": Crafted(aligned(array(U32, 1, struct.pack("<I", 32)), ARRAY), CorruptGguf, "alignment"),
    "513 layers": Crafted(_stated("llama.block_count", U32, "<I", 513), CorruptGguf, "513 layers"),
    "2^31 layers": Crafted(_stated("llama.block_count", U32, "<I", 2**31), CorruptGguf, "2147483648 layers"),
    "2^63 layers": Crafted(_stated("llama.block_count", U64, "<Q", HUGE), CorruptGguf, "9223372036854775808 layers"),
}
_GOOD = _good()
_CUTS = {
    f"cut at {end} of {len(_GOOD)}": Crafted(_GOOD[:end], TruncatedGguf, "is incomplete")
    for end in range(5, len(_GOOD), len(_GOOD) // 12)
}

CRAFTED: dict[str, Crafted] = {
    **_BEGINNINGS, **_COUNTS, **_ENTRIES, **_ARRAYS, **_TENSORS, **_FIGURES, **_CUTS,
}  # fmt: skip
"""What is wrong with the file -> the file."""
