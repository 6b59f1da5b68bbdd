"""Chooses the tokens of one reply."""

import secrets
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp as llama
import numpy as np

from desktop.engine.protocol import ChosenToken, Sampling
from desktop.runtime.sampling import logprobs
from desktop.runtime.sampling.candidates import Candidates, Logits, Tokens, check_numbers, likeliest, read_logits
from desktop.runtime.sampling.grammar.elements import refused
from desktop.runtime.sampling.grammar.watch import GrammarWatch
from desktop.runtime.sampling.json_schema import schema_to_grammar
from desktop.runtime.sampling.parts import (
    add_adjustments,
    add_choice,
    bias_sampler,
    is_greedy,
    look_back,
    new_chain,
)
from desktop.runtime.sampling.ranges import NEVER, check_ranges
from desktop.runtime.vocabulary import Vocabulary

_NO_SEED = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED: libllama would draw one and not tell
_FIRST_TRIED = 1024  # of the likeliest tokens, before a grammar is tried on the whole vocabulary


class SamplerChain:
    """The samplers of one request. `seed` is what was really used, so that a reply can be made again.

    Raises EngineError(BAD_REQUEST) for values out of range, EngineError(BAD_GRAMMAR) for a grammar or a schema that
    cannot be used.
    """

    def __init__(self, sampling: Sampling, *, vocabulary: Vocabulary, n_ctx: int) -> None:
        check_ranges(sampling, vocabulary_size=vocabulary.size)
        self.seed = secrets.randbelow(_NO_SEED) if sampling.seed is None else sampling.seed % _NO_SEED
        self._sampling, self._vocabulary = sampling, vocabulary
        self._look_back = look_back(sampling, n_ctx)
        self._grammar = self._read_grammar()
        self._candidates: Candidates | None = None
        # One chain of three: the ban of ends is taken out when the reply is long enough, and a grammar comes between
        # what changes single tokens and what cuts.
        self._chain, self._adjust, self._choose = new_chain(), new_chain(), new_chain()
        for part in (self._adjust, self._choose):
            llama.llama_sampler_chain_add(self._chain, part)
        try:
            self._adjusted = add_adjustments(self._adjust, sampling, vocabulary, n_ctx)
            add_choice(self._choose, sampling, vocabulary, self.seed)
        except BaseException:
            self.close()
            raise
        self._made = 0
        self._greedy = is_greedy(sampling)
        self._end_banned = False
        self._ban_end()

    @property
    def ended(self) -> bool:
        """Whether the grammar is complete: nothing but an end can follow."""
        return self._grammar is not None and self._grammar.ended

    def see_prompt(self, tokens: Sequence[int]) -> None:
        """Let penalties and DRY look back on the prompt; the grammar begins after it."""
        for token in tokens[max(len(tokens) - self._look_back, 0) :]:
            llama.llama_sampler_accept(self._adjust, token)

    def sample(self, context: Any, row: int = -1) -> int:
        """Choose and accept the token after output `row` of the last decode.

        Raises EngineError(INTERNAL) where the model's numbers are not numbers, EngineError(BAD_GRAMMAR) where no token
        fits the grammar.
        """
        logits = read_logits(context, row, self._vocabulary.size)
        if self._grammar is not None:
            check_numbers(logits, thoroughly=not self._made)
            token = self._sample_bound(logits, self._grammar)
            llama.llama_sampler_accept(self._chain, token)
        elif self._adjusted or self._end_banned or not self._greedy:
            check_numbers(logits, thoroughly=not self._made)
            token = int(llama.llama_sampler_sample(self._chain, context, row))
        else:
            token = likeliest(logits)
        self._made += 1
        if self._end_banned and self._made >= self._sampling.min_length and not self._sampling.ignore_end:
            self._allow_end()
        return token

    def describe(self, context: Any, row: int, token: int) -> ChosenToken:
        """What the model thought at output `row`; only for a request that asks for logprobs."""
        logits = read_logits(context, row, self._vocabulary.size)
        return logprobs.describe(logits, token, count=self._sampling.logprobs, vocabulary=self._vocabulary)

    def close(self) -> None:
        """Free the chain; it must not be used afterwards."""
        if self._chain is not None:
            llama.llama_sampler_free(self._chain)
            self._chain = self._adjust = self._choose = None

    # --- ends ------------------------------------------------------------------------------------------------------

    def _ban_end(self) -> None:
        """Keep the model from ending: always, or as long as the reply is shorter than it has to be."""
        ends = self._vocabulary.end_tokens
        if ends and (self._sampling.ignore_end or self._sampling.min_length > 0):
            # Behind the other adjustments, so that no bias can undo it.
            ban = bias_sampler(dict.fromkeys(ends, NEVER), self._vocabulary)
            llama.llama_sampler_chain_add(self._adjust, ban)
            self._end_banned = True

    def _allow_end(self) -> None:
        last = llama.llama_sampler_chain_n(self._adjust) - 1
        llama.llama_sampler_free(llama.llama_sampler_chain_remove(self._adjust, last))
        self._end_banned = False

    # --- grammar ---------------------------------------------------------------------------------------------------

    def _read_grammar(self) -> GrammarWatch | None:
        text = self._sampling.grammar
        if self._sampling.json_schema:
            text = schema_to_grammar(self._sampling.json_schema)
        return GrammarWatch(text, vocabulary=self._vocabulary) if text else None

    def _sample_bound(self, logits: Logits, grammar: GrammarWatch) -> int:
        """Choose freely first: most tokens fit, and trying a grammar on a whole vocabulary takes milliseconds."""
        grammar.begin_token()
        if self._candidates is None:
            self._candidates = Candidates(self._vocabulary.size)
        self._candidates.fill(logits)
        self._candidates.apply(self._chain)
        token, logit = self._candidates.chosen()
        if not np.isfinite(logit) or not grammar.allows(token):
            token = self._sample_among_fitting(logits, grammar, self._candidates)
        grammar.accept(token)
        return token

    def _sample_among_fitting(self, logits: Logits, grammar: GrammarWatch, candidates: Candidates) -> int:
        candidates.fill(logits)
        candidates.apply(self._adjust)
        adjusted = candidates.logits()
        tokens = self._fitting(adjusted, grammar)
        tokens = tokens[np.isfinite(adjusted[tokens])]
        if not len(tokens):
            if grammar.may_end and self._vocabulary.end_tokens:
                return self._vocabulary.end_tokens[0]  # a grammar that is complete is stronger than a ban of ends
            raise refused("no token of the model can follow in the grammar")
        candidates.fill(adjusted[tokens], tokens)
        candidates.apply(self._choose)
        return candidates.chosen()[0]

    def _fitting(self, adjusted: Logits, grammar: GrammarWatch) -> Tokens:
        """The tokens that can follow; only the likeliest of them where a later cut would leave no others anyway."""
        enough = self._enough()
        if 0 < enough < _FIRST_TRIED < len(adjusted):
            tried = np.argpartition(-adjusted, _FIRST_TRIED)[:_FIRST_TRIED].astype(np.int32)
            tokens = np.array([token for token in tried.tolist() if grammar.allows(token)], dtype=np.int32)
            if len(tokens) >= enough:
                return tokens
        return grammar.allowed()

    def _enough(self) -> int:
        """How many of the likeliest tokens make the choice the same as all of them; 0 where all are needed."""
        sampling = self._sampling
        if is_greedy(sampling):
            return 1
        return 0 if sampling.top_n_sigma > 0 or sampling.mirostat else sampling.top_k
