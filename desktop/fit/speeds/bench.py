"""How fast a loaded model really is, at depths of conversation: what `snug bench` and the benchmarks measure."""

from collections.abc import Sequence
from typing import NamedTuple

from desktop.engine.client import EngineClient
from desktop.engine.protocol import Done, GenerationStats, Sampling
from desktop.errors import AppError

PROMPT = 512
"""Tokens that are read to measure prefill."""

WRITTEN = 32
"""Tokens that are written to measure decode."""

_TEXT = "The sea was calm in the morning, and nobody on the shore knew how many boats had left before the wind turned. "


class Pace(NamedTuple):
    """Tokens per second, 0 where not measured. depth: before what was written; read_at: before what was read."""

    depth: int
    decode: float = 0.0
    prefill: float = 0.0
    read_at: int = 0


async def prompt_of(engine: EngineClient, length: int) -> tuple[int, ...]:
    """`length` tokens of ordinary text, in the words of the model that is loaded."""
    once = (await engine.tokenize(_TEXT)).tokens
    return (once * (length // len(once) + 1))[:length]


async def measure_pace(engine: EngineClient, tokens: Sequence[int], depth: int, *, repeats: int = 1) -> Pace:
    """Measure writing after `depth` tokens, and reading PROMPT more of them there.

    tokens: depth + PROMPT or more; the context must have room for WRITTEN beside them.
    The model must be loaded without speculation. Raises the errors of engine.failure.
    """
    decode = await measure_decode(engine, tokens, depth, repeats=repeats)
    return Pace(depth, decode=decode, prefill=await measure_prefill(engine, tokens, depth), read_at=depth)


async def measure_decode(
    engine: EngineClient, tokens: Sequence[int], depth: int, *, written: int = WRITTEN, repeats: int = 1
) -> float:
    """Tokens per second after `depth` of `tokens`; the fastest of the repeats: noise only slows a machine."""
    speeds = [(await _ask(engine, tokens[: max(depth, 1)], written + 1)).decode_speed for _ in range(repeats)]
    return max(speeds)


async def measure_prefill(engine: EngineClient, tokens: Sequence[int], depth: int) -> float:
    """Tokens per second at which the PROMPT tokens after `depth` are read; those before are known by then."""
    return (await _ask(engine, tokens[: depth + PROMPT], 1)).prefill_speed


async def _ask(engine: EngineClient, tokens: Sequence[int], written: int) -> GenerationStats:
    sampling = Sampling(temperature=0.0, max_length=written, ignore_end=True)
    async for part in engine.generate(prompt_tokens=tokens, sampling=sampling):
        if isinstance(part, Done):
            return part.stats
    raise AppError(reason="the reply has no end")
