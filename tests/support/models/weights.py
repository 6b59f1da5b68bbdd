"""Random weights that behave: the same for a seed and a name, scaled so that activations neither die nor explode.

Every value depends on (seed, name of the tensor) alone, so a model with fewer layers has the first layers of the
bigger one: that is how a draft model comes to agree with its target now and then.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.support.gguf_writer import Metadata, Tensor, write_filled_gguf

Floats = npt.NDArray[np.float32]


class Weight(NamedTuple):
    """A tensor and how to fill it: normal around `mean` with the standard deviation `spread`.

    shape: ggml order, so shape[0] is the width of a row. rows: a factor for each row, none for all alike.
    values: what to write as it is, instead of anything random (ggml's order reversed, as numpy counts).
    """

    name: str
    shape: tuple[int, ...]
    kind: str = "f32"
    mean: float = 0.0
    spread: float = 0.0
    rows: Sequence[float] = ()
    values: Floats | None = None

    def fill(self, seed: int) -> Floats:
        """Return the values, with one axis for the rows and one for what is in a row."""
        if self.values is not None:
            return self.values.reshape(-1, self.shape[0])
        random = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        values = random.standard_normal((math.prod(self.shape[1:]), self.shape[0]), dtype=np.float32)
        values = values * np.float32(self.spread) + np.float32(self.mean)
        if self.rows:
            values *= np.asarray(self.rows, dtype=np.float32)[:, None]
        return values


def matrix(name: str, *shape: int, gain: float = 1.0, kind: str = "q8_0", rows: Sequence[float] = ()) -> Weight:
    """A matrix whose products have the size of its input, times `gain`; stacked matrices have a third axis."""
    return Weight(name, shape, kind, spread=gain / math.sqrt(shape[0]), rows=rows)


def vector(name: str, *shape: int, mean: float = 0.0, spread: float = 0.05) -> Weight:
    """A norm's weight (mean 1) or a bias (mean 0)."""
    return Weight(name, shape, mean=mean, spread=spread)


def norm(name: str, *shape: int) -> Weight:
    """A norm's weight."""
    return vector(name, *shape, mean=1.0)


def write_weights(path: Path, metadata: Metadata, weights: Sequence[Weight], *, seed: int) -> Path:
    """Write a GGUF with these weights."""
    tensors = [Tensor(weight.name, weight.shape, weight.kind) for weight in weights]
    return write_filled_gguf(path, metadata, tensors, _bytes(weights, seed))


def _bytes(weights: Sequence[Weight], seed: int) -> Iterable[bytes]:
    for weight in weights:
        yield _ENCODERS[weight.kind](weight.fill(seed))


def _f32(values: Floats) -> bytes:
    return values.astype("<f4").tobytes()


def _f16(values: Floats) -> bytes:
    return values.astype("<f2").tobytes()


def _q8_0(values: Floats) -> bytes:
    """Blocks of 32: a scale in f16 and 32 signed bytes (quantize_row_q8_0_ref in ggml-quants.c)."""
    blocks = values.reshape(-1, 32)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales > 0)
    packed = np.empty(len(blocks), dtype=[("scale", "<f2"), ("quants", "i1", 32)])
    packed["scale"] = scales[:, 0]
    packed["quants"] = np.rint(blocks * inverse)
    return packed.tobytes()


def _q4_0(values: Floats) -> bytes:
    """Blocks of 32: a scale in f16, 16 bytes with two values each (quantize_row_q4_0_ref in ggml-quants.c)."""
    blocks = values.reshape(-1, 32)
    extreme = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scales = extreme / np.float32(-8)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    quants = np.clip(blocks * inverse + np.float32(8.5), 0, 15).astype(np.uint8)
    packed = np.empty(len(blocks), dtype=[("scale", "<f2"), ("quants", "u1", 16)])
    packed["scale"] = scales[:, 0]
    packed["quants"] = quants[:, :16] | (quants[:, 16:] << 4)
    return packed.tobytes()


_ENCODERS = {"f32": _f32, "f16": _f16, "q8_0": _q8_0, "q4_0": _q4_0}
