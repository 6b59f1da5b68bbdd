"""What an image file says of itself, read before native code decodes it.

stb_image decodes whole images into memory, at the size that the file's head claims, and runs a JPEG's scans one by
one however many there are: a file of a few bytes could take gigabytes or hours. What is refused here is told in words;
what passes can still be broken inside, which stb_image notices itself.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from desktop.runtime.media.refusal import refuse

MOST_PIXELS = 64_000_000
"""A sample of 16 bits counts twice. Decoding takes about 10 bytes of memory for each."""
LONGEST_TO_SHORTEST = 200
"""Sides may differ by this factor: projectors resize by it and make no sense of more."""
MOST_SCANS = 32
"""Of a JPEG: progressive ones have about 10, and each costs a walk over all pixels."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


class ImageSize(NamedTuple):
    """Pixels, and bytes per sample."""

    width: int
    height: int
    depth: int = 1


def check_image(data: bytes) -> ImageSize:
    """Return the size of a JPEG, PNG, GIF or BMP. Raises EngineError(BAD_MEDIA) for what must not be decoded."""
    try:
        size = _measure(data)
    except (struct.error, ValueError, IndexError) as error:
        raise refuse("the image is cut off") from error
    if min(size[:2]) < 1:
        raise refuse("the image has no pixels")
    if size.width * size.height * size.depth > MOST_PIXELS:
        limit = MOST_PIXELS // 1_000_000
        raise refuse(f"the image has {size.width} x {size.height} pixels, at most {limit} million can be read")
    if max(size[:2]) > LONGEST_TO_SHORTEST * min(size[:2]):
        raise refuse(f"the image is too narrow: {size.width} x {size.height} pixels")
    if data.startswith(_PNG):
        _check_inflated(data, size)
    return size


def _measure(data: bytes) -> ImageSize:
    if data.startswith(_PNG):
        return _measure_png(data)
    if data.startswith(b"\xff\xd8\xff"):
        return _measure_jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ImageSize(*struct.unpack_from("<HH", data, 6))
    if data.startswith(b"BM"):
        return _measure_bmp(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise refuse("WebP images cannot be read; save it as PNG or JPEG")
    raise refuse("this is no image of a known kind; JPEG, PNG, GIF and BMP can be read")


def _measure_png(data: bytes) -> ImageSize:
    length, kind, width, height, bits, color = struct.unpack_from(">I4sIIBB", data, 8)
    if (length, kind) != (13, b"IHDR") or color not in _PNG_CHANNELS or bits not in {1, 2, 4, 8, 16}:
        raise refuse("the PNG's head is damaged")
    return ImageSize(width, height, max(bits // 8, 1))


def _check_inflated(data: bytes, size: ImageSize) -> None:
    """Refuse a PNG that unpacks to more than its size needs: stb_image would unpack all of it, up to 4 GiB."""
    bits, color = data[24:26]
    row = size.width * _PNG_CHANNELS[color] * bits // 8 + 2
    left = 2 * size.height * row + 65536  # the passes of an interlaced image need a little more
    unpacker = zlib.decompressobj()
    try:
        for piece in _png_data(data):
            rest = piece
            while rest and not unpacker.eof:
                left -= len(unpacker.decompress(rest, 1 << 20))
                rest = unpacker.unconsumed_tail
                if left < 0:
                    raise refuse("the PNG unpacks to more than its size")
    except zlib.error as error:
        raise refuse(f"the PNG's data is damaged: {error}") from error


def _png_data(data: bytes) -> Iterator[bytes]:
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IDAT":
            yield data[position + 8 : position + 8 + length]
        position += 12 + length


def _measure_jpeg(data: bytes) -> ImageSize:
    position = 2
    while True:
        position = data.index(b"\xff", position)  # stb_image skips what does not belong there, too
        while data[position] == 0xFF:
            position += 1
        marker = data[position]
        if marker in _JPEG_FRAMES:
            return _jpeg_frame(data, position + 1)
        if marker in {0xD9, 0xDA}:
            raise refuse("the JPEG has no size")
        position += 1 if marker in _JPEG_ALONE else 1 + max(struct.unpack_from(">H", data, position + 1)[0], 2)


def _jpeg_frame(data: bytes, position: int) -> ImageSize:
    _length, _precision, height, width = struct.unpack_from(">HBHH", data, position)
    if data.count(b"\xff\xda", position) > MOST_SCANS:
        raise refuse(f"the JPEG has more than {MOST_SCANS} scans")
    return ImageSize(width, height)


def _measure_bmp(data: bytes) -> ImageSize:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:  # BITMAPCOREHEADER has shorts
        return ImageSize(*struct.unpack_from("<HH", data, 18))
    width, height = struct.unpack_from("<ii", data, 18)
    return ImageSize(abs(width), abs(height))
