"""How likely the model thought a token, before any sampler."""

import numpy as np

from desktop.engine.protocol import ChosenToken, TokenLogprob
from desktop.runtime.sampling.candidates import Logits
from desktop.runtime.sampling.ranges import NEVER
from desktop.runtime.vocabulary import Vocabulary


def describe(logits: Logits, token: int, *, count: int, vocabulary: Vocabulary) -> ChosenToken:
    """Return the natural log-probability of `token`, and of the `count` likeliest tokens, best first."""
    wide = logits.astype(np.float64)
    largest = wide.max()
    normalizer = largest + np.log(np.exp(wide - largest).sum())

    def told(number: int) -> TokenLogprob:
        text = vocabulary.piece(number).decode("utf-8", "replace")
        return TokenLogprob(token=number, text=text, logprob=max(float(wide[number] - normalizer), NEVER))

    return ChosenToken(chosen=told(token), top=tuple(map(told, _best(wide, count))))


def _best(values: "np.typing.NDArray[np.float64]", count: int) -> list[int]:
    """The places of the largest values, largest first; of equals the first."""
    count = min(count, len(values))
    if count == 0:
        return []
    border = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= border)
    order = np.lexsort((places, -values[places]))
    return [int(place) for place in places[order][:count]]
