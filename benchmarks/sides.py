"""The two sides of a measurement: the engine as the app uses it, and the bare loop in a process of its own."""

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from desktop.engine.client import EngineClient
from desktop.engine.protocol import (
    CacheLimits,
    Done,
    GenerationStats,
    LoadPlan,
    PromptMessage,
    Role,
    Sampling,
    TextDelta,
)
from desktop.library.starter import starter_model
from desktop.settings import CACHE_RAM

FTYPES = {"Q4_0": 2, "Q8_0": 7}  # enum llama_ftype
STARTER = "Q4_1"
Turn = tuple[Role, str]


class Reply(NamedTuple):
    """One reply as the owner saw it; times are of its clock (time.perf_counter), in seconds."""

    text: str
    sent: float
    deltas: tuple[float, ...]
    ended: float
    stats: GenerationStats

    @property
    def seconds(self) -> float:
        """From the request to Done."""
        return self.ended - self.sent

    @property
    def first(self) -> float:
        """From the request to the first text (to Done, where the reply has no text)."""
        return (self.deltas[0] if self.deltas else self.ended) - self.sent


def messages_of(turns: Sequence[Turn]) -> list[PromptMessage]:
    """Turns as the client takes them."""
    return [PromptMessage(role=role, content=content) for role, content in turns]


async def ask(
    client: EngineClient,
    turns: Sequence[Turn],
    sampling: Sampling,
    *,
    continue_last: bool = False,
    conversation: str = "",
) -> Reply:
    """Wait for a whole reply. conversation: its name, for what is to be forgotten of it."""
    words: list[str] = []
    deltas: list[float] = []
    stats = GenerationStats()
    sent = time.perf_counter()
    async for event in client.generate(
        messages=messages_of(turns), sampling=sampling, continue_last=continue_last, conversation=conversation
    ):
        if isinstance(event, TextDelta):
            deltas.append(time.perf_counter())
            words.append(event.text)
        elif isinstance(event, Done):
            stats = event.stats
    return Reply("".join(words), sent, tuple(deltas), time.perf_counter(), stats)


def plan_for(path: Path, *, n_ctx: int, threads: int, **changes: Any) -> LoadPlan:
    """A plan that the bare loop can match: threads are fixed and nothing is speculated, unless `changes` say so.

    Conversations wait in as much memory as the app gives them by default.
    """
    fields: dict[str, Any] = {"model_path": str(path), "model_name": path.stem, "n_ctx": n_ctx, "n_threads": threads}
    fields |= {"adapt_threads": False, "speculation": "off", "cache": CacheLimits(ram_bytes=CACHE_RAM.default)}
    fields |= changes
    # libllama reserves a row per sequence and ends the process when it may not (GGML_ASSERT in output_reserve).
    fields["n_outputs_max"] = max(fields.get("n_outputs_max", 1), fields.get("n_seq_max", 1))
    return LoadPlan(**fields)


@contextlib.asynccontextmanager
async def engine(plan: LoadPlan) -> AsyncIterator[EngineClient]:
    """A client with the model in memory; its child has ended afterwards."""
    client = EngineClient()
    try:
        await client.load(plan)
        yield client
    finally:
        await client.stop()


def threads_of(client: EngineClient) -> int:
    """The threads that the engine decodes with: what it chose, where the plan said 0."""
    assert client.loaded is not None
    return client.loaded.n_threads


def chatml(turns: Sequence[Turn], *, continue_last: bool = False) -> str:
    """Turns as the starter model's template writes them, ready for the reply. The first must be a system message."""
    assert turns[0][0] == "system", "the template would add a system message of its own"
    text = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in turns)
    return text.removesuffix("<|im_end|>\n") if continue_last else f"{text}<|im_start|>assistant\n"


class Bare:
    """The bare loop; `call` sends one request and waits in a thread, so that the owner's event loop goes on."""

    def __init__(self, path: Path, *, n_ctx: int, threads: int, n_batch: int = 512, sequences: int = 1) -> None:
        sizes = map(str, (n_ctx, threads, n_batch, sequences))
        command = [sys.executable, "-m", "benchmarks.bare_loop", str(path), *sizes]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @property
    def pid(self) -> int:
        """Process id of the loop."""
        return self._process.pid

    async def call(self, **request: Any) -> dict[str, Any]:
        """Answer of benchmarks/bare_loop.py to one request."""
        return await asyncio.to_thread(self._call, request)

    async def answer(
        self, prompt: str, *, tokens: int, temperature: float = 0.0, seed: int = 0, ignore_end: bool = False
    ) -> dict[str, Any]:
        """One reply."""
        sampling = {"tokens": tokens, "temperature": temperature, "seed": seed, "ignore_end": ignore_end}
        return await self.call(do="answer", prompt=prompt, **sampling)

    async def first_token(self, prompt: str) -> float:
        """Seconds from a request to its first token, with nothing of its prompt known before."""
        await self.call(do="forget")
        return float((await self.answer(prompt, tokens=1))["first"])

    async def count(self, text: str) -> int:
        """How many tokens a text has."""
        return int((await self.call(do="count", text=text))["count"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def bare(path: Path, *, n_ctx: int, threads: int, n_batch: int = 512, sequences: int = 1) -> Iterator[Bare]:
    """A bare loop; its process has ended afterwards."""
    loop = Bare(path, n_ctx=n_ctx, threads=threads, n_batch=n_batch, sequences=sequences)
    try:
        yield loop
    finally:
        loop.close()


@contextlib.contextmanager
def quantized(name: str) -> Iterator[Path]:
    """The starter model in a quantization: its own file, or one made from it in a temporary folder."""
    source = Path(starter_model().path)
    if name == STARTER:
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / source.name.replace(STARTER, name)
        command = [sys.executable, "-m", "benchmarks.bare_loop", "--quantize", str(source), str(target)]
        subprocess.run([*command, str(FTYPES[name])], check=True)
        yield target
