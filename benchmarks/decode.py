"""Decode speed through the whole path (child, protocol, asyncio) against a bare loop: `python -m benchmarks.decode`.

Same libraries, model file, prompt, sampler chain, threads and tokens; two processes that take turns. The clock of our
side runs in the owner, from the first delta it gets to Done. Exit code 1 when a lower bound is under BOUND.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.statistics import Ratio, interleaved, paired_ratio, ratio_report
from desktop.engine.client import EngineClient
from desktop.engine.protocol import Done, LoadPlan, PromptMessage, Sampling, TextDelta
from desktop.library.starter import starter_model

BOUND = 0.95
N_CTX, SEED = 1024, 7
SYSTEM, QUESTION = "You are a patient teacher.", "Explain in many words how bread is made, from the field to the table."
PROMPT = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
FTYPES = {"Q4_0": 2, "Q8_0": 7}


class OurPath:
    """The engine as the app uses it; speed in tokens per second as the owner sees it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path, tokens: int, threads: int) -> None:
        self._loop, self._path, self._client = loop, path, EngineClient()
        self._sampling = Sampling(max_length=tokens, seed=SEED)
        self.text, self.threads = "", threads

    def start(self) -> None:
        """Load the model; `threads` is afterwards what the engine chose, where it was 0."""
        plan = LoadPlan(model_path=str(self._path), model_name=self._path.stem, n_ctx=N_CTX, n_threads=self.threads)
        self.threads = self._loop.run_until_complete(self._client.load(plan)).n_threads

    def stop(self) -> None:
        """End the child."""
        self._loop.run_until_complete(self._client.stop())

    def measure(self) -> float:
        """Make one reply; tokens per second of its decode."""
        return self._loop.run_until_complete(self._measure())

    async def _measure(self) -> float:
        messages = [PromptMessage(role="system", content=SYSTEM), PromptMessage(role="user", content=QUESTION)]
        words, first, made = [], 0.0, 0
        async for event in self._client.generate(messages=messages, sampling=self._sampling):
            if isinstance(event, TextDelta):
                first = first or time.perf_counter()
                words.append(event.text)
            elif isinstance(event, Done):
                made = event.stats.completion_tokens
        seconds = time.perf_counter() - first
        self.text = "".join(words)
        return (made - 1) / seconds


class BarePath:
    """The bare loop in a process of its own."""

    def __init__(self, path: Path, tokens: int, threads: int) -> None:
        command = [sys.executable, "-m", "benchmarks.bare_loop", str(path), str(N_CTX), str(threads)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._request = {"prompt": PROMPT, "tokens": tokens, "temperature": 0.8, "seed": SEED}
        self.text = ""

    def stop(self) -> None:
        """End the child."""
        self._process.communicate()

    def measure(self) -> float:
        """Make one reply; tokens per second of its decode."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.text = answer["text"]
        return (len(answer["tokens"]) - 1) / float(answer["seconds"])


def compare(path: Path, *, pairs: int, tokens: int, threads: int) -> Ratio:
    """Measure one model file and print what came of it."""
    with asyncio.Runner() as runner:
        ours = OurPath(runner.get_loop(), path, tokens, threads)
        ours.start()
        bare = BarePath(path, tokens, ours.threads)
        try:
            for side in (ours, bare, ours, bare):
                side.measure()  # warm: pages, caches, clocks
            assert ours.text == bare.text, f"the two sides do not do the same work:\n{ours.text}\n---\n{bare.text}"
            figures = interleaved(ours.measure, bare.measure, pairs)
        finally:
            ours.stop()
            bare.stop()
    title = f"decode, whole path / bare loop, {path.stem}"
    print(ratio_report(title, figures, unit="tokens/s", least=BOUND), flush=True)
    return paired_ratio(figures)


@contextlib.contextmanager
def requantized(source: Path, name: str) -> Iterator[Path]:
    """The same model in another quantization, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"{source.stem.rsplit('.', 1)[0]}.{name}.gguf"
        command = [sys.executable, "-m", "benchmarks.bare_loop", "--quantize", str(source), str(target)]
        subprocess.run([*command, str(FTYPES[name])], check=True)
        yield target


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=0, help="0: what the engine chooses; 1 on a busy machine")
    parser.add_argument("--only-starter", action="store_true", help="leave the other quantization out")
    arguments = parser.parse_args()
    starter = Path(starter_model().path)
    sizes = {"pairs": arguments.pairs, "tokens": arguments.tokens, "threads": arguments.threads}
    ratios = [compare(starter, **sizes)]
    if not arguments.only_starter:
        with requantized(starter, "Q8_0") as other:
            ratios.append(compare(other, **sizes))
    return 0 if min(ratio.low for ratio in ratios) >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
