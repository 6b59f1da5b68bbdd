"""A GGUF file taken apart and put together again without any check, so that tests can make it lie."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

_U16, _U32, _I32, _F32, _TEXT, _ARRAY = 2, 4, 5, 6, 8, 9
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ALIGNMENT = 32


class Info(NamedTuple):
    """A tensor as its header entry tells it."""

    name: bytes
    shape: tuple[int, ...]
    kind: int
    offset: int


class Gguf:
    """A file in parts; `counts` and `alignment` are written as they are, true or not."""

    def __init__(self, data: bytes) -> None:
        self._at = 8
        self._data = data
        self.version = 3
        n_tensors, n_keys = self._take("<QQ")
        self.keys: dict[bytes, bytes] = {}
        for _ in range(n_keys):
            name = self._text()
            self.keys[name] = self._value()
        self.tensors = [self._info() for _ in range(n_tensors)]
        self.weights = data[-(-self._at // _ALIGNMENT) * _ALIGNMENT :]
        self.counts: tuple[int, int] | None = None
        self.header_size = self._at

    def _take(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def _text(self) -> bytes:
        (length,) = self._take("<Q")
        self._at += length
        return self._data[self._at - length : self._at]

    def _value(self) -> bytes:
        """The value with its type, as bytes."""
        begin = self._at
        (kind,) = self._take("<I")
        if kind == _TEXT:
            self._text()
        elif kind == _ARRAY:
            inner, count = self._take("<IQ")
            if inner == _TEXT:
                for _ in range(count):
                    self._text()
            else:
                self._at += count * _WIDTHS[inner]
        else:
            self._at += _WIDTHS[kind]
        return self._data[begin : self._at]

    def _info(self) -> Info:
        name = self._text()
        (dimensions,) = self._take("<I")
        shape = self._take(f"<{dimensions}Q")
        kind, offset = self._take("<IQ")
        return Info(name, shape, kind, offset)

    def to_bytes(self) -> bytes:
        """The file."""
        counts = self.counts or (len(self.tensors), len(self.keys))
        parts = [b"GGUF", struct.pack("<IQQ", self.version, *counts)]
        parts += [packed(name) + value for name, value in self.keys.items()]
        for info in self.tensors:
            parts.append(packed(info.name) + struct.pack("<I", len(info.shape)))
            parts.append(struct.pack(f"<{len(info.shape)}QIQ", *info.shape, info.kind, info.offset))
        head = b"".join(parts)
        return head.ljust(-(-len(head) // _ALIGNMENT) * _ALIGNMENT, b"\0") + self.weights

    def index(self, name: bytes) -> int:
        """Where a tensor is in the list."""
        return next(index for index, info in enumerate(self.tensors) if info.name == name)

    def drop(self, *names: bytes) -> None:
        """Take tensors away, data and all, so that the rest is contiguous again."""
        ends = [*(info.offset for info in self.tensors[1:]), len(self.weights)]
        kept, data, at = [], [], 0
        for info, end in zip(self.tensors, ends, strict=True):
            if info.name not in names:
                kept.append(info._replace(offset=at))
                data.append(self.weights[info.offset : end])
                at += end - info.offset
        self.tensors, self.weights = kept, b"".join(data)


def packed(text: bytes) -> bytes:
    """A text with its length before it."""
    return struct.pack("<Q", len(text)) + text


def u16(value: int) -> bytes:
    return struct.pack("<IH", _U16, value)


def u32(value: int) -> bytes:
    return struct.pack("<II", _U32, value)


def i32(value: int) -> bytes:
    return struct.pack("<Ii", _I32, value)


def f32(value: float) -> bytes:
    return struct.pack("<If", _F32, value)


def text(value: bytes) -> bytes:
    return struct.pack("<I", _TEXT) + packed(value)


def texts(values: Iterable[bytes]) -> bytes:
    entries = [packed(value) for value in values]
    return struct.pack("<IIQ", _ARRAY, _TEXT, len(entries)) + b"".join(entries)


def numbers(values: Iterable[int]) -> bytes:
    entries = [struct.pack("<i", value) for value in values]
    return struct.pack("<IIQ", _ARRAY, _I32, len(entries)) + b"".join(entries)


def array_header(kind: int, count: int) -> bytes:
    """An array that states more than is there."""
    return struct.pack("<IIQ", _ARRAY, kind, count)


def nested_arrays(depth: int) -> bytes:
    """Arrays of arrays, which GGUF does not have."""
    return struct.pack("<I", _ARRAY) + struct.pack("<IQ", _ARRAY, 1) * depth + struct.pack("<IQ", 0, 0)
