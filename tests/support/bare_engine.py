"""libllama without anything of ours in between, in a process of its own: what the engine's replies are compared with.

`Bare` starts this file as a script, which loads a model once and answers one JSON request per line. Tokens are given
and taken as numbers, so that both sides read the very same prompt.
"""

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Written(NamedTuple):
    """A greedy reply: its tokens, the log-probability of each, and by how much it led the second best."""

    tokens: list[int]
    logprobs: list[float]
    leads: list[float]


class Bare:
    """The owner's end; a child that died fails the test."""

    def __init__(self, model: Path, **context: Any) -> None:
        settings = json.dumps({"model": str(model), **context})
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), settings],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"GGML_NO_BACKTRACE": "1", "PYTHONPATH": str(ROOT)},
        )

    def tokenize(self, text: str) -> list[int]:
        """Tokens of a text that is written out, control tokens included."""
        tokens: list[int] = self._ask("tokenize", text=text)
        return tokens

    def write(self, prompt: Sequence[int], count: int, *, alone: int = 0) -> Written:
        """A greedy reply of `count` tokens after a prompt, in an empty context.

        alone: so many of the prompt's last tokens are read one by one, as after a prefix that was found in a cache.
        """
        return Written(**self._ask("write", prompt=list(prompt), count=count, alone=alone))

    def write_together(self, prompts: Sequence[Sequence[int]], count: int) -> list[Written]:
        """A greedy reply of `count` tokens to each, a sequence each; every step decodes one row of all."""
        answers = self._ask("write_together", prompts=[list(prompt) for prompt in prompts], count=count)
        return [Written(**answer) for answer in answers]

    def follow(self, prompt: Sequence[int], tokens: Sequence[int]) -> list[list[tuple[int, float]]]:
        """The five likeliest tokens, with log-probabilities, at the place of each of `tokens` behind a prompt."""
        places = self._ask("follow", prompt=list(prompt), tokens=list(tokens))
        return [[(token, logprob) for token, logprob in place] for place in places]

    def logs(self, tokens: Sequence[int]) -> list[float]:
        """The log-probability of every token as the next one."""
        answer: list[float] = self._ask("logs", tokens=list(tokens))
        return answer

    def converse(self, turns: Sequence[tuple[Sequence[int], Sequence[int]]], count: int) -> Written:
        """Read turns of (new tokens of the prompt, tokens of the reply) as a conversation goes, then write.

        New tokens are read together and replies one by one, in a context that never lets go of anything. The last turn
        has no reply yet: it is written.
        """
        return Written(**self._ask("converse", turns=[[list(new), list(reply)] for new, reply in turns], count=count))

    def spread(self, prompts: Sequence[Sequence[int]], count: int) -> dict[str, float]:
        """How far logits of rows that are decoded together lie from those of each row alone.

        "largest": the largest difference of any logit. "width": the mean distance between the best and the worst
        logit, to compare it with.
        """
        answer: dict[str, float] = self._ask("spread", prompts=[list(prompt) for prompt in prompts], count=count)
        return answer

    def close(self) -> None:
        """End the child."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(60)
        self._child.stdout.close()

    def _ask(self, verb: str, **arguments: Any) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        assert line, f"the bare engine died of {verb}, exit code {self._child.wait(60)}"
        return json.loads(line)


@contextlib.contextmanager
def bare_engine(model: Path, **context: Any) -> Iterator[Bare]:
    """A bare engine as long as the block runs. context: fields of llama_context_params that are not the usual."""
    bare = Bare(model, **context)
    try:
        yield bare
    finally:
        bare.close()


# --- the child -------------------------------------------------------------------------------------------------------

_KV_TYPES = {"f32": 0, "f16": 1, "q8_0": 8}  # enum ggml_type
_FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}


class _Native:
    def __init__(self, settings: dict[str, Any]) -> None:
        import llama_cpp.llama_cpp as llama  # only the child loads it

        self.llama = llama
        self.log = llama.llama_log_callback(lambda _level, _text, _data: None)
        llama.llama_log_set(self.log, None)
        llama.llama_backend_init()
        self.model = llama.llama_model_load_from_file(settings["model"].encode(), llama.llama_model_default_params())
        assert self.model, "the model does not load"
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = settings.get("n_ctx", 2048)
        parameters.n_batch = 512
        parameters.n_ubatch = settings.get("n_ubatch", 512)
        parameters.n_seq_max = parameters.n_outputs_max = settings.get("n_seq_max", 16)
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.swa_full, parameters.kv_unified = settings.get("swa_full", False), True
        parameters.flash_attn_type = _FLASH_ATTENTION[settings.get("flash_attention", "auto")]
        parameters.type_k = parameters.type_v = _KV_TYPES[settings.get("kv_type", "f16")]
        self.context = llama.llama_init_from_model(self.model, parameters)
        assert self.context, "no context"
        self.memory = llama.llama_get_memory(self.context)
        self.vocab = llama.llama_model_get_vocab(self.model)
        self.size = llama.llama_vocab_n_tokens(self.vocab)
        self.batch = llama.llama_batch_init(512, 0, 1)

    def tokenize(self, text: str) -> list[int]:
        raw = text.encode()
        tokens = (ctypes.c_int32 * (len(raw) + 8))()
        count = self.llama.llama_tokenize(self.vocab, raw, len(raw), tokens, len(tokens), True, True)
        return list(tokens[:count])

    def write(self, prompt: list[int], count: int, alone: int) -> dict[str, Any]:
        self._forget()
        together = len(prompt) - alone
        self._read(prompt[:together], 0)
        for place in range(together, len(prompt)):
            self._read(prompt[place : place + 1], place)
        return self._go_on(len(prompt), count)

    def converse(self, turns: list[tuple[list[int], list[int]]], count: int) -> dict[str, Any]:
        self._forget()
        place = 0
        for new, reply in turns:
            self._read(new, place)
            place += len(new)
            for token in reply:
                self._read([token], place)
                place += 1
        return self._go_on(place, count)

    def logs(self, tokens: list[int]) -> list[float]:
        self._forget()
        self._read(tokens, 0)
        logs: list[float] = _log_softmax(self._logits(-1)).tolist()
        return logs

    def follow(self, prompt: list[int], tokens: list[int]) -> list[list[tuple[int, float]]]:
        self._forget()
        self._read(prompt, 0)
        places = []
        for place, token in enumerate(tokens, start=len(prompt)):
            logs = _log_softmax(self._logits(-1))
            best = logs.argsort()[::-1][:5]
            places.append([(int(one), float(logs[one])) for one in best])
            self._read([token], place)
        return places

    def write_together(self, prompts: list[list[int]], count: int) -> list[dict[str, Any]]:
        self._forget()
        chosen = []
        for sequence, prompt in enumerate(prompts):
            self._read(prompt, 0, sequence)
            chosen.append(_best(self._logits(-1)))
        written = [_reply() for _ in prompts]
        for step in range(count):
            for reply, (token, logprob, lead) in zip(written, chosen, strict=True):
                _add(reply, token, logprob, lead)
            rows = [(token, len(prompts[one]) + step, one) for one, (token, _, _) in enumerate(chosen)]
            self._decode(rows, every=True)
            chosen = [_best(self._logits(row)) for row in range(len(rows))]
        return written

    def spread(self, prompts: list[list[int]], count: int) -> dict[str, float]:
        import numpy as np

        written = [self.write(prompt, count, 0)["tokens"] for prompt in prompts]
        alone = []
        for prompt, reply in zip(prompts, written, strict=True):
            self._forget()
            self._read(prompt, 0)
            for place, token in enumerate(reply, start=len(prompt)):
                self._read([token], place)
                alone.append(self._logits(-1).copy())
        self._forget()
        for sequence, prompt in enumerate(prompts):
            self._read(prompt, 0, sequence)
        largest = 0.0
        for step in range(count):
            rows = [(written[one][step], len(prompts[one]) + step, one) for one in range(len(prompts))]
            self._decode(rows, every=True)
            for one in range(len(prompts)):
                difference = np.abs(self._logits(one) - alone[one * count + step]).max()
                largest = max(largest, float(difference))
        return {"largest": largest, "width": float(np.mean([one.max() - one.min() for one in alone]))}

    def _go_on(self, place: int, count: int) -> dict[str, Any]:
        reply = _reply()
        for step in range(count):
            token, logprob, lead = _best(self._logits(-1))
            _add(reply, token, logprob, lead)
            if step < count - 1:
                self._read([token], place + step)
        return reply

    def _forget(self) -> None:
        self.llama.llama_memory_clear(self.memory, True)

    def _read(self, tokens: list[int], place: int, sequence: int = 0) -> None:
        for start in range(0, len(tokens), 512):
            part = tokens[start : start + 512]
            self._decode([(token, place + start + i, sequence) for i, token in enumerate(part)], every=False)

    def _decode(self, rows: list[tuple[int, int, int]], *, every: bool) -> None:
        batch = self.batch
        batch.n_tokens = len(rows)
        for index, (token, place, sequence) in enumerate(rows):
            batch.token[index], batch.pos[index] = token, place
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, sequence
            batch.logits[index] = every or index == len(rows) - 1
        result = self.llama.llama_decode(self.context, batch)
        assert result == 0, f"llama_decode returned {result}"

    def _logits(self, row: int) -> Any:
        import numpy as np

        pointer = self.llama.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.size,))


def _reply() -> dict[str, list[Any]]:
    return {"tokens": [], "logprobs": [], "leads": []}


def _add(reply: dict[str, list[Any]], token: int, logprob: float, lead: float) -> None:
    reply["tokens"].append(token)
    reply["logprobs"].append(logprob)
    reply["leads"].append(lead)


def _log_softmax(logits: Any) -> Any:
    import numpy as np

    wide = logits.astype(np.float64)
    largest = wide.max()
    return wide - (largest + np.log(np.exp(wide - largest).sum()))


def _best(logits: Any) -> tuple[int, float, float]:
    logs = _log_softmax(logits)
    token = int(logits.argmax())
    first = float(logs[token])
    logs[token] = -1e30
    return token, first, first - float(logs.max())


def _main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # native code prints
    native = _Native(json.loads(sys.argv[1]))
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(native, request.pop("verb"))(**request)), file=out, flush=True)


if __name__ == "__main__":
    _main()
