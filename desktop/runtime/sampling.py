"""The native sampler chain of one request."""

import secrets
from typing import Any

import llama_cpp.llama_cpp as llama

from desktop.engine.protocol import Sampling

PENALTY_WINDOW = 64
"""Tokens that the repetition penalties look back on: llama.cpp's own default (common_params_sampling)."""
_NO_SEED = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: libllama would draw one and not tell


class SamplerChain:
    """Chooses the next token. `seed` is what was really used, so that a reply can be made again."""

    def __init__(self, sampling: Sampling, *, vocabulary_size: int) -> None:
        self.seed = secrets.randbelow(_NO_SEED) if sampling.seed is None else sampling.seed % _NO_SEED
        self._chain: Any = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        # Penalties see every token; top_k before top_p, because sorting a whole vocabulary for top_p costs
        # milliseconds per token; temperature after the cuts, so that they act on the model's own probabilities.
        self._add_penalties(sampling, vocabulary_size)
        if sampling.temperature <= 0:
            self._add(llama.llama_sampler_init_greedy())
            return
        self._add_cuts(sampling)
        self._add(llama.llama_sampler_init_temp(sampling.temperature))
        self._add(llama.llama_sampler_init_dist(self.seed))

    def _add(self, sampler: Any) -> None:
        llama.llama_sampler_chain_add(self._chain, sampler)

    def _add_penalties(self, sampling: Sampling, vocabulary_size: int) -> None:
        penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        if penalties != (1.0, 0.0, 0.0):
            self._add(llama.llama_sampler_init_penalties(vocabulary_size, PENALTY_WINDOW, *penalties))

    def _add_cuts(self, sampling: Sampling) -> None:
        if sampling.top_k > 0:
            self._add(llama.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            self._add(llama.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            self._add(llama.llama_sampler_init_min_p(sampling.min_p, 1))

    def sample(self, context: Any, index: int = -1) -> int:
        """Choose and accept the token after output `index` of the last decode."""
        return int(llama.llama_sampler_sample(self._chain, context, index))

    def close(self) -> None:
        """Free the chain; it must not be used afterwards."""
        if self._chain is not None:
            llama.llama_sampler_free(self._chain)
            self._chain = None
