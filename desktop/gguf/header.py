"""The header of a GGUF file: metadata and tensor infos, read within bounds.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. What is refused is what ggml refuses (gguf.cpp),
before the engine sees the file: a count or a length beyond the file, tensors that are not contiguous, that end
beyond the file, or that are of a type nobody knows. Vocabularies are passed over: their count stays, their texts
are read only when asked for.
"""

import math
import os
import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

import msgspec

from desktop.files import explained_read, open_regular
from desktop.gguf.errors import NotAGguf, UnsupportedGguf
from desktop.gguf.reader import CHUNK, BoundedReader, NotYet
from desktop.gguf.shards import all_shards
from desktop.gguf.types import GGML_TYPES, GgmlType

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_LAYERS = 512
"""LLAMA_MAX_LAYERS in llama-hparams.h."""

_MAX_KEYS = 1 << 14
_MAX_TENSORS = 1 << 15
_MAX_ELEMENTS = 1 << 24
_MAX_TEXTS = 1 << 22
_MAX_NAME = 1 << 16
_MAX_TENSOR_NAME = 63  # GGML_MAX_NAME of ggml.h, less its end
_NUMBER_BYTES = 48  # of memory: a Python number and its place in a tuple
_MAX_DIMENSIONS = 4
_ALIGNMENT = 32  # GGUF_DEFAULT_ALIGNMENT of gguf.h
_MAX_ALIGNMENT = 1 << 16  # a page of memory at most; a stub's padding is as long
_MAX_WEIGHTS = 1 << 62
_KEPT_NUMBERS = 4096  # arrays up to here hold one figure per layer or the like; larger ones belong to the vocabulary
_TEXT, _ARRAY, _BOOL = 8, 9, 7
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_LAYER = re.compile(r"^blk\.(\d+)\.")


class LazyArray(msgspec.Struct, frozen=True):
    """An array that was passed over. kind: GGUF value type; offset: of its first element in the file, in bytes."""

    kind: int
    count: int
    offset: int


Number = int | float | bool
MetadataValue = Number | str | tuple[Number, ...] | LazyArray


class TensorInfo(NamedTuple):
    """A tensor. shape: ggml order (the first dimension is contiguous); offset: from the data section; size: bytes."""

    name: str
    shape: tuple[int, ...]
    kind: GgmlType
    offset: int
    size: int

    @property
    def layer(self) -> int | None:
        """Index of the block the tensor belongs to, None for embeddings and output."""
        match = _LAYER.match(self.name)
        return int(match[1]) if match else None

    @property
    def weights(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)


class GgufHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file says about itself.

    entries: where each metadata entry lies in the file, from its key to behind its value, in bytes.
    data_offset: where the tensor data begins, in bytes. file_size: bytes of the file. source: where it was read from.
    """

    version: int
    metadata: dict[str, MetadataValue]
    entries: dict[str, tuple[int, int]]
    tensors: tuple[TensorInfo, ...]
    data_offset: int
    file_size: int
    source: str = ""

    @property
    def alignment(self) -> int:
        """Bytes to a multiple of which each tensor begins; checked to be a power of two."""
        value = self.metadata.get("general.alignment", _ALIGNMENT)
        return value if isinstance(value, int) else _ALIGNMENT

    @property
    def architecture(self) -> str:
        """`general.architecture`, "" when it is missing."""
        return self.text("general.architecture")

    @property
    def n_layer(self) -> int:
        """Blocks (`<arch>.block_count`), the output head not counted; checked to be 0 to 512."""
        return self.number("block_count")

    @property
    def context_length(self) -> int:
        """Tokens the model was trained for, 0 when the file does not say."""
        return self.number("context_length")

    @property
    def vocab_size(self) -> int:
        """Tokens of the vocabulary, 0 when the file does not say."""
        tokens = self.metadata.get("tokenizer.ggml.tokens")
        return tokens.count if isinstance(tokens, LazyArray) else self.number("vocab_size")

    @property
    def has_long_rope(self) -> bool:
        """Whether positions are encoded by other factors in a long context (LongRoPE)."""
        return any("rope_factors_long" in tensor.name for tensor in self.tensors)

    @property
    def weights(self) -> int:
        """Number of weights over all tensors."""
        return sum(tensor.weights for tensor in self.tensors)

    def text(self, key: str) -> str:
        """Return the text stored under the full `key`, "" when there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def value(self, key: str) -> MetadataValue | None:
        """Return `<arch>.<key>`."""
        return self.metadata.get(f"{self.architecture}.{key}")

    def number(self, key: str, default: int = 0) -> int:
        """Return `<arch>.<key>` as a whole number; the largest of an array."""
        value = self.value(key)
        if isinstance(value, tuple):
            return max((_whole(entry, default) for entry in value), default=default)
        return _whole(value, default)

    def per_layer(self, key: str, default: int = 0) -> tuple[int, ...]:
        """Return `<arch>.<key>` for each layer, whether the file has one value or one per layer."""
        value = self.value(key)
        if isinstance(value, tuple):
            values = tuple(_whole(entry, default) for entry in value[: self.n_layer])
            return values + (default,) * (self.n_layer - len(values))
        return (self.number(key, default),) * self.n_layer


def read_header(path: Path) -> GgufHeader:
    """Read the header of `path`.

    Raises FileUnreadable, NotAGguf, UnsupportedGguf, TruncatedGguf, CorruptGguf.
    """
    with explained_read(path), open_regular(path) as stream:
        return parse_header(stream, size=os.fstat(stream.fileno()).st_size, name=str(path))


def other_headers(path: Path) -> tuple[GgufHeader, ...]:
    """Read the headers of a split model's other shards, () where it is whole; raises as read_header."""
    return tuple(read_header(shard) for shard in all_shards(path) if shard != path)


def parse_header(stream: BinaryIO, *, size: int, name: str) -> GgufHeader:
    """Read a header from the beginning of `stream`, whose file has `size` bytes in all; raises as read_header."""
    parser = HeaderParser(size=size, name=name)
    while (header := parser.feed(piece := stream.read(CHUNK))) is None:
        if not piece:
            parser.end()
    return header


class HeaderParser:
    """Reads a header that arrives in pieces, from a file or from the network, each byte once.

    size: bytes of the whole file. name: what errors call it.
    """

    def __init__(self, *, size: int, name: str) -> None:
        self._reader = BoundedReader(size=size, path=name)
        self._size = size
        self._name = name
        self._version = 0
        self._counts: tuple[int, int] | None = None  # tensors, metadata entries
        self._metadata: dict[str, MetadataValue] = {}
        self._entries: dict[str, tuple[int, int]] = {}
        self._texts: _Texts | None = None
        self._tensors: list[TensorInfo] = []
        self._missing = "its first bytes"

    def feed(self, piece: bytes) -> GgufHeader | None:
        """Take the next bytes; return the header once it is whole. Raises as read_header."""
        self._reader.feed(piece)
        try:
            return self._go_on()
        except NotYet as not_yet:
            self._missing = not_yet.what
            return None

    def end(self) -> NoReturn:
        """Raise for a file that ended before its header did: NotAGguf or TruncatedGguf."""
        if self._version == 0 and self._reader.position < len(MAGIC):
            raise NotAGguf(path=self._name)
        self._reader.truncated(f"reading stopped inside {self._missing}")

    def _go_on(self) -> GgufHeader:
        reader = self._reader
        if self._counts is None:
            self._version = _read_version(reader, self._name)
            tensors = reader.count("tensors", least=24, most=_MAX_TENSORS)
            self._counts = tensors, reader.count("metadata entries", least=12, most=_MAX_KEYS)
            reader.mark()
        tensors, keys = self._counts
        while len(self._metadata) < keys:
            self._read_entry()
            reader.mark()
        while len(self._tensors) < tensors:
            self._tensors.append(_read_tensor(reader, self._name))
            reader.mark()
        if not reader.complete:
            raise NotYet("its metadata")
        return self._whole()

    def _read_entry(self) -> None:
        reader = self._reader
        if self._texts is None:
            begin = reader.position
            key = reader.text("a metadata key", most=_MAX_NAME)
            if key in self._metadata:
                reader.corrupt(f'the metadata entry "{key}" is there twice')
            value = _read_value(reader, reader.u32(key), key)
            left = value.count if isinstance(value, LazyArray) and value.kind == _TEXT else 0
            self._texts = _Texts(key, begin, value, left)
            reader.mark()
        key, begin, value, left = self._texts
        if left and (left := reader.skip_texts(left, key)):
            self._texts = self._texts._replace(left=left)
            raise NotYet(key)
        self._texts = None
        self._metadata[key] = value
        self._entries[key] = begin, reader.position

    def _whole(self) -> GgufHeader:
        reader = self._reader
        alignment = _alignment(reader, self._metadata)
        data_offset = _padded(reader.position, alignment)
        _check_tensors(reader, self._tensors, data_offset=data_offset, size=self._size, alignment=alignment)
        header = GgufHeader(
            version=self._version,
            metadata=self._metadata,
            entries=self._entries,
            tensors=tuple(self._tensors),
            data_offset=data_offset,
            file_size=self._size,
            source=self._name,
        )
        if not 0 <= header.n_layer <= MAX_LAYERS:
            reader.corrupt(f"it states {header.n_layer} layers")
        return header


class _Texts(NamedTuple):
    """A metadata entry, and how many texts of its array have not arrived. begin: of the entry in the file, in bytes."""

    key: str
    begin: int
    value: MetadataValue
    left: int


def read_texts(path: Path, array: LazyArray, *, limit: int) -> list[str]:
    """Read the first `limit` texts of an array that read_header passed over; raises as read_header."""
    wanted, texts = min(limit, array.count), list[str]()
    with path.open("rb", buffering=0) as stream:
        reader = BoundedReader(size=path.stat().st_size, path=str(path), start=stream.seek(array.offset))
        while len(texts) < wanted:
            piece = stream.read(CHUNK)
            reader.feed(piece)
            try:
                while len(texts) < wanted:
                    texts.append(reader.text("an array"))
                    reader.mark()
            except NotYet as not_yet:
                if not piece:
                    reader.truncated(f"reading stopped inside {not_yet.what}")
    return texts


def _read_version(reader: BoundedReader, name: str) -> int:
    if reader.remaining < 4 or reader.take(4, "its first bytes") != MAGIC:
        raise NotAGguf(path=name)
    version = reader.u32("its version")
    if version & 0xFFFF == 0:
        raise UnsupportedGguf(path=name, reason="its numbers are big-endian")
    if version not in VERSIONS:
        raise UnsupportedGguf(path=name, reason=f"its format has version {version}")
    return version


def _read_value(reader: BoundedReader, kind: int, key: str) -> MetadataValue:
    if kind == _TEXT:
        return reader.text(key)
    if kind == _ARRAY:
        return _read_array(reader, key)
    return _unpack(reader, kind, 1, key)[0]


def _read_array(reader: BoundedReader, key: str) -> MetadataValue:
    kind = reader.u32(key)
    if kind == _TEXT:
        count = reader.count(f"texts in {key}", least=8, most=_MAX_TEXTS)
        return LazyArray(kind, count, reader.position)  # the texts themselves are passed over as they arrive
    width = struct.calcsize("<" + _number_format(reader, kind, key))
    count = reader.count(f"numbers in {key}", least=width, most=_MAX_ELEMENTS)
    if count <= _KEPT_NUMBERS:
        reader.keep(_NUMBER_BYTES * count)
        return _unpack(reader, kind, count, key)
    array = LazyArray(kind, count, reader.position)
    reader.skip(count * width, key)
    return array


def _unpack(reader: BoundedReader, kind: int, count: int, key: str) -> tuple[Number, ...]:
    layout = struct.Struct(f"<{count}{_number_format(reader, kind, key)}")
    return layout.unpack(reader.take(layout.size, key))


def _number_format(reader: BoundedReader, kind: int, key: str) -> str:
    if kind not in _NUMBERS:
        reader.corrupt(f'the metadata entry "{key}" has the unknown type {kind}')
    return _NUMBERS[kind]


def _read_tensor(reader: BoundedReader, path: str) -> TensorInfo:
    name = reader.text("a tensor name", most=_MAX_TENSOR_NAME)
    dimensions = reader.u32(name)
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        reader.corrupt(f'the tensor "{name}" has {dimensions} dimensions')
    shape = struct.unpack(f"<{dimensions}Q", reader.take(8 * dimensions, name))
    code = reader.u32(name)
    kind = GGML_TYPES.get(code)
    if kind is None:
        raise UnsupportedGguf(path=path, reason=f'the tensor "{name}" has the unknown type {code}')
    weights = math.prod(shape)
    if weights > _MAX_WEIGHTS or weights == 0 or shape[0] % kind.block_size:
        reader.corrupt(f'the tensor "{name}" has the impossible shape {list(shape)}')
    return TensorInfo(name, shape, kind, reader.u64(name), weights // kind.block_size * kind.block_bytes)


def _alignment(reader: BoundedReader, metadata: dict[str, MetadataValue]) -> int:
    value = metadata.get("general.alignment", _ALIGNMENT)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0 or value & (value - 1):
        reader.corrupt("its alignment is not a power of two")
    if value > _MAX_ALIGNMENT:
        reader.corrupt(f"its alignment is {value} bytes")
    return value


def _check_tensors(
    reader: BoundedReader, infos: list[TensorInfo], *, data_offset: int, size: int, alignment: int
) -> None:
    """Demand what ggml demands: distinct names, one tensor right after the other, all within the file."""
    expected = 0
    names: set[str] = set()
    for info in infos:
        if info.name in names:
            reader.corrupt(f'the tensor "{info.name}" is there twice')
        names.add(info.name)
        if info.offset != expected:
            reader.corrupt(f'the tensor "{info.name}" begins at {info.offset} instead of {expected}')
        expected = _padded(expected + info.size, alignment)
        if data_offset + info.offset + info.size > size:
            missing = data_offset + info.offset + info.size - size
            reader.truncated(f'the tensor "{info.name}" ends {missing} bytes beyond the end of the file')


def _whole(value: MetadataValue | None, default: int) -> int:
    """Return a figure that counts something; a file can state NaN or less than nothing."""
    return max(value, 0) if isinstance(value, int) else default


def _padded(position: int, alignment: int) -> int:
    return -(-position // alignment) * alignment
