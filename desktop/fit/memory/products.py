"""The matrices of a model by type and width: what a token is multiplied with, and so what its speed is made of."""

from collections.abc import Iterable
from typing import NamedTuple

from desktop.gguf.header import TensorInfo
from desktop.gguf.types import GGML_TYPES_BY_NAME

# What llama-quantize takes where rows are no multiple of 256 (llama-quant.cpp, tensor_type_fallback).
_FALLBACK = {
    "q2_K": "iq4_nl", "q3_K": "iq4_nl", "q4_K": "q5_0", "q5_K": "q5_1", "q6_K": "q8_0", "iq4_xs": "iq4_nl",
    "iq3_s": "iq4_nl", "iq3_xxs": "iq4_nl", "iq2_s": "iq4_nl", "iq2_xs": "iq4_nl", "iq2_xxs": "iq4_nl",
}  # fmt: skip
# Mixtures by the type of most of their tensors; the rest of the names begins with the type's own.
_MAIN = {"IQ3_M": "iq3_s", "IQ3_XS": "iq3_s", "IQ2_M": "iq2_s", "MXFP4_MOE": "mxfp4"}


class Products(NamedTuple):
    """Matrices of one type and width. rows: of all of them together."""

    kind: str
    width: int
    rows: int
    matrices: int

    @property
    def size(self) -> int:
        """Bytes of the weights."""
        return self.rows * GGML_TYPES_BY_NAME[self.kind].row_bytes(self.width)


def products_of(tensors: Iterable[TensorInfo]) -> tuple[Products, ...]:
    """The matrices among these tensors, those of one type and width together; vectors are left out."""
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for tensor in tensors:
        width, rows = tensor.shape[0], tensor.weights // max(tensor.shape[0], 1)
        if rows > 1 and len(tensor.shape) > 1:
            key = (tensor.kind.name, width)
            before, count = sums.get(key, (0, 0))
            sums[key] = (before + rows, count + 1)
    return tuple(Products(kind, width, *found) for (kind, width), found in sums.items())


def main_type(quantization: str, width: int) -> str | None:
    """Name ggml's type that most weights of a quantization have, in rows of `width`; None where nobody knows."""
    name = quantization.upper().replace("-", "_").removeprefix("UD_")
    lower = {known.upper(): known for known in GGML_TYPES_BY_NAME}
    found = _MAIN.get(name)
    while found is None and name:
        found = lower.get(name)
        name = name.rpartition("_")[0]
    if found is not None and width % GGML_TYPES_BY_NAME[found].block_size:
        return _FALLBACK.get(found, "f16")
    return found
