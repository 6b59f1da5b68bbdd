"""Models for the Hub of our tests: as large as real ones to whoever asks, and hardly anything on the disk."""

from collections.abc import Sequence
from pathlib import Path

from tests.support.gguf_writer import Metadata, Scalar, Tensor, dense_model, header_bytes, write_gguf
from tests.support.hub_server import HubServer

REPO = "owner/large-GGUF"
FILE = "large-Q4_0.gguf"
WORDS = 130_000


def large_model() -> tuple[Metadata, list[Tensor]]:
    """A header of about 6 MB, nearly all of it words, before 0.1 GB of weights; the engine accepts it."""
    metadata, tensors = dense_model(n_layer=8, n_embd=1024, n_head=16, n_ff=4096, vocab=WORDS, kind="q4_0")
    del metadata["llama.vocab_size"]
    metadata["tokenizer.ggml.model"] = "gpt2"
    metadata["tokenizer.ggml.tokens"] = [f"token {index:>21}" for index in range(WORDS)]
    metadata["tokenizer.ggml.token_type"] = [1] * WORDS
    metadata["tokenizer.ggml.merges"] = [f"{index} x" for index in range(60_000)]
    metadata["tokenizer.chat_template"] = "{{ messages }}" * 5000
    return metadata, tensors


def write_large(path: Path) -> int:
    """Write it; returns the length of its header in bytes."""
    metadata, tensors = large_model()
    write_gguf(path, metadata, tensors)
    return len(header_bytes(metadata, tensors))


def write_split(folder: Path, *, count: int = 3, stated: int | None = None) -> list[Path]:
    """Write the same model in `count` parts; `stated`: the count that the first part claims instead."""
    metadata, tensors = large_model()
    paths = []
    for index in range(count):
        share = tensors[index * len(tensors) // count : (index + 1) * len(tensors) // count]
        described: dict[str, Scalar | Sequence[Scalar]] = {"general.architecture": "llama"}
        described |= metadata if index == 0 else {}
        described |= {"split.no": index, "split.count": stated or count, "split.tensors.count": len(tensors)}
        paths.append(write_gguf(folder / f"large-Q4_0-{index + 1:05d}-of-{count:05d}.gguf", described, share))
    return paths


def serve_split(hub: HubServer, paths: list[Path]) -> str:
    """Serve the parts; returns the name of the first."""
    for path in paths:
        hub.add(REPO, path.name, path)
    return paths[0].name
