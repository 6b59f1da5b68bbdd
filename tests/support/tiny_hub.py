"""A Hub that serves the model of tests.support.catalogs as real, small GGUF files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.gguf_writer import dense_model, write_gguf
from tests.support.hub_server import HubServer

REPO = "owner/tiny-GGUF"


@contextmanager
def tiny_hub(folder: Path) -> Iterator[HubServer]:
    """Serve tiny-Q4_K_M.gguf and tiny-Q8_0.gguf, which are written into `folder`."""
    metadata, tensors = dense_model(n_layer=2, n_embd=256, vocab=2000, kind="q4_K")
    metadata["tokenizer.ggml.tokens"] = [f"word {index}" for index in range(2000)]
    del metadata["llama.vocab_size"]
    with HubServer() as server:
        server.add(REPO, "tiny-Q4_K_M.gguf", write_gguf(folder / "q4.gguf", metadata, tensors))
        eight = [tensor._replace(kind="q8_0") if tensor.kind == "q4_K" else tensor for tensor in tensors]
        server.add(REPO, "tiny-Q8_0.gguf", write_gguf(folder / "q8.gguf", metadata, eight))
        yield server
