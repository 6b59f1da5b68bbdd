"""What a sound file says of itself, read before native code decodes it.

miniaudio makes room for as many samples as the file's head claims, and a C++ exception for want of memory would end
the engine. So lengths are found here, and WAV and MP3 are handed on without anything around their samples.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from desktop.runtime.media.refusal import refuse

LONGEST = 600.0
"""Seconds."""
SHORTEST = 0.1
"""Seconds: projectors stop on assertions where there is next to nothing to hear."""
_RATES = range(4_000, 384_001)
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_TAIL = 65_536
"""Bytes after the last frame of an MP3 that may be something else (tags)."""
# Kilobits per second by the bitrate index of an MPEG audio frame's head, layer III: MPEG-1, and MPEG-2 and 2.5
_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def check_sound(data: bytes) -> bytes:
    """Return a WAV, MP3 or FLAC as it may be decoded. Raises EngineError(BAD_MEDIA) for what must not be."""
    try:
        sound, seconds = _measure(data)
    except struct.error as error:
        raise refuse("the recording is cut off") from error
    if seconds > LONGEST:
        raise refuse(f"the recording is {seconds:.0f} seconds long, at most {LONGEST:.0f} can be read")
    if seconds < SHORTEST:
        raise refuse("there is nothing to hear in the recording")
    return sound


def _measure(data: bytes) -> tuple[bytes, float]:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _measure_wav(data)
    if data.startswith(b"fLaC"):
        return data, _flac_seconds(data)
    if data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return _measure_mp3(data)
    raise refuse("this is no recording of a known kind; WAV, MP3 and FLAC can be read")


class _WavFormat(NamedTuple):
    kind: int
    channels: int
    rate: int
    bits: int


def _measure_wav(data: bytes) -> tuple[bytes, float]:
    """Write the file anew: a head that is right, and the samples that are there."""
    shape, samples = _wav_parts(data)
    kinds = {_PCM: {8, 16, 24, 32}, _FLOAT: {32, 64}}
    if shape.bits not in kinds.get(shape.kind, ()):
        raise refuse("the WAV is compressed or of a rare kind; plain PCM can be read")
    if not 1 <= shape.channels <= 8 or shape.rate not in _RATES:
        raise refuse(f"the WAV has {shape.channels} channels and {shape.rate} samples per second")
    frame = shape.channels * shape.bits // 8
    samples = samples[: len(samples) // frame * frame]
    seconds = len(samples) / frame / shape.rate
    if shape.kind == _FLOAT:
        samples = _tame(samples, shape.bits)
        shape, frame = shape._replace(bits=32), shape.channels * 4
    head = struct.pack("<HHIIHH", *shape[:3], shape.rate * frame, frame, shape.bits)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body, seconds


def _wav_parts(data: bytes) -> tuple[_WavFormat, bytes]:
    shape: _WavFormat | None = None
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt ":
            kind, channels, rate, _bytes, _align, bits = struct.unpack_from("<HHIIHH", data, position)
            if kind == _EXTENSIBLE:
                (kind,) = struct.unpack_from("<H", data, position + 24)
            shape = _WavFormat(kind, channels, rate, bits)
        if name == b"data" and shape is not None:
            return shape, data[position : position + length]
        position += length + length % 2
    raise refuse("the WAV has no samples")


def _tame(samples: bytes, bits: int) -> bytes:
    """Floating-point samples without infinities and what is no number, which would spread through the model."""
    numbers = np.frombuffer(samples, np.float32 if bits == 32 else np.float64)
    return bytes(np.clip(np.nan_to_num(numbers), -1.0, 1.0).astype(np.float32).tobytes())


def _flac_seconds(data: bytes) -> float:
    """STREAMINFO comes first and is 34 bytes long."""
    kind, packed = struct.unpack_from(">4xB3x10xQ", data)
    rate, total = packed >> 44, packed & ((1 << 36) - 1)
    if kind & 0x7F or rate not in _RATES or not total:
        raise refuse("the FLAC does not tell its length")
    return float(total / rate)


def _measure_mp3(data: bytes) -> tuple[bytes, float]:
    """The frames of an MP3, which must follow each other: so its length is known without decoding it."""
    begin = end = _after_tag(data)
    seconds = 0.0
    for length, duration in _mp3_frames(data, begin):
        seconds += duration
        end += length
        if seconds > LONGEST:
            break
    if end == begin or (len(data) - end > _TAIL and seconds <= LONGEST):
        raise refuse("the MP3 is damaged")
    return data[begin:end], seconds


def _after_tag(data: bytes) -> int:
    if not data.startswith(b"ID3"):
        return 0
    a, b, c, d = struct.unpack_from("4B", data, 6)
    return int(10 + (a << 21 | b << 14 | c << 7 | d))


def _mp3_frames(data: bytes, position: int) -> Iterator[tuple[int, float]]:
    """Bytes and seconds of each frame, up to what is none or is another kind than the first."""
    kind = None
    while position + 4 <= len(data):
        (head,) = struct.unpack_from(">I", data, position)
        version, bitrate, rate = head >> 19 & 3, head >> 12 & 15, head >> 10 & 3
        is_frame = head >> 21 == 0x7FF and version != 1 and head >> 17 & 3 == 1 and 0 < bitrate < 15 and rate < 3
        if not is_frame or kind not in {None, (version, rate)}:
            return
        kind = version, rate
        samples, kilobits = (1152, _RATES_1) if version == 3 else (576, _RATES_2)
        hertz = _SAMPLE_RATES[version][rate]
        length = samples // 8 * kilobits[bitrate] * 1000 // hertz + (head >> 9 & 1)
        if position + length > len(data):
            return
        yield length, samples / hertz
        position += length
