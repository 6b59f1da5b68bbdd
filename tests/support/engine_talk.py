"""Whole replies with the tokens behind them, and the check that a reply is the one the model gives."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from desktop.engine.client import EngineClient
from desktop.engine.protocol import (
    CacheLimits,
    ChosenToken,
    Done,
    GenerationStats,
    LoadPlan,
    PromptMessage,
    ReasoningDelta,
    ReplyPart,
    Sampling,
    TextDelta,
    ToolCallDelta,
)
from desktop.settings import CACHE_RAM
from tests.support.bare_engine import Bare

NO_CACHE = CacheLimits(ram_bytes=0)
ROUNDING = 2e-3
"""By how much log-probabilities of a model in f32 may differ where sums are formed in another order."""


class Said(NamedTuple):
    """A reply from its first word to Done. chosen: its tokens, where logprobs were asked for."""

    text: str
    chosen: tuple[ChosenToken, ...]
    events: tuple[ReplyPart, ...]
    done: Done

    @property
    def tokens(self) -> list[int]:
        return [token.chosen.token for token in self.chosen]

    @property
    def logprobs(self) -> list[float]:
        return [token.chosen.logprob for token in self.chosen]

    @property
    def stats(self) -> GenerationStats:
        return self.done.stats


def greedy(length: int, **changes: Any) -> Sampling:
    """The likeliest token each time, exactly `length` of them, told with their numbers."""
    fields: dict[str, Any] = {"temperature": 0.0, "max_length": length, "ignore_end": True, "logprobs": 0}
    return Sampling(**fields | changes)


def batch_plan(path: Path, **changes: Any) -> LoadPlan:
    """Eight requests at the same time, one thread, nothing speculated."""
    fields: dict[str, Any] = {
        "model_path": str(path),
        "model_name": path.stem,
        "n_ctx": 2048,
        "n_parallel": 8,
        "n_seq_max": 16,
        "n_outputs_max": 16,
        "n_threads": 1,
        "adapt_threads": False,
        "speculation": "off",
        "cache": CacheLimits(ram_bytes=CACHE_RAM.default),
    }
    return LoadPlan(**fields | changes)


def exact_plan(path: Path, **changes: Any) -> LoadPlan:
    """The same without flash attention and with a KV cache in f32: with weights in f32 rounding is below ROUNDING."""
    fields: dict[str, Any] = {"flash_attention": "off", "type_k": "f32", "type_v": "f32"}
    return batch_plan(path, **fields | changes)


async def say(client: EngineClient, prompt: str | Sequence[PromptMessage], sampling: Sampling, **options: Any) -> Said:
    """Wait for a whole reply."""
    events = [event async for event in listen(client, prompt, sampling, **options)]
    done = events[-1]
    assert isinstance(done, Done)
    deltas = [event for event in events if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta)]
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    return Said(text, tuple(token for delta in deltas for token in delta.tokens), tuple(events), done)


def listen(client: EngineClient, prompt: str | Sequence[PromptMessage], sampling: Sampling, **options: Any) -> Any:
    """The parts of a reply as they come."""
    asked: dict[str, Any] = {"prompt": prompt} if isinstance(prompt, str) else {"messages": prompt}
    return client.generate(sampling=sampling, **asked, **options)


@contextmanager
def held(client: EngineClient) -> Iterator[None]:
    """The child stands still while the block runs: what is sent meanwhile comes to it in one piece, before a step."""
    child = psutil.Process(client.pid)
    child.suspend()
    try:
        yield
    finally:
        child.resume()


def tokens_read(bare: Bare, said: Said, text: str, held: Sequence[int]) -> list[int]:
    """The tokens of the prompt `text` as the engine read it, after it had found its beginning in `held`."""
    cached = said.stats.cached_tokens
    return [*held[:cached], *bare.tokenize(text)[-(said.stats.prompt_tokens - cached) :]]


def check_reply(bare: Bare, prompt: Sequence[int], said: Said, *, rounding: float = ROUNDING) -> None:
    """Assert that each token is the likeliest after those before it, with the probability that it was told with."""
    assert said.tokens
    assert len(prompt) == said.stats.prompt_tokens
    places = bare.follow(prompt, said.tokens)
    for place, (best, token, told) in enumerate(zip(places, said.tokens, said.logprobs, strict=True)):
        known = dict(best)
        assert token in known, f"token {place} is none of the likeliest"
        assert best[0][1] - known[token] <= rounding, f"token {place} is not the likeliest"
        assert abs(known[token] - told) <= rounding, f"token {place}: {known[token]} is not {told}"
