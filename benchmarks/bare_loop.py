"""The yardstick: llama_decode and the sampler chain in a bare ctypes loop, nothing of ours in between.

`python -m benchmarks.bare_loop MODEL N_CTX THREADS [N_BATCH [SEQUENCES]]` reads requests on stdin and answers on
stdout, a JSON object per line, with the kind of request in "do" ("answer" where it is left out);
`python -m benchmarks.bare_loop --quantize SOURCE TARGET FTYPE` writes another quantization. Both run in a process of
their own, because whoever loads libllama may be taken down by it.
"""

import ctypes
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama

SILENT = llama.llama_log_callback(lambda _level, _text, _data: None)
N_UBATCH = 512


class BareLoop:
    """One model, one context. What a sequence's next prompt shares with its last from the start on is kept."""

    def __init__(self, path: str, n_ctx: int, threads: int, n_batch: int = 512, sequences: int = 1) -> None:
        llama.llama_log_set(SILENT, None)
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        parameters = llama.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = n_ctx, n_batch, N_UBATCH
        parameters.n_seq_max, parameters.n_outputs_max = sequences, sequences
        parameters.swa_full, parameters.kv_unified = False, True
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, parameters)
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.memory = llama.llama_get_memory(self.context)
        self.n_batch = n_batch
        self.batch = llama.llama_batch_init(n_batch, 0, 1)
        self.prompts: dict[int, list[int]] = {}

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a prompt that is written out, control tokens included."""
        raw = text.encode()
        tokens = (ctypes.c_int32 * (len(raw) + 8))()
        count = llama.llama_tokenize(self.vocab, raw, len(raw), tokens, len(tokens), True, True)
        return list(tokens[:count])

    def sampler(self, request: dict[str, Any], seed: int) -> Any:
        """The chain of desktop/runtime/sampling/chain.py, written out."""
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        parts = [self.never_ends()] if request.get("ignore_end") else []
        if request["temperature"] > 0:
            parts += [
                llama.llama_sampler_init_top_k(40),
                llama.llama_sampler_init_top_p(0.95, 1),
                llama.llama_sampler_init_min_p(0.05, 1),
                llama.llama_sampler_init_temp(request["temperature"]),
                llama.llama_sampler_init_dist(seed),
            ]
        else:
            parts.append(llama.llama_sampler_init_greedy())
        for part in parts:
            llama.llama_sampler_chain_add(chain, part)
        return chain

    def never_ends(self) -> Any:
        """A sampler that forbids every token that ends a reply."""
        size = llama.llama_vocab_n_tokens(self.vocab)
        ends = [token for token in range(size) if llama.llama_vocab_is_eog(self.vocab, token)]
        biases = (llama.llama_logit_bias * len(ends))(*((token, float("-inf")) for token in ends))
        return llama.llama_sampler_init_logit_bias(size, len(ends), biases)

    def shared(self, sequence: int, prompt: list[int]) -> int:
        """Tokens of a prompt, its last left out, that the sequence's last prompt began with too."""
        before, most = self.prompts.get(sequence, []), len(prompt) - 1
        for place, (one, other) in enumerate(zip(prompt[:most], before, strict=False)):
            if one != other:
                return place
        return min(most, len(before))

    def prefill(self, prompt: list[int]) -> None:
        """Read the prompt, but for the beginning that it shares with the one before."""
        kept = self.shared(0, prompt)
        llama.llama_memory_seq_rm(self.memory, 0, kept, -1)
        for start in range(kept, len(prompt), self.n_batch):
            part = prompt[start : start + self.n_batch]
            tokens = (ctypes.c_int32 * len(part))(*part)  # the batch only points to it
            assert llama.llama_decode(self.context, llama.llama_batch_get_one(tokens, len(part))) == 0
        self.prompts[0] = prompt

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make at most `tokens` tokens.

        "seconds" is from the first token to the last, as decode speed is counted; "total" from the request to the
        last token, "first" from the request to the first.
        """
        received = time.perf_counter()
        self.prefill(self.tokenize(request["prompt"]))
        chain, limit = self.sampler(request, request["seed"]), request["tokens"]
        token = llama.llama_sampler_sample(chain, self.context, -1)
        one = (ctypes.c_int32 * 1)()
        made: list[int] = []
        started = time.perf_counter()
        while not llama.llama_vocab_is_eog(self.vocab, token):
            made.append(token)
            if len(made) == limit:
                break
            one[0] = token
            assert llama.llama_decode(self.context, llama.llama_batch_get_one(one, 1)) == 0
            token = llama.llama_sampler_sample(chain, self.context, -1)
        ended = time.perf_counter()
        llama.llama_sampler_free(chain)
        times = {"seconds": ended - started, "total": ended - received, "first": started - received}
        return {"text": self.text(made), "tokens": made, "prompt_tokens": len(self.prompts[0]), **times}

    def answer_all(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer `prompts` side by side, one sequence and one seed each, exactly `tokens` tokens each.

        "total" is from the request to the last token. A step's tokens are sampled row by row, as in the engine.
        """
        received = time.perf_counter()
        prompts = [self.tokenize(prompt) for prompt in request["prompts"]]
        for sequence, prompt in enumerate(prompts):
            self.prefill_all_but_last(sequence, prompt)
        chains = [self.sampler(request, request["seed"] + number) for number in range(len(prompts))]
        made: list[list[int]] = [[] for _ in prompts]
        for _ in range(request["tokens"]):
            last = [tokens[-1] if tokens else prompt[-1] for prompt, tokens in zip(prompts, made, strict=True)]
            places = [len(prompt) - 1 + len(tokens) for prompt, tokens in zip(prompts, made, strict=True)]
            self.decode_rows(list(zip(last, places, range(len(prompts)), strict=True)), outputs=True)
            for row, chain in enumerate(chains):
                made[row].append(llama.llama_sampler_sample(chain, self.context, row))
        total = time.perf_counter() - received
        for chain in chains:
            llama.llama_sampler_free(chain)
        return {"texts": [self.text(tokens) for tokens in made], "count": sum(map(len, made)), "total": total}

    def prefill_all_but_last(self, sequence: int, prompt: list[int]) -> None:
        """Read a prompt into `sequence`, but for the beginning that it shares with the one before."""
        kept = self.shared(sequence, prompt)
        llama.llama_memory_seq_rm(self.memory, sequence, kept, -1)
        rows = [(token, place, sequence) for place, token in enumerate(prompt[:-1])][kept:]
        for start in range(0, len(rows), self.n_batch):
            self.decode_rows(rows[start : start + self.n_batch], outputs=False)
        self.prompts[sequence] = prompt

    def decode_rows(self, rows: Sequence[tuple[int, int, int]], *, outputs: bool) -> None:
        """Decode one batch of (token, position, sequence)."""
        batch = self.batch
        batch.n_tokens = len(rows)
        tokens, places, wanted, counts, sequences = batch.token, batch.pos, batch.logits, batch.n_seq_id, batch.seq_id
        for index, (token, place, sequence) in enumerate(rows):
            tokens[index], places[index], wanted[index] = token, place, outputs
            counts[index], sequences[index][0] = 1, sequence
        assert llama.llama_decode(self.context, batch) == 0

    def count(self, request: dict[str, Any]) -> dict[str, Any]:
        """How many tokens a text has."""
        return {"count": len(self.tokenize(request["text"]))}

    def forget(self, _request: dict[str, Any]) -> dict[str, Any]:
        """Keep nothing of any prompt."""
        llama.llama_memory_clear(self.memory, False)
        self.prompts.clear()
        return {}

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
    loop = BareLoop(sys.argv[1], *map(int, sys.argv[2:]))
    doing = {"answer": loop.answer, "answer_all": loop.answer_all, "count": loop.count, "forget": loop.forget}
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(doing[request.get("do", "answer")](request)), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
