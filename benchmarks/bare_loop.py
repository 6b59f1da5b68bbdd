"""The yardstick: llama_decode and the sampler chain in a bare ctypes loop, nothing of ours in between.

`python -m benchmarks.bare_loop MODEL N_CTX THREADS` reads requests on stdin and answers on stdout, a JSON object per
line; `python -m benchmarks.bare_loop --quantize SOURCE TARGET FTYPE` writes another quantization. Both run in a
process of their own, because whoever loads libllama may be taken down by it.
"""

import ctypes
import json
import os
import sys
import time
from typing import Any

import llama_cpp.llama_cpp as llama

SILENT = llama.llama_log_callback(lambda _level, _text, _data: None)


class BareLoop:
    """One model, one context, one sequence. The prompt's cache is kept when the next prompt is the same."""

    def __init__(self, path: str, n_ctx: int, threads: int) -> None:
        llama.llama_log_set(SILENT, None)
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        parameters = llama.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = n_ctx, 512, 512
        parameters.n_outputs_max, parameters.swa_full, parameters.kv_unified = 1, False, True
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, parameters)
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.prompt: list[int] = []

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a prompt that is written out, control tokens included."""
        raw = text.encode()
        tokens = (ctypes.c_int32 * (len(raw) + 8))()
        count = llama.llama_tokenize(self.vocab, raw, len(raw), tokens, len(tokens), True, True)
        return list(tokens[:count])

    def sampler(self, request: dict[str, Any]) -> Any:
        """The chain of desktop/runtime/sampling.py, written out."""
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        parts = [llama.llama_sampler_init_greedy()]
        if request["temperature"] > 0:
            parts = [
                llama.llama_sampler_init_top_k(40),
                llama.llama_sampler_init_top_p(0.95, 1),
                llama.llama_sampler_init_min_p(0.05, 1),
                llama.llama_sampler_init_temp(request["temperature"]),
                llama.llama_sampler_init_dist(request["seed"]),
            ]
        for part in parts:
            llama.llama_sampler_chain_add(chain, part)
        return chain

    def prefill(self, prompt: list[int]) -> None:
        """Read the prompt; all but its last token are kept from the time before when it is the same."""
        memory = llama.llama_get_memory(self.context)
        kept = len(prompt) - 1 if prompt == self.prompt else 0
        llama.llama_memory_seq_rm(memory, 0, kept, -1)
        for start in range(kept, len(prompt), 512):
            part = prompt[start : start + 512]
            tokens = (ctypes.c_int32 * len(part))(*part)  # the batch only points to it
            assert llama.llama_decode(self.context, llama.llama_batch_get_one(tokens, len(part))) == 0
        self.prompt = prompt

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make at most `tokens` tokens; `seconds` is from the first token to the last, as decode speed is counted."""
        self.prefill(self.tokenize(request["prompt"]))
        chain, limit = self.sampler(request), request["tokens"]
        token = llama.llama_sampler_sample(chain, self.context, -1)
        one = (ctypes.c_int32 * 1)()
        made: list[int] = []
        started = time.perf_counter()
        while not llama.llama_vocab_is_eog(self.vocab, token):
            made.append(token)
            if len(made) == limit:
                break
            one[0] = token
            llama.llama_decode(self.context, llama.llama_batch_get_one(one, 1))
            token = llama.llama_sampler_sample(chain, self.context, -1)
        seconds = time.perf_counter() - started
        llama.llama_sampler_free(chain)
        return {"text": self.text(made), "tokens": made, "seconds": seconds}

    def text(self, tokens: list[int]) -> str:
        """The text of tokens."""
        out, buffer = b"", ctypes.create_string_buffer(256)
        for token in tokens:
            count = llama.llama_token_to_piece(self.vocab, token, buffer, 256, 0, False)
            out += buffer.raw[:count]
        return out.decode("utf-8", "replace")


def quantize(source: str, target: str, ftype: int) -> int:
    """Write `source` as another quantization (enum llama_ftype: 2 is Q4_0, 7 is Q8_0)."""
    llama.llama_log_set(SILENT, None)
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype, parameters.allow_requantize, parameters.nthread = ftype, True, 2
    return int(llama.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))


def main() -> int:
    """Serve, or quantize."""
    if sys.argv[1] == "--quantize":
        return quantize(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native code prints
    loop = BareLoop(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    for line in sys.stdin:
        print(json.dumps(loop.answer(json.loads(line))), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
