"""Samplers at work in a process of their own: native code that goes wrong must not take pytest along.

`Samplers` starts this file as a script, which loads a model once and answers one JSON request per line.
"""

import contextlib
import ctypes
import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
N_CTX = 1024
_NO_UTF8 = {0xC0, 0xC1, *range(0xF5, 0x100)}


class SamplingFailed(Exception):
    """The child answered with a typed error; `kind`, `detail` and `arguments` are those of its EngineFailure."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(f"{answer['kind']}: {answer['detail']}")
        self.kind, self.detail, self.arguments = answer["kind"], answer["detail"], answer["arguments"]


class Samplers:
    """The owner's end. Each call raises SamplingFailed for a typed error; a child that died fails the test."""

    def __init__(self, model: Path) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), str(model)]
        self._child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, verb: str, *, timeout: float = 60.0, **arguments: Any) -> Any:
        """Call a method of `_Bench`."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"verb": verb, **arguments}) + "\n")
        self._child.stdin.flush()
        ready, _, _ = select.select([self._child.stdout], [], [], timeout)
        assert ready, f"no answer to {verb} within {timeout} s"
        line = self._child.stdout.readline()
        assert line, f"the child died of {verb}, exit code {self._child.wait(5)}"
        answer = json.loads(line)
        if "kind" in answer:
            raise SamplingFailed(answer)
        return answer["result"]

    def generate(self, **sampling: Any) -> dict[str, Any]:
        """A reply to the usual question."""
        answer: dict[str, Any] = self.ask("generate", sampling=sampling)
        return answer

    def close(self) -> None:
        """End the child."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait(10)
        if self._child.stdout is not None:
            self._child.stdout.close()


@contextlib.contextmanager
def samplers(model: Path) -> Iterator[Samplers]:
    """A child with a model, as long as the block runs."""
    child = Samplers(model)
    try:
        yield child
    finally:
        child.close()


# --- the child -----------------------------------------------------------------------------------------------------


class _Bench:
    def __init__(self, path: str) -> None:
        import llama_cpp.llama_cpp as llama

        from desktop.runtime.vocabulary import Vocabulary

        self._llama = llama
        self._log = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self._log, None)
        llama.llama_backend_init()
        self._model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = N_CTX
        parameters.n_threads = parameters.n_threads_batch = 1  # two on a machine at work are slower than one
        self._context = llama.llama_init_from_model(self._model, parameters)
        self._words = Vocabulary(self._model)

    def _chain(self, sampling: dict[str, Any]) -> Any:
        import msgspec

        from desktop.engine.protocol import Sampling
        from desktop.runtime.sampling.chain import SamplerChain

        wanted = msgspec.convert(sampling, Sampling, strict=False)
        return SamplerChain(wanted, vocabulary=self._words, n_ctx=N_CTX)

    def _decode(self, tokens: list[int]) -> None:
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        assert self._llama.llama_decode(self._context, self._llama.llama_batch_get_one(array, len(tokens))) == 0

    def _prefill(self, prompt: str) -> list[int]:
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self._context), True)
        tokens = self._words.tokenize(prompt, parse_special=True)
        self._decode(tokens)
        return tokens

    def _logits(self) -> Any:
        from desktop.runtime.sampling.candidates import read_logits

        return read_logits(self._context, -1, self._words.size)

    def tokenize(self, text: str) -> list[int]:
        return self._words.tokenize(text)

    def ends(self) -> list[int]:
        return list(self._words.end_tokens)

    def logits(self, prompt: str) -> list[float]:
        """The raw logits after a prompt."""
        self._prefill(prompt)
        return [float(value) for value in self._logits()]

    def generate(self, sampling: dict[str, Any], prompt: str = "", limit: int = 48) -> dict[str, Any]:
        """A reply: text, tokens, seed, and milliseconds per choice."""
        seen = self._prefill(prompt or "<|im_start|>user\nTell me about the sea.<|im_end|>\n<|im_start|>assistant\n")
        started = time.perf_counter()
        chain = self._chain(sampling)
        ready = time.perf_counter() - started
        chain.see_prompt(seen)
        tokens: list[int] = []
        told, times = [], []
        try:
            while len(tokens) < limit and not chain.ended:
                started = time.perf_counter()
                token = chain.sample(self._context, -1)
                times.append(1000 * (time.perf_counter() - started))
                tokens.append(token)
                if sampling.get("logprobs", -1) >= 0:
                    told.append(_plain(chain.describe(self._context, -1, token)))
                if self._words.ends_generation(token):
                    break
                self._decode([token])
            text = b"".join(map(self._words.piece, tokens)).decode("utf-8", "replace")
            return {
                "text": text,
                "tokens": tokens,
                "seed": chain.seed,
                "ended": chain.ended,
                "logprobs": told,
                "milliseconds": times,
                "ready": ready,
            }
        finally:
            chain.close()

    def kept(self, sampling: dict[str, Any], logits: list[float], seen: list[int] | None = None) -> list[Any]:
        """What is left of logits when all samplers have acted: token and logit, in the sampler's order."""
        chain, candidates = self._chain(sampling), self._candidates(logits)
        try:
            chain.see_prompt(seen or [])
            candidates.apply(chain._chain)
            return list(candidates.tokens())
        finally:
            chain.close()

    def adjusted(self, sampling: dict[str, Any], logits: list[float], seen: list[int] | None = None) -> list[float]:
        """Logits by token after bias and penalties."""
        chain, candidates = self._chain(sampling), self._candidates(logits)
        try:
            chain.see_prompt(seen or [])
            candidates.apply(chain._adjust)
            return [max(float(value), -1e30) for value in candidates.logits()]
        finally:
            chain.close()

    def draw(self, sampling: dict[str, Any], prompt: str, times: int) -> list[int]:
        """The first token of a reply, drawn again and again from the same chain."""
        self._prefill(prompt)
        chain = self._chain(sampling)
        try:
            return [chain.sample(self._context, -1) for _ in range(times)]
        finally:
            chain.close()

    def sample_strange(self, sampling: dict[str, Any], fill: str, share: float = 1.0) -> int:
        """Choose where the model's logits were overwritten."""
        self._prefill("Once")
        logits = self._logits()
        logits[: int(len(logits) * share)] = float(fill)
        chain = self._chain(sampling)
        try:
            return int(chain.sample(self._context, -1))
        finally:
            chain.close()

    def _candidates(self, logits: list[float]) -> Any:
        import numpy as np

        from desktop.runtime.sampling.candidates import Candidates

        candidates = Candidates(len(logits))
        candidates.fill(np.array(logits, dtype=np.float32))
        return candidates

    def fits(self, grammar: str, texts: list[str]) -> list[bool]:
        """Whether each text is a whole reply in the grammar, read token by token."""
        from desktop.runtime.sampling.grammar.watch import GrammarWatch

        answers = []
        for text in texts:
            watch = GrammarWatch(grammar, vocabulary=self._words)
            answers.append(self._follows(watch, self._words.tokenize(text)) and watch.may_end)
        return answers

    def _follows(self, watch: Any, tokens: list[int]) -> bool:
        for token in tokens:
            watch.begin_token()
            if not watch.allows(token):
                return False
            watch.accept(token)
        return True

    def compare(self, grammar: str, text: str, steps: int) -> list[list[int]]:
        """Walk a text with our grammar and with the engine's; return, per step, the tokens they disagree about."""
        import numpy as np

        from desktop.runtime.sampling.candidates import Candidates
        from desktop.runtime.sampling.grammar.watch import GrammarWatch

        watch = GrammarWatch(grammar, vocabulary=self._words)
        native = self._llama.llama_sampler_init_grammar(self._words.handle, grammar.encode(), b"root")
        assert native
        candidates, differences = Candidates(self._words.size), []
        # The engine lets control tokens pass by their spelling, and bytes that no UTF-8 has.
        pieces = enumerate(map(self._words.piece, range(self._words.size)))
        silent = {token for token, piece in pieces if not piece or not set(piece).isdisjoint(_NO_UTF8)} - set(
            self.ends()
        )
        for token in self._words.tokenize(text)[:steps]:
            candidates.fill(np.zeros(self._words.size, dtype=np.float32))
            candidates.apply(native)
            theirs = {token for token, logit in candidates.tokens() if logit == 0} - silent
            differences.append(sorted(theirs.symmetric_difference(watch.allowed().tolist())))
            each = {token for token in range(0, self._words.size, 7) if watch.allows(token)}
            assert each == {token for token in watch.allowed().tolist() if token % 7 == 0}
            if token not in theirs:
                break
            self._llama.llama_sampler_accept(native, token)
            watch.accept(token)
            watch.begin_token()
        self._llama.llama_sampler_free(native)
        return differences


def _plain(chosen: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(chosen)


def _answer(call: Callable[[], Any]) -> dict[str, Any]:
    from desktop.runtime.failures import EngineError

    try:
        return {"result": call()}
    except EngineError as error:
        failure = error.failure
        return {"kind": failure.kind, "detail": failure.detail, "arguments": failure.arguments}


def main() -> None:
    """Answer until stdin ends."""
    sys.path.insert(0, str(ROOT))
    bench = _Bench(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        verb = getattr(bench, request.pop("verb"))
        answer = _answer(lambda verb=verb, request=request: verb(**request))  # type: ignore[misc]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
