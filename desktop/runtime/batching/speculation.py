"""Several tokens checked in one step, where that was seen to be faster than one after the other.

A proposer guesses what comes next; the model checks all guesses at once and the sampler chooses at each place as it
would have anyway, so that what is said does not depend on the guesses. Whether a guess is right is counted for every
token, also while nothing is speculated: speculation begins when it pays by the times this machine's own steps took,
and ends when it does not.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from desktop.engine.protocol import Speculation, SpeculationReason
from desktop.runtime.media.places import count_text

NGRAM = 3
"""Tokens that must have stood in a row before for what followed them to be proposed."""
LONGEST_DRAFT = 15
GAIN = 1.08
"""A draft must promise this much more speed; less is within the error of the estimate."""
_PRIOR, _PRIOR_WEIGHT = 0.2, 2.0  # guesses are thought bad until they were seen to be good
_MEMORY = 0.95  # weight that older guesses keep per new one


def choose_speculation(
    wanted: Speculation, *, rows: int, can_go_back: bool, has_draft: bool = False
) -> tuple[Speculation, SpeculationReason]:
    """Return how replies are speculated, and why so.

    rows: logits of one step. can_go_back: whether wrong guesses can be taken out of the model's memory again.
    has_draft: a draft model is loaded.
    """
    if wanted == "off":
        return "off", "switched_off"
    if not can_go_back:
        return "off", "cannot_go_back"
    if rows < 2:
        return "off", "one_row"
    if wanted == "draft" and not has_draft:
        return "off", "no_draft"
    if has_draft and wanted != "prompt_lookup":
        return "draft", "when_faster"
    return "prompt_lookup", "when_faster"


class Proposer(Protocol):
    """Guesses the next tokens of a sequence."""

    def propose(self, limit: int) -> list[int]:
        """Return at most `limit` tokens that may come next."""

    def append(self, token: int) -> None:
        """Take a token that was chosen."""

    @property
    def seconds_per_token(self) -> float:
        """What a guess costs."""

    def close(self) -> None:
        """Free what is held."""


class PromptLookup:
    """Proposes what followed the last time the same tokens stood there: for edits, quotes and code that repeats."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._places: dict[tuple[int, ...], int] = {}
        self._indexed = NGRAM
        self.seconds_per_token = 0.0  # below what can be measured

    def close(self) -> None:
        """Nothing is held."""

    def append(self, token: int) -> None:
        """Take the token that was chosen."""
        self._tokens.append(token)

    def propose(self, limit: int) -> list[int]:
        """What followed the latest earlier place with the same last NGRAM tokens."""
        tokens, places = self._tokens, self._places
        while self._indexed < len(tokens):
            end = self._indexed
            places[tuple(tokens[end - NGRAM : end])] = end
            self._indexed = end + 1
        place = places.get(tuple(tokens[-NGRAM:]))
        if place is None:
            return []
        guesses = tokens[place : place + limit]
        return guesses[: count_text(guesses, limit)]


class Speculator:
    """Decides for one reply how many guessed tokens to check in the next step.

    step_seconds: how long a step of so many rows takes on this machine.
    """

    def __init__(self, proposer: Proposer, step_seconds: Callable[[int], float]) -> None:
        self._proposer, self._step_seconds = proposer, step_seconds
        self._hits, self._trials = _PRIOR * _PRIOR_WEIGHT, _PRIOR_WEIGHT
        self._guess: list[int] = []
        self.drafted = self.accepted = 0

    @property
    def hit_rate(self) -> float:
        """How often a guess for the next token was right lately, 0 to 1."""
        return self._hits / self._trials

    def draft(self, limit: int) -> list[int]:
        """Return the guesses to check now; none where that would not pay."""
        self._guess = self._proposer.propose(min(limit, LONGEST_DRAFT)) if limit > 0 else []
        length = self._best_length(len(self._guess))
        self.drafted += length
        return self._guess[:length]

    def learn(self, chosen: Sequence[int], drafted: int) -> None:
        """Take what the model chose, first token first; the first `drafted` guesses were checked."""
        for place, token in enumerate(chosen):
            if place < len(self._guess) and place <= drafted:
                hit = self._guess[place] == token
                self._hits, self._trials = self._hits * _MEMORY + hit, self._trials * _MEMORY + 1
                self.accepted += hit and place < drafted
                if not hit:
                    self._guess = []
            self._proposer.append(token)
        self._guess = []

    def close(self) -> None:
        """Free the proposer."""
        self._proposer.close()

    def _best_length(self, available: int) -> int:
        single, cost = self._step_seconds(1), self._proposer.seconds_per_token
        if not available or not single:
            return 0
        rate, best, most, expected = self.hit_rate, 0, GAIN, 1.0
        for length in range(1, available + 1):
            expected += rate**length
            gain = expected * single / (self._step_seconds(length + 1) + cost * length)
            if gain > most:
                best, most = length, gain
        return best


class CostlySpeculator(Speculator):
    """For guesses that cost time themselves, as a draft model's do: asked for only where they are likely to pay.

    While they do not, they are tried again every RETRY tokens, TRIAL tokens long.
    """

    RETRY, TRIAL = 64, 4

    def __init__(self, proposer: Proposer, step_seconds: Callable[[int], float]) -> None:
        super().__init__(proposer, step_seconds)
        self._since = self.RETRY

    def draft(self, limit: int) -> list[int]:
        """Return guesses to check now; all that were made."""
        limit = min(limit, LONGEST_DRAFT)
        length = self._best_length(limit)
        self._since += 1
        if not length and self._since > self.RETRY and self._step_seconds(1):
            length = min(self.TRIAL, limit)
        if length < 1:
            self._guess = []
            return []
        self._since = 0
        self._guess = self._proposer.propose(length)
        self.drafted += len(self._guess)
        return self._guess
