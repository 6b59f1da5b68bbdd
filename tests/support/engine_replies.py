"""What tests of the engine share: a plan for the starter model, a whole reply in one call, the bare loop."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from desktop.engine.client import EngineClient
from desktop.engine.protocol import Done, LoadPlan, PromptMessage, ReasoningDelta, Sampling, TextDelta

GREEDY = Sampling(temperature=0.0, max_length=40)


class Reply(NamedTuple):
    """A reply from its first word to Done."""

    text: str
    reasoning: str
    done: Done


def plan_for(path: Path, **changes: Any) -> LoadPlan:
    """The plan for a small context on the CPU, with changes.

    One thread: with a neighbour on the other core, two threads that wait for each other are slower than one.
    """
    fields: dict[str, Any] = {"model_path": str(path), "model_name": "starter", "n_ctx": 512, "n_threads": 1}
    return LoadPlan(**{**fields, **changes})


def user(text: str) -> list[PromptMessage]:
    """A conversation of one message, with a system message so that the template adds none of its own."""
    return [PromptMessage(role="system", content="You are helpful."), PromptMessage(role="user", content=text)]


def chatml(text: str) -> str:
    """`user(text)` as the starter model's template writes it."""
    turns = f"<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n"
    return f"{turns}<|im_start|>assistant\n"


@asynccontextmanager
async def loaded_client(path: Path, **changes: Any) -> AsyncIterator[EngineClient]:
    """A client with the model in memory; its child has ended afterwards."""
    client = EngineClient()
    try:
        await client.load(plan_for(path, **changes))
        yield client
    finally:
        await client.stop()


async def reply_of(
    client: EngineClient, messages: Sequence[PromptMessage], sampling: Sampling = GREEDY, *, continue_last: bool = False
) -> Reply:
    """Wait for a whole reply."""
    text, reasoning, done = "", "", None
    async for event in client.generate(messages=messages, sampling=sampling, continue_last=continue_last):
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, ReasoningDelta):
            reasoning += event.text
        elif isinstance(event, Done):
            done = event
    assert done is not None
    return Reply(text, reasoning, done)


def bare_loop_text(path: Path, prompts: Sequence[str], *, tokens: int, n_ctx: int = 512, threads: int = 1) -> list[str]:
    """What a bare llama_decode loop answers greedily, in a process of its own."""
    requests = [{"prompt": prompt, "tokens": tokens, "temperature": 0, "seed": 0} for prompt in prompts]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bare_loop", str(path), str(n_ctx), str(threads)],
        input="".join(json.dumps(request) + "\n" for request in requests),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        cwd=Path(__file__).resolve().parents[2],
    )
    return [json.loads(line)["text"] for line in done.stdout.splitlines()]
