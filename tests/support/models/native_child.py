"""The child of tests/support/models/native.py: one request as JSON in argv, one answer as JSON on stdout.

Only this process loads libllama: whoever does may be taken down by it.
"""

import ctypes
import json
import math
import os
import sys
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

from tests.support.models import native_media

QUIET_BELOW = 3  # enum ggml_log_level: warnings and errors go to stderr
LOGGER = llama.llama_log_callback(lambda level, text, _data: _log(level, text))


def _log(level: int, text: bytes) -> None:
    if level >= QUIET_BELOW:
        sys.stderr.write(text.decode("utf-8", "replace"))


class Native:
    """A model and a context of one sequence."""

    def __init__(self, request: dict[str, Any]) -> None:
        llama.llama_log_set(LOGGER, None)
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(request["model"].encode(), llama.llama_model_default_params())
        assert self.model, "the model does not load"
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = 1024
        parameters.n_ubatch = request.get("n_ubatch", 1024)
        parameters.n_threads = parameters.n_threads_batch = 2
        parameters.swa_full = False
        parameters.embeddings = bool(request.get("embeddings"))
        self.context = llama.llama_init_from_model(self.model, parameters)
        assert self.context, "no context"
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.n_vocab = llama.llama_vocab_n_tokens(self.vocab)
        self.position = 0
        if request.get("lora"):
            self.add_adapter(request["lora"], request["scale"])

    def add_adapter(self, path: str, scale: float) -> None:
        adapter = llama.llama_adapter_lora_init(self.model, path.encode())
        assert adapter, "the adapter does not load"
        adapters, scales = (llama.llama_adapter_lora_p_ctypes * 1)(adapter), (ctypes.c_float * 1)(scale)
        assert llama.llama_set_adapters_lora(self.context, adapters, 1, scales) == 0

    def tokenize(self, text: str) -> list[int]:
        raw = text.encode()
        tokens = (ctypes.c_int32 * (len(raw) + 8))()
        count = llama.llama_tokenize(self.vocab, raw, len(raw), tokens, len(tokens), True, True)
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = llama.llama_token_to_piece(self.vocab, token, buffer, 256, 0, True)
        return buffer.raw[:count]

    def feed(self, tokens: list[int]) -> None:
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        # An encoder has no memory, and nothing to decode.
        run = llama.llama_decode if llama.llama_get_memory(self.context) else llama.llama_encode
        assert run(self.context, llama.llama_batch_get_one(array, len(tokens))) == 0

    def logits(self) -> list[float]:
        return list(llama.llama_get_logits_ith(self.context, -1)[: self.n_vocab])

    def write(self, count: int, follow: Sequence[int] = ()) -> dict[str, Any]:
        """Greedy text after what was fed; with `follow`, what would come next at each of those tokens."""
        made, finite, spread = [], True, math.inf
        for step in range(count):
            logits = self.logits()
            finite = finite and all(map(math.isfinite, logits))
            spread = min(spread, max(logits) - min(logits))
            made.append(max(range(self.n_vocab), key=logits.__getitem__))
            self.feed([follow[step]] if follow else made[-1:])
        text = b"".join(map(self.piece, made)).decode("utf-8", "replace")
        return {"tokens": made, "text": text, "finite": finite, "spread": spread}

    def facts(self) -> dict[str, Any]:
        memory = llama.llama_get_memory(self.context)
        return {
            "oldest": llama.llama_memory_seq_pos_min(memory, 0) if memory else 0,
            "n_swa": llama.llama_model_n_swa(self.model),
            "recurrent": llama.llama_model_is_recurrent(self.model),
            "hybrid": llama.llama_model_is_hybrid(self.model),
            "eos": self.piece(llama.llama_vocab_eos(self.vocab)).decode(),
            "pooling": llama.llama_pooling_type(self.context),
        }


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """Greedy text after a prompt, and what the model is."""
    native = Native(request)
    prompt = native.tokenize(request["prompt"])
    native.feed(prompt)
    written = native.write(request["tokens"], request.get("follow", ()))
    return written | native.facts() | {"prompt_tokens": prompt}


def embed(request: dict[str, Any]) -> dict[str, Any]:
    """What each text is pooled to: an embedding, or a score."""
    native = Native(request | {"embeddings": True})
    pooling = llama.llama_pooling_type(native.context)
    width = 1 if pooling == llama.LLAMA_POOLING_TYPE_RANK else llama.llama_model_n_embd(native.model)
    vectors, prompts = [], []
    for text in request["texts"]:
        prompts.append(native.tokenize(text))
        memory = llama.llama_get_memory(native.context)
        if memory:
            llama.llama_memory_clear(memory, True)
        native.feed(prompts[-1])
        vectors.append(list(llama.llama_get_embeddings_seq(native.context, 0)[:width]))
    return native.facts() | {"vectors": vectors, "prompt_tokens": prompts}


def perceive(request: dict[str, Any]) -> dict[str, Any]:
    """Greedy text after an image or a sound, read through a projector."""
    native = Native(request)
    read: dict[str, Any] = native_media.read(native.model, native.context, request)
    return read | native.write(request["tokens"]) | native.facts()


def main() -> int:
    """Answer."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native code prints
    request = json.loads(sys.argv[1])
    answer = {"decode": decode, "embed": embed, "perceive": perceive}[request["do"]](request)
    out.write(json.dumps(answer))
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
