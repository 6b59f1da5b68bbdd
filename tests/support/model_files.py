"""Small GGUF files that are whole, for what lists, checks and copies models without running them."""

from pathlib import Path

from tests.support.gguf_writer import Scalar, Tensor, write_filled_gguf, write_gguf

_TENSORS = [Tensor("token_embd.weight", (32, 8))]
SIZE = 32 * 8 * 4  # bytes of the weights


def small_model(path: Path, *, name: str = "Tiny", fill: int = 0, **more: Scalar) -> Path:
    """Write a model of some kilobytes, its folders too. fill: the byte its weights are made of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Scalar] = {
        "general.architecture": "llama",
        "general.name": name,
        "general.license": "apache-2.0",
        "llama.block_count": 1,
        "llama.context_length": 4096,
    }
    metadata |= {key.replace("__", "."): value for key, value in more.items()}
    return write_filled_gguf(path, metadata, _TENSORS, [bytes([fill]) * SIZE])


def truncated_model(path: Path) -> Path:
    """Write a model whose last 100 bytes are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_gguf(path, {"general.architecture": "llama", "llama.block_count": 1}, _TENSORS, missing=100)


def projector(path: Path) -> Path:
    """Write what gives a model its eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"general.architecture": "clip", "general.type": "mmproj"}
    return write_filled_gguf(path, metadata, _TENSORS, [bytes(SIZE)])


def split_model(folder: Path, stem: str = "large-Q8_0", parts: int = 3) -> list[Path]:
    """Write a model of several files; returns them, the first one first."""
    return [small_model(folder / f"{stem}-{index:05d}-of-{parts:05d}.gguf") for index in range(1, parts + 1)]
