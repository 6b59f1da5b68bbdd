"""Small image and sound files, written here: what a person may attach, and what is made of it by damage."""

import base64
import math
import random
import struct
import zlib

RATE = 16_000

_JPEG = """
/9j/4AAQSkZJRgABAQEAZABkAAD/2wBDACAWGBwYFCAcGhwkIiAmMFA0MCwsMGJGSjpQdGZ6eHJmcG6AkLicgIiuim5woNqirr7EztDOfJri8uDI8LjKz
sb/2wBDASIkJDAqMF40NF7GhHCExsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsb/wAARCAAoADADASIAAhEBAxEB
/8QAGAABAQEBAQAAAAAAAAAAAAAAAwIABAX/xAAgEAADAAICAgMBAAAAAAAAAAAAAQIDESExEkFRYXGR/8QAFwEBAQEBAAAAAAAAAAAAAAAAAgQBBf/EA
BwRAAMAAwADAAAAAAAAAAAAAAABAhEhMRJBcf/aAAwDAQACEQMRAD8A8SYEnGJMCzjFE+Rk2DOMScQ3il62ylNMbmE8dZRFhrEl2UscirGl2XM/EgeF6R
VFnLEDePivsrHAijdGRTUa6zhTYcYy1LfXQnht6XRan0gusaRTFhqEv0tS/wAQijXCXJaj55YHWNFUWc+OdLZcRpbMYyXpfGcSWXMaX2XMa4S5MYLeOFUMu
Y9IuY+P6YwCmWz/2Q=="""
"""48 x 40 pixels, baseline."""


def png(shade: int = 0, *, side: int = 100, width: int = 0, claimed: tuple[int, int] | None = None) -> bytes:
    """A square that becomes lighter to the right, from `shade` on; claimed: the size that its head tells."""
    width = width or side
    row = b"\0" + bytes((shade + column) % 256 for column in range(width) for _ in range(3))
    return png_of(*(claimed or (width, side)), row * side)


def png_of(width: int, height: int, rows: bytes, *, bits: int = 8) -> bytes:
    """A colour PNG around rows that each begin with their filter."""
    head = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def jpeg() -> bytes:
    """A JPEG of 48 x 40 pixels."""
    return base64.b64decode(_JPEG)


def bmp(width: int = 20, height: int = 10) -> bytes:
    """A BMP with 24 bits per pixel."""
    rows = bytes(range(256)) * (((width * 3 + 3) // 4 * 4 * height) // 256 + 1)
    body = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + rows
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 54) + body


def gif() -> bytes:
    """A GIF of one black pixel."""
    return base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==")


def wav(pitch: float = 440.0, *, seconds: float = 2.0, rate: int = RATE, kind: int = 1, bits: int = 16) -> bytes:
    """A tone of `pitch` Hz as PCM (kind 1: int16) or floating point (kind 3: 32 bits)."""
    waves = [math.sin(2 * math.pi * pitch * index / rate) for index in range(round(seconds * rate))]
    if kind == 3:
        samples = struct.pack(f"<{len(waves)}f", *waves)
    else:
        samples = struct.pack(f"<{len(waves)}h", *(round(32767 * wave) for wave in waves))
    return wav_of(samples, rate=rate, kind=kind, bits=bits)


def wav_of(samples: bytes, *, rate: int = RATE, kind: int = 1, bits: int = 16, claimed: int | None = None) -> bytes:
    """A WAV of one channel around samples; claimed: their bytes as the head tells."""
    frame = bits // 8
    head = struct.pack("<HHIIHH", kind, 1, rate, rate * frame, frame, bits)
    size = len(samples) if claimed is None else claimed
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"LIST\x03\0\0\0abc\0data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(body) + len(samples)) + body + samples


def mp3(seconds: float = 1.0, *, tagged: bool = True) -> bytes:
    """Silence as MPEG-1 layer III of 128 kbit/s and 44,100 Hz, after an ID3 tag."""
    frame = b"\xff\xfb\x90\xc4" + bytes(413)
    tag = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) if tagged else b""
    return tag + frame * math.ceil(seconds * 44_100 / 1152)


def flac(seconds: float = 1.0, *, rate: int = RATE, total: int | None = None) -> bytes:
    """Silence in constant subframes of 16 bits; total: the samples its head tells."""
    blocks = round(seconds * rate / 4096)
    samples = blocks * 4096 if total is None else total
    packed = rate << 44 | 0 << 41 | 15 << 36 | samples
    info = struct.pack(">HH6xQ", 4096, 4096, packed) + bytes(16)
    return b"fLaC\x80\0\0\x22" + info + b"".join(map(_flac_frame, range(blocks)))


def _flac_frame(number: int) -> bytes:
    head = (
        bytes([0xFF, 0xF8, 0xC0, 0x08]) + chr(number).encode()
    )  # 4096 samples, rate and bits: see STREAMINFO for rate
    head += bytes([_crc(head, 0x07, 8)])
    frame = head + b"\0\0\0"  # a constant subframe of the value 0
    return frame + struct.pack(">H", _crc(frame, 0x8005, 16))


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value


def damaged(data: bytes, seed: int) -> bytes:
    """The file with a few bytes changed, often in its head; sometimes cut off."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(min(len(changed), chance.choice((64, 512, len(changed)))))
        changed[place] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return bytes(changed[: chance.randrange(len(changed))] if chance.random() < 0.2 else changed)
