"""Which values a request's sampling may have."""

import math

from desktop.engine.protocol import MOST_BEAMS, FailureKind, Sampling
from desktop.runtime.failures import EngineError

_MOST_TOKENS = 2**31 - 1  # tokens are counted as int32 in the engine
NEVER = -1_000_000.0
"""A bias, or the logarithm of a probability, that means minus infinity, which JSON cannot write."""
MAX_BREAKERS = 64
MAX_BREAKER_BYTES = 40
"""Of a DRY breaker: the engine would cut a longer one, and tell its log only."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "max_length": (0, _MOST_TOKENS),
    "min_length": (0, _MOST_TOKENS),
    "top_k": (0, _MOST_TOKENS),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "top_n_sigma": (0, 100),
    "xtc_probability": (0, 1),
    "xtc_threshold": (0, 1),
    "dynamic_temperature": (0, 100),
    "dynamic_exponent": (0, 100),
    "repeat_penalty": (0.01, 100),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
    "repeat_window": (-1, _MOST_TOKENS),
    "dry_multiplier": (0, 100),
    "dry_base": (1, 100),
    "dry_allowed_length": (0, _MOST_TOKENS),
    "dry_window": (-1, _MOST_TOKENS),
    "mirostat": (0, 2),
    "mirostat_tau": (0, 100),
    "mirostat_eta": (0, 10),
    "logprobs": (-1, 100),
    "beams": (1, MOST_BEAMS),
    "length_penalty": (-10, 10),
}


def check_ranges(sampling: Sampling, *, vocabulary_size: int) -> None:
    """Raise EngineError(BAD_REQUEST) naming the first field that is out of its range, and the range."""
    for name, (low, high) in _RANGES.items():
        _check(name, getattr(sampling, name), low, high)
    for entry in sampling.logit_bias:
        _check("logit_bias.bias", entry.bias, NEVER, -NEVER)
        if entry.token is not None:
            _check("logit_bias.token", entry.token, 0, vocabulary_size - 1)
        if (entry.token is None) == (entry.text == ""):
            raise _bad("logit_bias", "each entry has a token or a text, one of both")
    if sampling.grammar and sampling.json_schema:
        raise _bad("grammar", "a reply follows a grammar or a JSON schema, not both")
    if len(sampling.dry_breakers) > MAX_BREAKERS:
        raise _bad("dry_breakers", f"{MAX_BREAKERS} are the most")
    for breaker in sampling.dry_breakers:
        _check("dry_breakers", len(breaker.encode("utf-8", "replace")), 1, MAX_BREAKER_BYTES)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also where it is not a number
        shown = value if math.isfinite(value) else str(value)
        raise _bad(name, f"{name} is {shown}; it must be from {low} to {high}")


def _bad(name: str, detail: str) -> EngineError:
    return EngineError(FailureKind.BAD_REQUEST, detail, field=name)
