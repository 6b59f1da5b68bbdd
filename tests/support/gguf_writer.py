"""Writes small GGUF files for tests: any metadata, any tensors, weights as a hole in a sparse file.

`dense_model` describes a llama-like model without a vocabulary that the real engine accepts in a dry run.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from desktop.gguf.types import GGML_TYPES_BY_NAME

ALIGNMENT = 32
_U32, _I32, _F32, _BOOL, _TEXT, _ARRAY, _U64 = 4, 5, 6, 7, 8, 9, 10

Scalar = int | float | bool | str
Metadata = Mapping[str, Scalar | Sequence[Scalar]]


class Signed(tuple[int, ...]):
    """Integers that are written as int32 although none is negative: the engine asks for exactly this in places."""

    __slots__ = ()


class Tensor(NamedTuple):
    """A tensor to write. shape: ggml order; kind: ggml's name of the type."""

    name: str
    shape: tuple[int, ...]
    kind: str = "f32"


def write_gguf(path: Path, metadata: Metadata, tensors: Sequence[Tensor] = (), *, missing: int = 0) -> Path:
    """Write a header and a sparse data section, `missing` bytes too short."""
    header = header_bytes(metadata, tensors)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + data_size(tensors) - missing)
    return path


def write_filled_gguf(path: Path, metadata: Metadata, tensors: Sequence[Tensor], data: Iterable[bytes]) -> Path:
    """Write a whole file; `data` gives the bytes of each tensor, in the same order."""
    with path.open("wb") as file:
        file.write(header_bytes(metadata, tensors))
        for tensor, raw in zip(tensors, data, strict=True):
            assert len(raw) == tensor_size(tensor), tensor
            file.write(raw.ljust(_padded(len(raw)), b"\0"))
    return path


def header_bytes(metadata: Metadata, tensors: Sequence[Tensor] = (), *, version: int = 3) -> bytes:
    """Return everything before the tensor data, padded."""
    parts = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    parts += [text_bytes(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        kind = GGML_TYPES_BY_NAME[tensor.kind]
        parts.append(text_bytes(tensor.name) + struct.pack("<I", len(tensor.shape)))
        parts.append(struct.pack(f"<{len(tensor.shape)}QIQ", *tensor.shape, kind.code, offset))
        offset += _padded(tensor_size(tensor))
    head = b"".join(parts)
    return head.ljust(_padded(len(head)), b"\0")


def text_bytes(text: str) -> bytes:
    """Return a GGUF string."""
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def tensor_size(tensor: Tensor) -> int:
    """Bytes of a tensor's data."""
    kind = GGML_TYPES_BY_NAME[tensor.kind]
    return math.prod(tensor.shape) // kind.block_size * kind.block_bytes


def data_size(tensors: Sequence[Tensor]) -> int:
    """Bytes of the data section."""
    return sum(_padded(tensor_size(tensor)) for tensor in tensors)


def dense_model(
    *,
    n_layer: int = 4,
    n_embd: int = 256,
    n_head: int = 4,
    n_head_kv: int = 2,
    n_ff: int = 512,
    vocab: int = 512,
    kind: str = "q8_0",
    tied: bool = True,
    context: int = 4096,
    architecture: str = "llama",
) -> tuple[dict[str, Scalar | Sequence[Scalar]], list[Tensor]]:
    """Return metadata and tensors of a dense transformer."""
    kv = n_embd // n_head * n_head_kv
    key = architecture
    metadata: dict[str, Scalar | Sequence[Scalar]] = {
        "general.architecture": architecture,
        "general.name": "Tiny",
        f"{key}.block_count": n_layer,
        f"{key}.context_length": context,
        f"{key}.embedding_length": n_embd,
        f"{key}.feed_forward_length": n_ff,
        f"{key}.attention.head_count": n_head,
        f"{key}.attention.head_count_kv": n_head_kv,
        f"{key}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{key}.rope.dimension_count": n_embd // n_head,
        f"{key}.vocab_size": vocab,
        "tokenizer.ggml.model": "no_vocab",
    }
    tensors = [Tensor("token_embd.weight", (n_embd, vocab), kind), Tensor("output_norm.weight", (n_embd,))]
    if not tied:
        tensors.append(Tensor("output.weight", (n_embd, vocab), kind))
    for layer in range(n_layer):
        tensors += _dense_block(layer, n_embd=n_embd, kv=kv, n_ff=n_ff, kind=kind)
    return metadata, tensors


def _dense_block(layer: int, *, n_embd: int, kv: int, n_ff: int, kind: str) -> list[Tensor]:
    """The tensors of one block; kv: values per token in K and in V."""
    return [
        Tensor(f"blk.{layer}.attn_norm.weight", (n_embd,)),
        Tensor(f"blk.{layer}.attn_q.weight", (n_embd, n_embd), kind),
        Tensor(f"blk.{layer}.attn_k.weight", (n_embd, kv), kind),
        Tensor(f"blk.{layer}.attn_v.weight", (n_embd, kv), kind),
        Tensor(f"blk.{layer}.attn_output.weight", (n_embd, n_embd), kind),
        Tensor(f"blk.{layer}.ffn_norm.weight", (n_embd,)),
        Tensor(f"blk.{layer}.ffn_gate.weight", (n_embd, n_ff), kind),
        Tensor(f"blk.{layer}.ffn_up.weight", (n_embd, n_ff), kind),
        Tensor(f"blk.{layer}.ffn_down.weight", (n_ff, n_embd), kind),
    ]


def _value(value: Scalar | Sequence[Scalar]) -> bytes:
    if isinstance(value, bool | int | float | str):
        kind, data = _scalar(value)
        return struct.pack("<I", kind) + data
    pairs = [_scalar(entry) for entry in value]
    kind = pairs[0][0] if pairs else _U32
    if isinstance(value, Signed):
        kind = _I32
    return struct.pack("<IIQ", _ARRAY, kind, len(pairs)) + b"".join(data for _, data in pairs)


def _scalar(value: Scalar) -> tuple[int, bytes]:
    if isinstance(value, bool):
        return _BOOL, struct.pack("<?", value)
    if isinstance(value, str):
        return _TEXT, text_bytes(value)
    if isinstance(value, float):
        return _F32, struct.pack("<f", value)
    if value < 0:
        return _I32, struct.pack("<i", value)
    return (_U32, struct.pack("<I", value)) if value < 1 << 32 else (_U64, struct.pack("<Q", value))


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
