"""Builds the engine's samplers out of a request's values, in the order in which they act.

Everything that changes single tokens comes first (bias, penalties, DRY), then the cuts, then temperature, then the
choice: llama.cpp's own order (common/sampling.cpp). top_k comes before top_p, because sorting a whole vocabulary costs
milliseconds per token; temperature after the cuts, so that they act on the model's own probabilities.
"""

import ctypes
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import FailureKind, LogitBias, Sampling
from desktop.runtime.failures import EngineError
from desktop.runtime.sampling.ranges import NEVER
from desktop.runtime.vocabulary import Vocabulary

GREEDY_BELOW = 1e-6
"""A smaller temperature would overflow the engine's 32-bit floats; the likeliest token is all that is left anyway."""
_SMALLEST_DYNAMIC = 1e-3
_MIROSTAT_CANDIDATES = 100  # llama.cpp's own (common_sampler_init)
_NEXT_TO_NOTHING = 1e-30
_DRY_KEPT = 4


def new_chain() -> Any:
    """An empty chain; free it with llama_sampler_free."""
    return llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())


def is_greedy(sampling: Sampling) -> bool:
    """Whether the likeliest token is taken."""
    return sampling.temperature < GREEDY_BELOW


def add_adjustments(chain: Any, sampling: Sampling, vocabulary: Vocabulary, n_ctx: int) -> bool:
    """Add what makes single tokens more or less likely; return whether there is any.

    Raises EngineError(BAD_REQUEST) where the bias leaves no token.
    """
    bias = biases(sampling.logit_bias, vocabulary)
    bias.update(dict.fromkeys(vocabulary.suppressed_tokens, NEVER))
    if len(bias) >= vocabulary.size and all(value <= NEVER for value in bias.values()):
        raise EngineError(FailureKind.BAD_REQUEST, "logit_bias forbids every token", field="logit_bias")
    if bias:
        llama.llama_sampler_chain_add(chain, bias_sampler(bias, vocabulary))
    window = _window(sampling.repeat_window, n_ctx)
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    if window and penalties != (1.0, 0.0, 0.0):
        sampler = llama.llama_sampler_init_penalties(vocabulary.size, window, *penalties)
        llama.llama_sampler_chain_add(chain, sampler)
    if sampling.dry_multiplier > 0 and _window(sampling.dry_window, n_ctx):
        llama.llama_sampler_chain_add(chain, _dry_samplers(vocabulary).sampler(sampling, vocabulary, n_ctx))
    return bool(llama.llama_sampler_chain_n(chain))


def look_back(sampling: Sampling, n_ctx: int) -> int:
    """How many tokens before the next one can change it."""
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    penalized = _window(sampling.repeat_window, n_ctx) if penalties != (1.0, 0.0, 0.0) else 0
    return max(penalized, _window(sampling.dry_window, n_ctx) if sampling.dry_multiplier > 0 else 0)


def add_choice(chain: Any, sampling: Sampling, vocabulary: Vocabulary, seed: int) -> None:
    """Add the cuts, the temperature, and what takes one of the tokens that are left."""
    if is_greedy(sampling):
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_greedy())
    elif sampling.mirostat:
        _add_mirostat(chain, sampling, vocabulary, seed)
    else:
        _add_cuts(chain, sampling, seed)
        llama.llama_sampler_chain_add(chain, _temperature(sampling))
        llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_dist(seed))


def _add_cuts(chain: Any, sampling: Sampling, seed: int) -> None:
    def add(sampler: Any) -> None:
        llama.llama_sampler_chain_add(chain, sampler)

    if sampling.top_n_sigma > 0:
        add(llama.llama_sampler_init_top_n_sigma(sampling.top_n_sigma))
    if sampling.top_k > 0:
        add(llama.llama_sampler_init_top_k(sampling.top_k))
    if sampling.typical_p < 1:
        add(_without_nothing())
        add(llama.llama_sampler_init_typical(sampling.typical_p, 1))
    if sampling.top_p < 1:
        add(llama.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        add(llama.llama_sampler_init_min_p(sampling.min_p, 1))
    if sampling.xtc_probability > 0:
        add(llama.llama_sampler_init_xtc(sampling.xtc_probability, sampling.xtc_threshold, 1, seed))


def _add_mirostat(chain: Any, sampling: Sampling, vocabulary: Vocabulary, seed: int) -> None:
    llama.llama_sampler_chain_add(chain, llama.llama_sampler_init_temp(sampling.temperature))
    llama.llama_sampler_chain_add(chain, _without_nothing())
    tau, eta = sampling.mirostat_tau, sampling.mirostat_eta
    if sampling.mirostat == 1:
        sampler = llama.llama_sampler_init_mirostat(vocabulary.size, seed, tau, eta, _MIROSTAT_CANDIDATES)
    else:
        sampler = llama.llama_sampler_init_mirostat_v2(seed, tau, eta)
    llama.llama_sampler_chain_add(chain, sampler)


def _without_nothing() -> Any:
    """Drop tokens of probability 0: typical and mirostat take its logarithm, and NaN spreads from there."""
    return llama.llama_sampler_init_min_p(_NEXT_TO_NOTHING, 1)


def _temperature(sampling: Sampling) -> Any:
    if sampling.dynamic_temperature <= 0:
        return llama.llama_sampler_init_temp(sampling.temperature)
    # The same range as the engine's, but never so near 0 that logits divided by it overflow.
    low = max(sampling.temperature - sampling.dynamic_temperature, _SMALLEST_DYNAMIC)
    high = max(sampling.temperature + sampling.dynamic_temperature, low)
    return llama.llama_sampler_init_temp_ext((low + high) / 2, (high - low) / 2, sampling.dynamic_exponent)


def biases(entries: Iterable[LogitBias], vocabulary: Vocabulary) -> dict[int, float]:
    """The sum of biases by token; a text's bias goes to each of its tokens."""
    found: dict[int, float] = {}
    for entry in entries:
        tokens = set(vocabulary.tokenize(entry.text)) if entry.token is None else {entry.token}
        for token in tokens:
            found[token] = found.get(token, 0.0) + entry.bias
    return found


def bias_sampler(bias: Mapping[int, float], vocabulary: Vocabulary) -> Any:
    """The engine's sampler that adds to logits by token."""
    entries = (llama.llama_logit_bias * len(bias))()
    for entry, (token, value) in zip(entries, bias.items(), strict=True):
        entry.token, entry.bias = token, value if value > NEVER else float("-inf")
    return llama.llama_sampler_init_logit_bias(vocabulary.size, len(bias), entries)


def _window(tokens: int, n_ctx: int) -> int:
    return n_ctx if tokens < 0 else min(tokens, n_ctx)


# --- DRY -------------------------------------------------------------------------------------------------------------


class _DrySamplers:
    """Prepared DRY samplers of one vocabulary: making one reads every token for each breaker (35 ms for 50,000)."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    def sampler(self, sampling: Sampling, vocabulary: Vocabulary, n_ctx: int) -> Any:
        window = _window(sampling.dry_window, n_ctx)
        breakers = tuple(breaker.encode("utf-8", "replace") for breaker in sampling.dry_breakers)
        key = (sampling.dry_multiplier, sampling.dry_base, sampling.dry_allowed_length, window, breakers)
        if key in self._made:
            self._made.move_to_end(key)
        else:
            array = (ctypes.c_char_p * len(breakers))(*breakers)
            self._made[key] = llama.llama_sampler_init_dry(vocabulary.handle, *key[:4], array, len(breakers))
        if len(self._made) > _DRY_KEPT:
            llama.llama_sampler_free(self._made.popitem(last=False)[1])
        return llama.llama_sampler_clone(self._made[key])

    def free(self) -> None:
        for sampler in self._made.values():
            llama.llama_sampler_free(sampler)
        self._made.clear()


_prepared: "weakref.WeakKeyDictionary[Vocabulary, _DrySamplers]" = weakref.WeakKeyDictionary()


def _dry_samplers(vocabulary: Vocabulary) -> _DrySamplers:
    samplers = _prepared.get(vocabulary)
    if samplers is None:
        samplers = _prepared[vocabulary] = _DrySamplers()
        weakref.finalize(vocabulary, samplers.free)
    return samplers
